"""The settings file of all signals (TOML): what goes where, and where its secrets stand.

`example.toml` beside this file explains every key.
"""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from .network import Tls
from .secret import Secret
from .signal import SettingsError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]+$", max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
Address = Annotated[int, Field(ge=0, le=65535)]
Topic = Annotated[str, StringConstraints(pattern=r"^[^+#/\x00][^+#\x00]*[^+#/\x00]$", max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MqttSettings(_Strict):
    """Judgements to `<topic>/judgements`, the retained state to `<topic>/state`."""

    name: Name
    host: Host
    port: Port = 1883
    topic: Topic
    version: Literal["5", "3.1.1"] = "5"
    client_id: Name = "yochi"  # one for each box: a broker keeps one connection an id
    user: str | None = None
    password: Secret | None = None
    tls: Tls | None = None


class WebhookSettings(_Strict):
    """POST, signed with `secret`."""

    name: Name
    url: str
    secret: Secret
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _an_address(self) -> Self:
        try:
            address = urlsplit(self.url)
            right = address.scheme in ("http", "https") and address.hostname and (address.port or 1)
        except ValueError:
            right = False
        if not right or address.username is not None or address.fragment:
            raise ValueError("expected http(s)://HOST[:PORT]/PATH in url, without user and password")
        return self


class CsvSettings(_Strict):
    """A row a judgement."""

    name: Name
    path: Path


class ModbusSettings(_Strict):
    """A Modbus TCP server; `unit` is what sits behind a gateway."""

    name: Name
    host: Host
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    period_s: Annotated[float, Field(ge=0.05, le=2.0)] = 0.2  # from one write to the next


class StackLightSettings(ModbusSettings):
    """Coils red, amber, green from `first_coil` on; the module's own watchdog where it has one."""

    first_coil: Address
    watchdog_register: Address | None = None  # written with watchdog_value whenever it is connected
    watchdog_value: Address | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.watchdog_register is None) != (self.watchdog_value is None):
            raise ValueError("expected watchdog_register and watchdog_value, got one of them")
        return self


class PlcSettings(ModbusSettings):
    """Holding registers: 2 are read from `read_at` on, 6 written from `write_at` on; see `handshake`."""

    read_at: Address
    write_at: Address
    answer_s: Annotated[float, Field(gt=0.0, le=60.0)] = 5.0  # from a request to its answer, then it is hold

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.write_at - 2 < self.read_at < self.write_at + 6:
            raise ValueError("expected read_at (2 registers) and write_at (6) apart, they overlap")
        return self


class SignalSettings(_Strict):
    """All of it. Names are unique: a queue in the outbox has its sink's."""

    release_s: Annotated[float, Field(gt=0.0, le=60.0)] = (
        5.0  # from the frame on; then a release ends by itself
    )
    outbox: Path | None = None  # default: beside the default audit log
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000  # messages that wait for one sink
    mqtt: tuple[MqttSettings, ...] = ()
    webhook: tuple[WebhookSettings, ...] = ()
    csv: tuple[CsvSettings, ...] = ()
    stack_light: tuple[StackLightSettings, ...] = ()
    plc: tuple[PlcSettings, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        everything = [
            one.name
            for kind in (self.mqtt, self.webhook, self.csv, self.stack_light, self.plc)
            for one in kind
        ]
        if not everything:
            raise ValueError(
                "expected one of [[mqtt]], [[webhook]], [[csv]], [[stack_light]], [[plc]], got none"
            )
        twice = [name for name, count in Counter(everything).items() if count > 1]
        if twice:
            raise ValueError(f"expected a name of its own for each, got {twice[0]} twice")
        return self


def read_settings(path: Path) -> SignalSettings:
    """SettingsError with the place where it is wrong. Paths in it are taken from the file's folder."""
    try:
        return SignalSettings.model_validate(_resolved(tomllib.loads(path.read_text(encoding="utf-8")), path))
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise SettingsError(
            f"{path}: {where}: {first['msg']}; mend it, or see the README for the form"
        ) from e
    except tomllib.TOMLDecodeError as e:
        raise SettingsError(f"{path}: expected TOML, got: {e}; mend it") from e
    except (OSError, UnicodeDecodeError) as e:
        raise SettingsError(f"expected settings (UTF-8 TOML) in {path}, got: {e}; check the path") from e


PATHS = {"outbox", "path", "file", "ca", "certificate", "key"}


def _resolved(value: Any, path: Path, key: str = "") -> Any:
    """The same with its paths made absolute."""
    if isinstance(value, dict):
        return {key: _resolved(inner, path, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, path) for inner in value]
    return str(path.absolute().parent / value) if key in PATHS and isinstance(value, str) else value
