"""A container's health check: exit 0 while the service in it judges; else 1, with one line that says why.

`python container_ready.py [PORT]`. It asks /readyz and not /healthz: a container has no watchdog, and a
thread that hangs is alive. A lost camera changes neither. Standard library alone, so that it starts fast.
"""

import http.client
import ssl
import sys
from collections.abc import Callable

PORT = 8420
TIMEOUT = 4  # seconds, for each of the two ways to ask


def _plain(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)


def _tls(port: int) -> http.client.HTTPConnection:
    # The certificate names the box, not this address, and nothing secret is said or believed here.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=context)


def fault(port: int) -> str | None:
    """What is wrong with the service on `port` of this machine; None where it is ready.

    401 is no fault: with a token on localhost (a proxy's) the check has none, and the service answers.
    """
    said = ""
    ways: tuple[Callable[[int], http.client.HTTPConnection], ...] = (_plain, _tls)
    for way in ways:
        connection = way(port)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            body = answer.read(500).decode("utf-8", "replace")
            if answer.status in (200, 401):
                return None
            return f"expected 200 of /readyz, got {answer.status}: {body}"
        except (OSError, http.client.HTTPException) as e:
            said = f"expected an answer on port {port}, got: {e!r}"
        finally:
            connection.close()
    return said


if __name__ == "__main__":
    found = fault(int(sys.argv[1]) if len(sys.argv) > 1 else PORT)
    if found is not None:
        sys.exit(found)
