"""Blender's own environment: one command makes it, and nothing of it enters the trainer's.

`bpy` is built for exactly one Python and an old numpy, so it lives in a virtual environment of its own under
`$XDG_CACHE_HOME/yochi` (default `~/.cache/yochi`). `YOCHI_BPY` points to another interpreter that has `bpy`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from yochi_runtime.base import cache_folder
from yochi_runtime.errors import UsageError

BPY = "4.5.15"  # long-term support; needs Python 3.11 and numpy 1
PYTHON = (3, 11)
PACKAGES = (f"bpy=={BPY}", "numpy==1.26.4")
INSTALL_SECONDS = 3600  # 0.4 GB come over the network
LIBRARIES = "libx11-6 libxi6 libxxf86vm1 libxfixes3 libxrender1 libxkbcommon0 libsm6 libice6 libgl1 libegl1"
_PROBE = "import bpy; print(bpy.app.version_string)"
# Appended, not put first: numpy and everything else must come from Blender's environment.
_START = "import sys; sys.path.append(sys.argv[1]); from yochi_train.scenes.build import main; main()"


def environment_folder() -> Path:
    return cache_folder() / f"bpy-{BPY}"


def renderer_command() -> list[str]:
    """The command of one renderer process. UsageError where there is no environment yet."""
    given = os.environ.get("YOCHI_BPY")
    python = Path(given) if given else _interpreter(environment_folder())
    if not python.is_file() or (not given and not (environment_folder() / "ready").is_file()):
        raise UsageError(
            f"expected Blender's environment at {python}, found none; run: yochi-train scenes setup"
        )
    package = Path(__file__).resolve().parent.parent.parent
    return [str(python), "-I", "-c", _START, str(package)]


def set_up(python: Path | None = None, wheels: Path | None = None) -> str:
    """Make the environment, or find it whole; one line that says where it is.

    `python` is a Python 3.11, `wheels` a folder with the wheels for a machine without network. UsageError
    where either does not fit or the packages cannot be had.
    """
    folder = environment_folder()
    if (folder / "ready").is_file():
        return f"Blender {BPY} is ready in {folder}"
    if wheels is not None and not wheels.is_dir():
        raise UsageError(f"expected a folder of wheels at {wheels}, found none; check --wheels")
    chosen = find_python(python)
    shutil.rmtree(folder, ignore_errors=True)  # an attempt that did not get to its end
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([str(chosen), "-m", "venv", str(folder)], "a virtual environment", "install python3.11-venv")
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    _run(
        [
            str(_interpreter(folder)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--only-binary=:all:",
            *source,
            *PACKAGES,
        ],
        f"pip to install {PACKAGES[0]}",
        "offline, run: yochi-train scenes setup --wheels FOLDER",
    )
    said = _run(
        [str(_interpreter(folder)), "-I", "-c", _PROBE],
        "bpy to load",
        f"a missing library on Debian and Ubuntu: apt install {LIBRARIES}",
    )
    (folder / "ready").write_text(said + "\n", encoding="utf-8")
    return f"Blender {said} is ready in {folder}"


def find_python(given: Path | None = None) -> Path:
    """A Python 3.11: `given`, this one, or `python3.11` on the path. UsageError where it is another."""
    wanted = ".".join(map(str, PYTHON))
    if given is None and sys.version_info[:2] == PYTHON:
        return Path(sys.executable)
    found = shutil.which(str(given) if given else f"python{wanted}")
    if found is None:
        raise UsageError(
            f"expected Python {wanted} for bpy {BPY}, found none at {given or 'python' + wanted}; "
            "install it or name it: yochi-train scenes setup --python PATH"
        )
    probe = [found, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    came = _run(probe, f"Python {wanted}", "check --python")
    if came != wanted:
        raise UsageError(f"expected Python {wanted} for bpy {BPY}, got {came} at {found}; check --python")
    return Path(found)


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"


def _run(command: list[str], expected: str, advice: str) -> str:
    """What the command says on stdout. UsageError with the last line of its complaint."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise UsageError(f"expected {expected}, got: {e}; {advice}") from e
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise UsageError(f"expected {expected}, got: {said[-1] if said else done.returncode}; {advice}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
