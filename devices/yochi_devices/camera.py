"""What every camera is: frames one after another, and one kind of error."""

from abc import ABC, abstractmethod
from typing import Self

from .frame import CameraFrame


class CameraError(Exception):
    """A camera that cannot be opened or a frame that cannot be read; the message is one line."""


class Camera(ABC):
    """A context manager and an iterator of CameraFrame that survives CameraError."""

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
