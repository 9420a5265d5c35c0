"""Signals made by hand."""

from yochi_devices.plant.signal import Colour, Signal

COLOURS: dict[int, Colour] = {1: "green", 2: "amber"}


def made(release: bool | None, *, issued: float, code: int | None = None, id: str = "a1") -> Signal:
    """Expires 5 s after it was seen. Code 1, and 3 for a hold, unless another is given."""
    code = code or (3 if release is False else 1)
    return Signal(
        id=id,
        words="made by hand",
        issued=issued,
        expires=issued + 5.0,
        payload={"test": False, "verdict": code, "words": "made by hand, 危険"},
        release=release,
        colour=COLOURS.get(code, "red"),
        code=code,
    )
