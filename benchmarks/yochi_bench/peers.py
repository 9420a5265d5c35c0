"""Yochi beside other ways to ask the same weights, in turn: A B C A B C, so that all meet the same machine.

What a peer is stands in `peer_process`. Speed and memory are compared. Verdicts are not: the weights were
trained to answer slots, and what they write otherwise says nothing of the way in which they are asked.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.verdict import JUDGED, Verdict

from .peer_answers import CONTEXT, LIKELIEST, MOST_TOKENS
from .peer_process import ASK, END
from .peer_settings import PeerName, PeerSettings
from .percentiles import summary
from .report import Column, Number, Row, Table, measured
from .timed import COLUMNS

UNTRAINED = "expected weights that are trained to write answers, these are trained to answer slots"
READERS = (PeerName.YOCHI, PeerName.TORCH)  # they read the slots that the weights were trained for
PEAK = Column(id="peak", unit="bytes", better="lower")
FEWER = (
    "The peers that write see no picture, since the bundle has no mmproj file for llama.cpp: one that sees "
    "it would take longer. torch sees what yochi sees and looks for no evidence."
)


class PeerProcess:
    """A peer's process. EngineError where it cannot answer."""

    def __init__(self, settings: PeerSettings) -> None:
        self.name = settings.peer
        self._open = ExitStack()
        self._errors = self._open.enter_context(
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- by `close`
        )
        self._child = subprocess.Popen(
            [sys.executable, "-m", settings.peer.module, settings.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._open.push(self._child)

    def wait_until_ready(self) -> None:
        self._hear()

    def ask(self, what: str = ASK) -> dict[str, Any]:
        """`ms`, `verdict` and `tokens` of the next question."""
        self._tell(what)
        return self._hear()

    def peak(self) -> Number:
        """Its memory, children included; then it has ended."""
        self._tell(END)
        return Number.model_validate(self._hear()["peak"])

    def _tell(self, word: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(word + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return  # why it ended is found when it is listened to

    def _hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["no word"])[-1]
        raise EngineError(
            Reason.ENGINE_FAILED,
            f"expected an answer from the peer {self.name}, got its end: {last}; leave it out with --peer",
        )

    def close(self) -> None:
        """Ends it, whatever it does."""
        self._child.kill()
        with suppress(BrokenPipeError):
            self._open.close()


def settings_notes(names: Sequence[PeerName], threads: int) -> list[str]:
    """What each was set to, a line a peer."""
    writes = f"context and batch of {CONTEXT} tokens, its prefix kept between questions, temperature 0"
    schema = f"a JSON schema as grammar, at most {MOST_TOKENS} tokens"
    one = f"1 token, log-probabilities of the likeliest {LIKELIEST:,}"
    how = {
        PeerName.YOCHI: "a new frame each time, its slots read, evidence looked for",
        PeerName.JSON: f"{writes}, {schema}, no logits but the last",
        PeerName.TOKEN: f"{writes}, {one}",
        PeerName.CHAT: f"context and batch of {CONTEXT} tokens, nothing kept, temperature 0, {schema}",
        PeerName.SERVER_JSON: f"{writes}, one slot, {schema}",
        PeerName.SERVER_TOKEN: f"{writes}, one slot, {one}",
        PeerName.TORCH: "float32, inference mode, a new frame each time",
    }
    return [f"{name}: {how[name]}; {threads} threads." for name in names]


@contextmanager
def started(settings: Sequence[PeerSettings]) -> Iterator[list[PeerProcess]]:
    """All of them, until the end."""
    with ExitStack() as stack:
        processes = []
        for one in settings:
            process = PeerProcess(one)
            stack.callback(process.close)
            process.wait_until_ready()
            processes.append(process)
        yield processes


@dataclass
class Answers:
    """Of one peer, in the order of the questions."""

    ms: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    verdicts: list[str | None] = field(default_factory=list)
    to_verdict: list[float] = field(default_factory=list)  # ms, where an answer says it beside the whole


def interleaved(peers: Sequence[PeerProcess], warmup: int, count: int, what: str = ASK) -> dict[str, Answers]:
    """Every peer answers a question before any gets the next; the first `warmup` are not counted."""
    found = {peer.name: Answers() for peer in peers}
    for number in range(warmup + count):
        for peer in peers:
            answer = peer.ask(what)
            if number >= warmup:
                found[peer.name].ms.append(answer["ms"])
                found[peer.name].tokens.append(answer["tokens"])
                found[peer.name].verdicts.append(answer["verdict"])
                if "to_verdict_ms" in answer:
                    found[peer.name].to_verdict.append(answer["to_verdict_ms"])
    return {str(name): answers for name, answers in found.items()}


def missing(names: Sequence[PeerName]) -> dict[str, str]:
    """Why some of them cannot be asked here: a package that is not installed."""
    found = {}
    for name in names:
        if name.needs is not None and find_spec(name.needs[0]) is None:
            found[str(name)] = f"expected {name.needs[0]}, found none; {name.needs[1]}"
    return found


def _agreement(name: str, answers: Mapping[str, Answers]) -> Number:
    """With Yochi on the same questions."""
    if name not in READERS:
        return measured(None, UNTRAINED)
    if "yochi" not in answers:
        return measured(None, "expected yochi beside it, it was not asked; give --peer yochi")
    pairs = list(zip(answers["yochi"].verdicts, answers[name].verdicts, strict=True))
    if any(own == Verdict.CANNOT_JUDGE for own, _ in pairs):
        return measured(None, "expected verdicts of yochi, got cannot_judge; the bundle is not proved")
    return measured(sum(own == other for own, other in pairs) / len(pairs), n=len(pairs))


def _valid(name: str, answers: Answers) -> Number:
    """The share that says a verdict. A schema forces untrained weights to: of them it would say nothing."""
    if name not in READERS:
        return measured(None, UNTRAINED)
    judged = sum(verdict in JUDGED for verdict in answers.verdicts)
    return measured(judged / len(answers.verdicts), n=len(answers.verdicts))


def peers_table(answers: dict[str, Answers], peaks: dict[str, Number], absent: Mapping[str, str]) -> Table:
    """A row for each peer; nulls with their reason for those that are `missing`."""
    rows = [
        Row(id=name, cells={c.id: measured(None, why) for c in (*COLUMNS, PEAK)})
        for name, why in absent.items()
    ]
    for name, own in answers.items():
        written = measured(sum(own.tokens) / len(own.tokens), n=len(own.tokens))
        agreement = {} if name == "yochi" else {"agreement": _agreement(name, answers)}
        cells = {
            **summary(own.ms),
            "peak": peaks[name],
            "tokens written": written,
            "valid": _valid(name, own),
            **agreement,
        }
        rows.append(Row(id=name, cells=cells))
    return Table(
        id="peers",
        title="The same weights, asked in several ways",
        columns=(
            *COLUMNS,
            PEAK,
            Column(id="tokens written", unit="tokens"),
            Column(id="valid", unit="1", better="higher"),
            Column(id="agreement", unit="1", better="higher"),
        ),
        rows=tuple(sorted(rows, key=lambda row: list(PeerName).index(PeerName(row.id)))),
        caption="ms of a whole answer, yochi's with the search for evidence; in brackets the early-stopping "
        "estimate. peak: VmHWM of the peer's processes. valid: answers with a verdict.",
    )
