"""What every camera is: frames one after another, and one small tree of errors.

CameraError           a camera that cannot be opened or a frame that cannot be read
├── AddressError      the camera's address, or the file of its password: what a person wrote
├── LoginError        the camera refuses user and password; asked again soon, it may lock them
└── CameraLost        nothing more will come from what is open; opening it again may help

Every message is one line, and no password or address's query ever stands in it.
"""

from abc import ABC, abstractmethod
from typing import Self

from .frame import CameraFrame


class CameraError(Exception):
    """A camera that cannot be opened or a frame that cannot be read."""


class AddressError(CameraError):
    """An address that no camera can have, or a login file that cannot be used."""


class LoginError(CameraError):
    """The camera refuses user and password."""


class CameraLost(CameraError):
    """What was open gives no more frames."""


class Camera(ABC):
    """A context manager and an iterator of CameraFrame that survives CameraError.

    `live`: `read` gives what is before the camera now, so frames between two reads are not missed.
    """

    live = False

    @abstractmethod
    def read(self) -> CameraFrame | None:
        """The next frame, None at the end; CameraError for a frame that cannot be read."""

    @abstractmethod
    def close(self) -> None:
        """Free the device; more than once does no harm."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> CameraFrame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
