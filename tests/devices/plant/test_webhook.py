"""Signed messages to a real receiver."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest
from yochi_devices.plant.secret import Secret
from yochi_devices.plant.settings import WebhookSettings
from yochi_devices.plant.signal import Message, SettingsError, SignalError
from yochi_devices.plant.webhook import Webhook, key_of, signature

from tests.fixtures.plant_servers import Receiver, free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = Message("msg_1", 3, 1, '{"words":"止まれ"}')


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Secret:
    monkeypatch.setenv("HOOK", SECRET)
    return Secret(env="HOOK")


def hook(url: str, key: Secret) -> Webhook:
    return Webhook(WebhookSettings(name="hook", url=url, secret=key))


def test_the_signature_is_the_specifications() -> None:
    """The example of github.com/standard-webhooks, which its libraries are tested with."""
    body = b'{"test": 2432232314}'
    assert (
        signature(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_receiver_can_check_what_it_gets(key: Secret) -> None:
    with Receiver() as receiver:
        hook(receiver.url, key).send(MESSAGE)
        headers, body = receiver.got[0]
    assert json.loads(body) == {"id": "msg_1", "sequence": 3, "missed": 1, "words": "止まれ"}
    assert (headers["webhook-id"], headers["content-type"]) == ("msg_1", "application/json")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 600
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(SECRET[6:]), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (302, "answered 302, there is no receiver; check the url"),
        (401, "answered 401, it does not accept the signature"),
        (404, "check the url"),
        (500, "answered 500, look into the receiver's log"),
        (None, "closed the connection"),
    ],
)
def test_only_2xx_acknowledges(key: Secret, status: int | None, said: str) -> None:
    with Receiver() as receiver:
        receiver.status = status
        with pytest.raises(SignalError, match=said):
            hook(receiver.url, key).send(MESSAGE)
        assert receiver.got == []


def test_what_is_wrong_on_the_way_is_said(key: Secret) -> None:
    with pytest.raises(SignalError, match="refused, nothing listens there"):
        hook(f"http://127.0.0.1:{free_port()}/", key).send(MESSAGE)
    with Receiver() as receiver, pytest.raises(SignalError, match="no TLS as expected"):
        hook(receiver.url.replace("http:", "https:"), key).send(MESSAGE)


def test_secrets_are_read_where_they_stand_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("x" * 23 + "\n", encoding="utf-8")
    file.chmod(0o600)
    assert Secret(file=file).read() == "x" * 23
    with pytest.raises(SettingsError, match="at least 24 bytes, got 23"):
        hook("http://h/", Secret(file=file))
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="mode 640; chmod 600"):
        Secret(file=file).read()
    with pytest.raises(SettingsError, match="No such file"):
        Secret(file=tmp_path / "none").read()
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(SettingsError, match="EMPTY, it is not set"):
        Secret(env="EMPTY").read()
    with pytest.raises(SettingsError, match="base64 after whsec_"):
        key_of("whsec_???")
