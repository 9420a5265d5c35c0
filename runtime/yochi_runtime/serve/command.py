"""What `yochi serve` is given, checked and put together."""

import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..audit.log import NONE, default_log, open_log
from ..errors import UsageError
from ..installed import bundles_folder
from ..judge import Judge
from ..mode import Mode
from ..opening import check_enforceable
from ..rules_in_force import RulesInForce, rules_in_force
from ..run import NoteSource, gates_for
from ..signalling import open_signals
from ..stream import StreamGates
from .access import ADMIN_VARIABLE, TOKEN_VARIABLE, Access, is_loopback, read_token
from .app import make_app
from .desk import Desk
from .kept import Kept, KeptFile
from .live import CameraSettings, Live
from .made_tokens import MadeTokens, TokensFile
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

    def access(self, made: MadeTokens | None) -> Access:
        """`made`: the box's own tokens, which count where the options name none; that for reading beyond
        localhost alone: a token on localhost would mean a proxy.
        """
        admin = read_token(self.admin_token_file, variable=ADMIN_VARIABLE)
        token = read_token(self.token_file)
        if made is not None:
            admin = admin or made.admin
            token = token or (None if is_loopback(self.host) else made.reading)
        return Access(self.host, token, admin)

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

    def or_chosen(self, kept: Kept) -> "Camera":
        """This, or where no option names a camera the one that was chosen at the first run, with its note."""
        if self.uri is not None or kept.camera is None:
            return self
        note = kept.note if self.note is None and self.note_file is None else self.note
        return replace(self, uri=kept.camera, note=note)

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
    """Until it is interrupted. UsageError where what was given cannot be meant.

    What was chosen at the first run has it put together again, on the same socket, which goes on listening.
    """
    with ExitStack() as stack:
        listening: socket.socket | None = None
        while True:
            box = _put_together(network, camera, judging)
            if listening is None:
                listening = stack.enter_context(bind(network.host, network.port))
                _announce(network, box.tls, listening.getsockname()[1], first_run=box.first_run)
            if not _served(box, judging, listening.dup()):
                return
            judging = replace(judging, mode=box.service.desk.mode)


@dataclass(frozen=True)
class _Box:
    """What is served, and the camera that it follows, with its gates and the note to begin with."""

    service: Service
    camera: Camera
    source: NoteSource | None
    gates: StreamGates | None
    rules: RulesInForce | None
    tls: Tls | None

    @property
    def first_run(self) -> bool:
        return self.camera.uri is None and self.service.settings.access.admin is None


def _put_together(network: Network, camera: Camera, judging: Judging) -> _Box:
    """UsageError where it cannot be."""
    if judging.audit == NONE:
        raise UsageError(
            'expected an audit log, which feedback and history need, got "none"; give --audit DB'
        )
    log_file = default_log() if judging.audit is None else Path(judging.audit)
    log = open_log(judging.audit, keep_frames=judging.keep_frames, blur_faces=judging.blur_faces)
    access, tls = network.access(TokensFile(log_file).read()), network.tls()
    kept = KeptFile(log_file)
    named, camera = camera.uri is not None, camera.or_chosen(kept.kept)
    source = camera.source()
    if judging.valid <= camera.every:
        raise UsageError(
            f"expected verdicts that hold longer than the {camera.every:g} s between them, got --valid "
            f"{judging.valid:g}; raise it"
        )
    mode = judging.mode or kept.kept.mode or Mode.ADVISE
    check_enforceable(mode, judging.bundle)
    if judging.signals is not None and camera.uri is None:
        raise UsageError("expected a camera, whose judgements the signals are, got none; give --camera URI")
    rules = rules_in_force(judging.rules, judging.zone, judging.bundle, _say)
    settings = Settings(
        log_file,
        access,
        judging.waiting,
        judging.deadline,
        judging.valid,
        rules,
        read_notes(judging.notes),
        None if judging.bundle is not None else bundles_folder(),
        named,
    )
    opens = partial(Judge.open, judging.bundle, threads=judging.threads)
    service = Service(settings, Desk(opens, log, partial(Notifier(), ALIVE), mode=mode), kept)
    gates = None if camera.uri is None else gates_for(camera.uri, camera.reference)
    if judging.mode is None and mode is not Mode.ADVISE:
        _say(f"mode {mode}, to which it was changed; --mode sets another")
    return _Box(service, camera, source, gates, rules, tls)


def _served(box: _Box, judging: Judging, bound: socket.socket) -> bool:
    """Until it ends; whether it is to be put together again."""
    service, camera = box.service, box.camera
    opened = open_signals(judging.signals, service.desk.mode, _say, every=camera.every, valid=judging.valid)
    with opened as signals:
        if camera.uri is not None and box.source is not None and box.gates is not None:
            followed = CameraSettings(camera.uri, camera.every, judging.valid, box.rules, signals)
            service.live = Live(service.desk, box.gates, box.source, followed, service.metrics.given)
        service.metrics.follow(signals)
        return Server(make_app(service), service, box.tls).serve(bound)


def _announce(network: Network, tls: Tls | None, port: int, *, first_run: bool) -> None:
    host, scheme = (
        f"[{network.host}]" if ":" in network.host else network.host,
        "http" if tls is None else "https",
    )
    _say(f"{scheme}://{host}:{port}")
    if first_run:
        _say(f"nothing is set up yet; open {scheme}://localhost:{port}/setup on this box")
    if tls is None and not is_loopback(network.host):
        _say(
            f"without TLS everybody in the network can read {TOKEN_VARIABLE} and pictures; "
            "give --tls-cert and --tls-key"
        )


def _say(line: str) -> None:
    print(f"yochi: {line}", file=sys.stderr, flush=True)
