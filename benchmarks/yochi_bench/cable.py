"""A network cable that can be pulled: while it is out nothing passes, and neither side is told."""

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Cable:
    """Leads from 127.0.0.1:`port` to the server at `host` and `to`; it is in while `plugged` is set."""

    def __init__(self, host: str, to: int) -> None:
        self._far = host, to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self.plugged = threading.Event()
        self.plugged.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                try:
                    far = socket.create_connection(self._far)
                except OSError:  # nobody there: as if it had not been taken
                    near.close()
                    continue
                self._open.append(far)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Bytes, and how they end: one that was closed is closed on the other side, once the cable is in."""
        try:
            while data := source.recv(65536):
                self.plugged.wait()
                sink.sendall(data)
            self.plugged.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.plugged.wait()
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

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
