"""Cameras of other packages, found by entry point: the group `yochi.cameras` has a factory for each scheme.

    [project.entry-points."yochi.cameras"]
    gige = "acme_yochi:open_camera"            # gige://... is what acme_yochi.open_camera(uri) opens

The factory takes the whole address and gives a `Camera`: `read` waits for the next frame, at most about a
second, `close` frees the device. It is loaded in the camera's own process alone, which may hang or crash.
Nothing that it does is believed: of a frame pixels and time are taken, and only if they can be true.
"""

import math
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np

from .camera import AddressError, Camera, CameraError, CameraLost
from .decode import MAX_PIXELS
from .frame import CameraFrame

GROUP = "yochi.cameras"
FASTEST = 0.005  # seconds: a `read` that does not wait must not take a whole core
T = TypeVar("T")


def other_schemes() -> tuple[str, ...]:
    """The schemes that installed packages open, in lower case; nothing of them is loaded."""
    return tuple(sorted({found.name.lower() for found in entry_points(group=GROUP)}))


def shown_address(uri: str) -> str:
    """What may stand in a message of such an address; AddressError for one with a user or a password."""
    scheme = uri.partition("://")[0].lower()
    try:
        parts = urlsplit(uri)
    except ValueError as e:
        raise AddressError(f"expected {scheme}://PLACE, got another address; check it") from e
    if "@" in parts.netloc:
        raise AddressError(
            f"expected {scheme}://PLACE without user and password, got one with them; its package says where "
            "they belong"
        )
    return f"{scheme}://{parts.netloc}{parts.path}" + ("?..." if parts.query else "")


class OtherCamera:
    """What a LiveCamera follows, by another package's camera. `sequence` is the first frame's number.

    Whatever that package raises is a CameraError: CameraLost, so that it is opened again, but for a
    CameraError of its own.
    """

    def __init__(self, uri: str, *, sequence: int = 0) -> None:
        self._shown, self.sequence, self.arrived = shown_address(uri), sequence, 0.0
        self._came: object = None
        opened = self._called(lambda: _factory(uri)(uri))
        if not (callable(getattr(opened, "read", None)) and callable(getattr(opened, "close", None))):
            raise self._fault(f"its package gave {type(opened).__name__}, which is no camera")
        self._camera: Camera = opened

    def grab(self) -> bool:
        """Take the next frame, unlooked at; CameraError where there is none."""
        start = time.monotonic()
        self._came = self._called(self._camera.read)
        self.arrived = time.monotonic()
        self.sequence += 1
        if self._came is None:
            raise CameraLost(str(self._fault("it ended")))
        time.sleep(max(0.0, start + FASTEST - self.arrived))
        return True

    def retrieve(self) -> CameraFrame:
        """The frame that `grab` has taken, copied: its package may write into it again."""
        came, number = self._came, self.sequence - 1
        rgb, taken = getattr(came, "rgb", None), getattr(came, "monotonic", None)
        if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise self._fault("its package gave no picture (uint8, height x width x 3)")
        if not 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS:
            raise self._fault(f"its package gave {rgb.shape[1]} x {rgb.shape[0]} pixels")
        if not isinstance(taken, float) or not math.isfinite(taken) or not 0 < taken <= self.arrived:
            raise self._fault("its package gave a frame of no time (seconds of time.monotonic(), not later)")
        return CameraFrame(np.array(rgb), number, float(taken), f"{self._shown}#{number}", live=True)

    def close(self) -> None:
        with suppress(CameraError):  # it is given up, whatever it says to that
            self._called(self._camera.close)

    def _called(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except CameraError:
            raise
        except (Exception, SystemExit) as e:
            # Where, and not what it says: that may hold a password.
            place = traceback.extract_tb(e.__traceback__)[-1]
            came = (
                f"its package raised {type(e).__name__} in {Path(place.filename).name}, line {place.lineno}"
            )
            raise CameraLost(str(self._fault(came))) from e

    def _fault(self, came: str) -> CameraError:
        return CameraError(f"expected a frame from {self._shown}, {came}; check the camera and its package")


def _factory(uri: str) -> Callable[[str], Camera]:
    """CameraError where there is not exactly one package for the address's scheme."""
    scheme = uri.partition("://")[0].lower()
    found: list[EntryPoint] = [one for one in entry_points(group=GROUP) if one.name.lower() == scheme]
    if len(found) != 1:
        named = ", ".join(sorted(one.dist.name if one.dist else one.value for one in found)) or "none"
        raise CameraError(f"expected one package that opens {scheme}://, got {named}; remove or install one")
    made: Callable[[str], Camera] = found[0].load()
    return made
