"""Which bundle judges on this box where none is named: the one that was installed, else the shipped one.

    bundles/                   $YOCHI_BUNDLES, or beside the audit log
    ├── current -> 2-<sha256>  replaced by one rename; without it the shipped bundle judges
    ├── 1-<sha256>/            what `yochi bundle rollback` goes back to
    └── 2-<sha256>/            the second that was installed, its folder named by its manifest's hash

What judges is admitted and checked byte by byte at every opening, wherever it lies: nothing here is believed.
"""

import os
from pathlib import Path

from . import trust as shipped
from .state_folder import state_folder

CURRENT = "current"
ROOT_VARIABLE = "YOCHI_BUNDLES"


def bundles_folder() -> Path:
    """Where installed bundles lie, or would lie; UsageError where there is no home."""
    override = os.environ.get(ROOT_VARIABLE)
    return Path(override) if override else state_folder() / "bundles"


def default_bundle(root: Path | None = None) -> Path:
    """Folder of the installed bundle in `root` (default: `bundles_folder`), else of the shipped one.

    Where one was installed and is not to be found, its folder all the same: nobody chose the shipped one.
    """
    link = (root or bundles_folder()) / CURRENT
    try:
        link.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return shipped.shipped_bundle()
    except OSError:  # no right to look; opening it says so
        return link
    return Path(os.path.realpath(link))  # a running judge keeps its files when `current` moves on
