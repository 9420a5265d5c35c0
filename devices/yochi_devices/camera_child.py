"""What runs in a camera's own process: `python -m yochi_devices.camera_child DESCRIPTOR PARENT`.

It opens what the first message names, says that it has tried, and answers one `read` after another, until the
other end is closed or the process PARENT is gone. A live camera is opened again here, without a new process.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .camera import Camera, CameraError
from .capture import CaptureCamera, StreamCapture, opencv
from .frame_wire import FrameWire, Head, head_of
from .live import LiveCamera, Open
from .login import find_login
from .other_cameras import OtherCamera
from .rtsp import describe, parse_rtsp

OPENING_SECONDS = 15.0  # to wait for the first try
ASK_SECONDS = 3.0  # for the camera's description
STUCK_SECONDS = 12.0  # inside one call of the library, whose own limits are shorter: it will not come back
PULSE = 0.5  # seconds


def open_stream(uri: str, sequence: int) -> StreamCapture:
    """Ask the camera first: it says what is wrong, and FFmpeg's own errors do not come through OpenCV."""
    address = parse_rtsp(uri)
    login = find_login(address.host)
    describe(address, login, ASK_SECONDS)
    return StreamCapture(address.with_login(login), address.shown, sequence=sequence)


def _live(opens: Open) -> LiveCamera:
    camera = LiveCamera(opens)
    camera.wait_opened(OPENING_SECONDS)
    return camera


def open_uvc(source: Any) -> Camera:
    opencv()  # not while somebody waits for the first frame
    return _live(lambda sequence: CaptureCamera(int(source), live=True, sequence=sequence))


def open_rtsp(source: Any) -> Camera:
    opencv()
    return _live(lambda sequence: open_stream(source, sequence))


def open_video(source: Any) -> Camera:
    return CaptureCamera(source, live=False)


def open_other(source: Any) -> Camera:
    return _live(lambda sequence: OtherCamera(source, sequence=sequence))


OPEN: dict[str, Callable[[Any], Camera]] = {
    "uvc": open_uvc,
    "rtsp": open_rtsp,
    "video": open_video,
    "other": open_other,
}


def serve(wire: FrameWire) -> None:
    """Open, then answer, for ever; what goes wrong is an answer, too."""
    settings, _ = wire.receive()
    try:
        camera = OPEN[settings["kind"]](settings["source"])
    except CameraError as e:
        wire.send({"error": str(e)})
        return
    wire.send({"opened": True})
    while True:
        wire.receive()
        head, rgb = _answer(camera)
        wire.send(head, rgb)
        if isinstance(camera, LiveCamera) and camera.stuck > STUCK_SECONDS:
            return


def _answer(camera: Camera) -> tuple[Head, Any]:
    try:
        frame = camera.read()
    except CameraError as e:
        return {"error": str(e)}, None
    return ({"end": True}, None) if frame is None else (head_of(frame), frame.rgb)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PULSE)
    os._exit(0)  # whatever the library is in the middle of


def main(descriptor: str, parent: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the parent, which ends this one
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    with suppress(ConnectionError):  # nobody asks any more
        serve(FrameWire(socket.socket(fileno=int(descriptor))))
    os._exit(0)  # without the library's own end, which may hang or crash


if __name__ == "__main__":
    main(*sys.argv[1:])
