"""Yochi's runtime: what stands on the box. No torch, no network.

`from yochi_runtime import Inspection, Judge, Note, read_frame` is the library; each is loaded when it is
asked for, so that a command which needs none of them starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .image import read_frame
    from .inspection import Inspection, Note
    from .judge import Judge

__all__ = ["Inspection", "Judge", "Note", "read_frame"]
_HOMES = {"Inspection": "inspection", "Judge": "judge", "Note": "inspection", "read_frame": "image"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
