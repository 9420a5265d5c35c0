"""The nearest known name for a mistyped one."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the nearest of `known`, or all of them where none is near."""
    names = sorted(map(str, known))
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(names) or 'none'}"
