"""Where a box keeps what must outlive a restart: its log, and the bundles that were installed on it."""

import os
from pathlib import Path

from .errors import UsageError


def state_folder() -> Path:
    """`$XDG_STATE_HOME/yochi`, else `~/.local/state/yochi`; UsageError where there is no home."""
    state = os.environ.get("XDG_STATE_HOME")
    # The XDG specification: a relative path here is to be ignored.
    try:
        root = Path(state) if state and Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as e:
        raise UsageError(
            f"expected a home folder for log and bundles, got: {e}; set XDG_STATE_HOME to a folder"
        ) from e
    return root / "yochi"
