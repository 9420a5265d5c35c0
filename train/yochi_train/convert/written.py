"""Files that are either whole or not there: written beside, moved into place at the end."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written(file: Path) -> Iterator[IO[str]]:
    """A UTF-8 text file that gets its name when the block ends without an error."""
    partial = file.with_name(f"{file.name}.partial")
    # Half a surrogate pair has no UTF-8; backslashreplace writes just what JSON calls it.
    with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
        yield out
    partial.replace(file)


def write_json(file: Path, data: object) -> None:
    with written(file) as out:
        out.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def copy_once(source: Path, target: Path) -> None:
    """A copy of `source`; one that is there already, from a run that was killed, is whole and stays."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)
