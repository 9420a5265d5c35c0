"""What a network camera says is told in words, and passwords stand in none of them."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from yochi_devices.camera import AddressError, CameraError
from yochi_devices.login import LOGIN, NETRC, Login, authorization, find_login
from yochi_devices.rtsp import describe, parse_rtsp

from tests.fixtures.rtsp_server import Fault, RtspServer

SECRET = "p@ss:w/ö%rd?#"
LIMIT = 30.0


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer() as running:
        yield running


def said(uri: str, login: Login | None = None, limit: float = LIMIT) -> str:
    with pytest.raises(CameraError) as raised:
        describe(parse_rtsp(uri), login, limit)
    message = str(raised.value)
    assert message.startswith("expected ")
    assert "; " in message
    assert "\n" not in message
    assert SECRET not in message
    return message


def test_it_names_the_codec(server: RtspServer) -> None:
    assert describe(parse_rtsp(server.uri), None, LIMIT) == "JPEG"
    server.state.codec = "h264/90000"
    assert describe(parse_rtsp(server.uri), None, LIMIT) == "H264"


@pytest.mark.parametrize("scheme", ["Digest", "Basic"])
def test_user_and_password(server: RtspServer, scheme: str) -> None:
    server.state.login, server.state.scheme = ("admin", SECRET), scheme
    assert describe(parse_rtsp(server.uri), Login("admin", SECRET), LIMIT) == "JPEG"
    assert [given.split()[0] for given in server.state.tries] == [scheme]
    assert "asks for user and password" in said(server.uri)
    assert "wrong user or password" in said(server.uri, Login("admin", "x"))
    assert "wrong user or password" in said(server.uri, Login("root", SECRET))


def test_digest_by_the_examples_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7616, 3.9.1, for both algorithms."""
    monkeypatch.setattr(
        "yochi_devices.login.secrets.token_hex", lambda _: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    )
    offer = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    login = Login("Mufasa", "Circle of Life")
    answers = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in answers.items():
        given = authorization([offer.format(algorithm)], "GET", "/dir/index.html", login)
        assert f'response="{response}"' in given
        assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in given
        assert "Circle" not in given


def test_what_is_wrong_is_told_apart(server: RtspServer) -> None:
    assert "no such stream (404)" in said(server.uri.replace("live", "nowhere"))
    server.state.codec = "X-SECRET/90000"
    assert "got the codec 'X-SECRET'" in said(server.uri)
    server.state.fault = Fault.BUSY
    assert "is busy (503)" in said(server.uri)
    server.state.fault = Fault.MUTE
    assert "within 0.2 s, got none" in said(server.uri, limit=0.2)
    server.cut()
    assert "refused: nothing listens there" in said(server.uri)
    assert "no such host" in said("rtsp://no-such-host.invalid/live")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "something else answers"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "something else answers"),
        (b"", "it closed the connection"),
        (b"x" * 200_000, "something else answers"),
        (b"RTSP/1.0 302 Found\r\nLocation: rtsp://other/\r\n\r\n", "the camera answers 302"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n", "the stream has none"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nv=0\r\n", "it closed the connection"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n", "the stream has none"),
    ],
)
def test_what_is_no_camera(answer: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        assert words in said(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live")


def test_addresses() -> None:
    address = parse_rtsp("rtsp://yard:8554/cam/1?user=admin&pass=secret")
    assert (address.host, address.port, address.path) == ("yard", 8554, "/cam/1?user=admin&pass=secret")
    assert address.shown == "rtsp://yard:8554/cam/1?..."
    assert parse_rtsp("rtsp://[::1]").plain == "rtsp://[::1]:554/"
    for uri in ("rtsp://admin:secret@yard/live", "rtsp://admin@yard/live"):
        with pytest.raises(AddressError, match=rf"without user and password.*{LOGIN}.*{NETRC}") as raised:
            parse_rtsp(uri)
        assert "secret" not in str(raised.value)


def test_logins_come_from_environment_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOGIN, raising=False)
    monkeypatch.delenv(NETRC, raising=False)
    assert find_login("yard") is None
    monkeypatch.setenv(LOGIN, f"admin:{SECRET}")
    assert find_login("yard") == Login("admin", SECRET)
    assert SECRET not in repr(find_login("yard"))
    file = tmp_path / "cameras"
    file.write_text("machine yard login viewer password other\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv(NETRC, str(file))
    assert find_login("yard") == Login("viewer", "other")
    assert find_login("gate") == Login("admin", SECRET)


def test_logins_of_no_use_are_named_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cameras"
    monkeypatch.setenv(NETRC, str(file))
    with pytest.raises(AddressError, match="No such file"):
        find_login("yard")
    file.write_text(f"machine yard pasword {SECRET}\n", encoding="utf-8")
    file.chmod(0o640)
    with pytest.raises(AddressError, match="got mode 640; chmod 600"):
        find_login("yard")
    file.chmod(0o600)
    with pytest.raises(AddressError, match="got other words; mend it") as raised:
        find_login("yard")
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__
    monkeypatch.delenv(NETRC)
    monkeypatch.setenv(LOGIN, SECRET.replace(":", ""))
    with pytest.raises(AddressError, match="expected user:password") as raised:
        find_login("yard")
    assert "p@ss" not in str(raised.value)
