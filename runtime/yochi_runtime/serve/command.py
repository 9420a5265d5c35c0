"""What `yochi serve` is given, checked and put together."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..audit.log import NONE, default_log, open_log
from ..errors import UsageError
from ..installed import bundles_folder
from ..judge import Judge
from ..mode import Mode
from ..opening import check_enforceable
from ..rules_in_force import rules_in_force
from ..run import NoteSource, gates_for
from ..signalling import open_signals
from .access import ADMIN_VARIABLE, TOKEN_VARIABLE, Access, is_loopback, read_token
from .app import make_app
from .desk import Desk
from .kept import KeptFile
from .live import CameraSettings, Live
from .notify import ALIVE, Notifier
from .page_routes import read_notes
from .server import Server, Tls, bind
from .service import Service, Settings


@dataclass(frozen=True)
class Network:
    """Where it listens, and for whom."""

    host: str
    port: int
    token_file: Path | None
    admin_token_file: Path | None
    certificate: Path | None
    key: Path | None

    def access(self) -> Access:
        admin = read_token(self.admin_token_file, variable=ADMIN_VARIABLE)
        return Access(self.host, read_token(self.token_file), admin)

    def tls(self) -> Tls | None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError(
                "expected certificate and key for TLS, got one of them; give --tls-cert and --tls-key"
            )
        return None if self.certificate is None or self.key is None else Tls(self.certificate, self.key)


@dataclass(frozen=True)
class Camera:
    """The camera that is judged all the time; the others need `uri`."""

    uri: str | None
    note: str | None
    note_file: Path | None
    every: float  # seconds
    reference: str | None

    def source(self) -> NoteSource | None:
        """The note to begin with; UsageError where camera and note do not come together."""
        given = [self.note, self.note_file, self.reference]
        if self.uri is None:
            if any(value is not None for value in given):
                raise UsageError("expected a camera for note and reference, got none; give --camera URI")
            return None
        return NoteSource(self.note, self.note_file)


@dataclass(frozen=True)
class Judging:
    """What it judges with, and within which limits."""

    bundle: Path | None
    audit: str | None
    keep_frames: bool
    blur_faces: bool
    threads: int | None
    rules: Path | None
    zone: str | None
    mode: Mode | None  # None: as it was left, at first advise
    waiting: int
    deadline: float  # seconds
    valid: float  # seconds
    notes: Path | None  # for the page's keys
    signals: Path | None  # where they go to


def serve(network: Network, camera: Camera, judging: Judging) -> None:
    """Until it is interrupted. UsageError where what was given cannot be meant."""
    access, tls, source = network.access(), network.tls(), camera.source()
    if judging.audit == NONE:
        raise UsageError(
            'expected an audit log, which feedback and history need, got "none"; give --audit DB'
        )
    if judging.valid <= camera.every:
        raise UsageError(
            f"expected verdicts that hold longer than the {camera.every:g} s between them, got --valid "
            f"{judging.valid:g}; raise it"
        )
    log_file = default_log() if judging.audit is None else Path(judging.audit)
    log = open_log(judging.audit, keep_frames=judging.keep_frames, blur_faces=judging.blur_faces)
    kept = KeptFile(log_file)
    mode = judging.mode or kept.kept.mode or Mode.ADVISE
    check_enforceable(mode, judging.bundle)
    if judging.signals is not None and camera.uri is None:
        raise UsageError("expected a camera, whose judgements the signals are, got none; give --camera URI")
    rules = rules_in_force(judging.rules, judging.zone, judging.bundle, _say)
    notes, bundles = read_notes(judging.notes), None if judging.bundle is not None else bundles_folder()
    settings = Settings(
        log_file, access, judging.waiting, judging.deadline, judging.valid, rules, notes, bundles
    )
    opens = partial(Judge.open, judging.bundle, threads=judging.threads)
    service = Service(settings, Desk(opens, log, partial(Notifier(), ALIVE), mode=mode), kept)
    gates = None if camera.uri is None else gates_for(camera.uri, camera.reference)
    bound = bind(network.host, network.port)
    with open_signals(judging.signals, mode, _say, every=camera.every, valid=judging.valid) as signals:
        if camera.uri is not None and source is not None and gates is not None:
            followed = CameraSettings(camera.uri, camera.every, judging.valid, rules, signals)
            service.live = Live(service.desk, gates, source, followed, service.metrics.given)
        service.metrics.follow(signals)
        server = Server(make_app(service), service, tls)
        if judging.mode is None and mode is not Mode.ADVISE:
            _say(f"mode {mode}, to which it was changed; --mode sets another")
        _announce(network, tls, bound.getsockname()[1])
        server.serve(bound)


def _announce(network: Network, tls: Tls | None, port: int) -> None:
    host = f"[{network.host}]" if ":" in network.host else network.host
    _say(f"{'http' if tls is None else 'https'}://{host}:{port}")
    if tls is None and not is_loopback(network.host):
        _say(
            f"without TLS everybody in the network can read {TOKEN_VARIABLE} and pictures; "
            "give --tls-cert and --tls-key"
        )


def _say(line: str) -> None:
    print(f"yochi: {line}", file=sys.stderr, flush=True)
