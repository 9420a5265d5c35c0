"""Which camera a page may choose: one on USB, or an address without anything that looks like a password.

What is chosen is kept in a file, shown and recorded, so an address is let in by what is known to be harmless.
Any other can still be given to `yochi serve --camera`, by whoever may see it there.
"""

import re
from urllib.parse import unquote, urlsplit

from yochi_devices.camera import AddressError
from yochi_devices.cameras import ADDRESS, check_address, is_live
from yochi_devices.login import LOGIN, NETRC

from ..errors import UsageError

# What cameras name in an address's query to choose one of their streams.
HARMLESS = {
    *("camera", "ch", "channel", "codec", "fps", "profile", "proto", "resolution", "stream", "streamtype"),
    *("subtype", "transportmode", "unicast", "videocodec"),
}
MAX_ADDRESS = 300  # characters


def check_choice(uri: str) -> None:
    """UsageError for what is no camera, cannot be meant, or may hold a password; it repeats nothing of it."""
    if not is_live(uri) or len(uri) > MAX_ADDRESS:
        raise UsageError(
            "expected a camera on USB, or an address such as rtsp://HOST/PATH, got neither; check it"
        )
    if ADDRESS not in uri:
        return
    try:
        check_address(uri)
        parts = urlsplit(uri)
    except (AddressError, ValueError) as e:
        raise UsageError(str(e)) from e
    marked = any(mark in unquote(parts.path) for mark in "=;:%")  # some cameras take a login in the path
    named = [pair.partition("=")[0].lower() for pair in re.split("[&;]", parts.query) if pair]
    if marked or "#" in uri or not set(named) <= HARMLESS:
        raise UsageError(
            "expected an address without anything that may be a password (of a query only channel= and the "
            f"like), got another; put user:password into {LOGIN} or a file named by {NETRC}, or give the "
            "address to yochi serve --camera"
        )
