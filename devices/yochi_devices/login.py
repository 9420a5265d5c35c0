"""Users and passwords of network cameras: from the environment or from a file, nowhere else.

YOCHI_CAMERA_LOGIN holds `user:password` for every camera, YOCHI_CAMERA_NETRC the path of a file in the form
of netrc (`machine HOST login USER password WORD`), one line a camera. The file wins.
"""

import base64
import hashlib
import netrc
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .camera import AddressError

LOGIN, NETRC = "YOCHI_CAMERA_LOGIN", "YOCHI_CAMERA_NETRC"


@dataclass(frozen=True)
class Login:
    """Neither stands in its own text, so that no message shows them by mistake."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def find_login(host: str) -> Login | None:
    """What to say to `host`; None where nothing is set. AddressError for a file or a variable of no use."""
    file = os.environ.get(NETRC)
    if file and (found := _from_netrc(Path(file), host)):
        return found
    said = os.environ.get(LOGIN)
    if not said:
        return None
    user, colon, password = said.partition(":")
    if not user or not colon:
        raise AddressError(f"expected user:password in {LOGIN}, got something else; set it again")
    return Login(user, password)


def _from_netrc(path: Path, host: str) -> Login | None:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise AddressError(
                f"expected {path} for its owner only, got mode {stat.S_IMODE(mode):03o}; chmod 600 {path}"
            )
        found = netrc.netrc(str(path)).authenticators(host)
    except OSError as e:
        raise AddressError(f"expected to read {path} ({NETRC}), got: {e.strerror or e}; check it") from e
    except (netrc.NetrcParseError, UnicodeDecodeError):
        # Without the cause: it may quote the line with the password.
        raise AddressError(
            f"expected `machine HOST login USER password WORD` in {path}, got other words; mend it"
        ) from None
    return Login(found[0], found[2] or "") if found else None


def authorization(offers: Sequence[str], method: str, uri: str, login: Login) -> str:
    """Digest where the camera offers it (RFC 2617, SHA-256 as in RFC 7616), or else Basic."""
    digest = next((offer for offer in offers if offer.lower().startswith("digest")), None)
    if digest is None:
        return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    asked = {key.lower(): quoted or bare for key, quoted, bare in re.findall(
        r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', digest
    )}  # fmt: skip
    realm, nonce, name = asked.get("realm", ""), asked.get("nonce", ""), asked.get("algorithm", "MD5")

    def hashed(text: str) -> str:
        return hashlib.new("sha256" if name.upper() == "SHA-256" else "md5", text.encode()).hexdigest()

    secret, target = hashed(f"{login.user}:{realm}:{login.password}"), hashed(f"{method}:{uri}")
    said = {"username": login.user, "realm": realm, "nonce": nonce, "uri": uri, "algorithm": name}
    middle = nonce
    if "auth" in asked.get("qop", "").split(","):
        said |= {"qop": "auth", "nc": "00000001", "cnonce": secrets.token_hex(8)}
        middle = f"{nonce}:{said['nc']}:{said['cnonce']}:auth"
    if "opaque" in asked:
        said["opaque"] = asked["opaque"]
    said["response"] = hashed(f"{secret}:{middle}:{target}")
    return "Digest " + ", ".join(f'{key}="{value}"' for key, value in said.items())
