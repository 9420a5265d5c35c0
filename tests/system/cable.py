"""A network cable between browser and box: while it is out nothing passes, and neither side is told."""

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Cable:
    """Leads to the server at `to` (http://127.0.0.1:PORT); it is in while `plugged` is set."""

    def __init__(self, to: str) -> None:
        self._port = int(to.rpartition(":")[2])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.plugged = threading.Event()
        self.plugged.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.plugged.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self) -> "Cable":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.plugged.set()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
