"""When a frame of a network stream was taken, which is not when it arrived.

After a hiccup of the network everything that it held back arrives at once, and each of these frames would
look new. The stream counts its own time, so the frames that took longest on their way are known: those whose
arrival lies furthest behind that count, compared with the fastest frame before them.
"""

from .camera import CameraLost

DRIFT = 1e-3  # seconds a second that camera and box may run apart; cheap quartz keeps 1e-4


class StreamClock:
    """One for every time that a stream is opened."""

    def __init__(self) -> None:
        self._offset: float | None = None  # arrival minus stream time of the fastest frame
        self._arrived = self._position = 0.0

    def taken(self, arrived: float, position: float) -> float:
        """Seconds of `time.monotonic()`, at most `arrived`, for a frame at `position` seconds of the stream.

        The fastest frame's way counts as none, because it cannot be known. CameraLost where the stream's time
        goes back: nothing can be said of its frames' age any more.
        """
        offset = arrived - position
        if self._offset is None:
            self._offset = offset
        elif position < self._position:
            raise CameraLost(
                f"expected a stream whose time goes on, got {self._position - position:.2f} s back; "
                "it is opened again"
            )
        else:
            self._offset = min(offset, self._offset + DRIFT * (arrived - self._arrived))
        self._arrived, self._position = arrived, position
        return self._offset + position
