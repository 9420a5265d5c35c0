"""Updates a box's bundle, killed (SIGKILL) before the first change that it makes to files, the second ...

    python killed_update.py BOX WORK install|rollback [BUNDLE]

BOX holds `bundles` and `audit.db`. Each attempt has a copy, WORK/1, WORK/2 ...; the last was not killed.
The built-in frame's judgement is left out: it changes nothing, and has tests of its own.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from yochi_runtime import update
from yochi_runtime.admission import admit
from yochi_runtime.audit.log import AuditLog


def once(box: Path, what: str, bundle: list[str]) -> None:
    with AuditLog(box / "audit.db") as log:
        if what == "install":
            update.install(Path(bundle[0]), box / "bundles", log)
        else:
            update.roll_back(box / "bundles", log)


def killer(box: Path, at: int) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook (PEP 578): Python tells it of every file before it is opened, renamed, deleted ..."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event.partition(".")[0] not in ("open", "os", "shutil", "sqlite3"):
            return
        # Reading changes nothing; `os.open`, which has no mode, also serves to write names to the disk.
        if event == "open" and arguments[1] is not None and "r" in str(arguments[1]):
            return
        if any(str(box) in str(value) for value in arguments):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def at_every_change(box: Path, work: Path, once: Callable[[Path], None]) -> None:
    """`once` on copies of `box`, WORK/1, WORK/2 ..., each killed one change later; ends as the last did."""
    # A power cut's business, not a kill's.
    os.fsync = lambda _: None  # type: ignore[assignment]
    for attempt in count(1):
        own = Path(shutil.copytree(box, work / str(attempt), symlinks=True))
        child = os.fork()
        if child == 0:
            sys.addaudithook(killer(own, attempt))
            once(own)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            sys.exit(status)


def main() -> None:
    box, work, what, *bundle = sys.argv[1:]
    update._check = lambda folder, _: admit(folder) and None  # type: ignore[assignment]
    for given in bundle:
        admit(Path(given))  # so that no attempt has to import anything
    at_every_change(Path(box), Path(work), lambda own: once(own, what, bundle))


if __name__ == "__main__":
    main()
