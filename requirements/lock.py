"""Resolve an extra of this project today and write every package of it as an exact pin: `make lock`.

    python requirements/lock.py edge requirements/edge.lock [CONSTRAINTS ...]

pip's own resolver does the work (`--dry-run`: nothing is installed, llama-cpp-python is not compiled). Pins
are plain `name==version`: local labels such as torch's `+cpu` are cut off, since another index has another
label. The PyPI build of torch brings CUDA packages along; it pins those itself, so they do not stand here.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROJECT = "yochi"
HELD = ("torch==2.13.0",)  # parity numbers of the bundle were made on it; raise it together with them
ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Every package of the extra `{extra}`, exactly as it was proven to work together. Made by `make lock`.
"""


def resolve(extra: str, constraints: list[str]) -> list[dict[str, Any]]:
    """What pip would install into an empty environment: one entry of its report per package."""
    with tempfile.TemporaryDirectory() as folder:
        report, held = Path(folder) / "report.json", Path(folder) / "held.txt"
        held.write_text("\n".join(HELD), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), f"{ROOT}[{extra}]"]
        for file in (str(held), *constraints):
            command += ["--constraint", file]
        subprocess.run(command, check=True)
        entries: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return entries


def pins(entries: list[dict[str, Any]]) -> list[str]:
    """`name==version` of each package but the project itself and torch's CUDA companions, sorted by name."""
    found = {e["metadata"]["name"].lower().replace("_", "-"): e["metadata"]["version"] for e in entries}
    return sorted(
        f"{name}=={version.partition('+')[0]}"
        for name, version in found.items()
        if name not in (PROJECT, "triton") and not name.startswith(("nvidia-", "cuda-"))
    )


def main() -> None:
    """Resolve, then write the lock file."""
    extra, out, *constraints = sys.argv[1:]
    lines = pins(resolve(extra, constraints))
    Path(out).write_text(HEAD.format(extra=extra) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{out}: {len(lines)} packages")


if __name__ == "__main__":
    main()
