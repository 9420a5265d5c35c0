"""Telling systemd that the service is ready and alive: sd_notify(3), one datagram a word."""

import logging
import os
import socket
from collections.abc import Mapping

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
_LOG = logging.getLogger(__name__)


class Notifier:
    """To the socket that systemd names in NOTIFY_SOCKET; without one it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of Linux's abstract names.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def __call__(self, word: str) -> None:
        """Where nobody listens the judging goes on: whoever misses the word decides what that means."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.connect(self._address)
                sender.sendall(word.encode())
        except OSError as e:
            _LOG.warning("expected systemd at NOTIFY_SOCKET to take %s, got: %s", word, e)
