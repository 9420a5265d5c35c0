"""Yochi beside llama-server on the same stock model, both seeing, in turn: a new frame each, then new notes
on the last frame. In one run, so that both meet the same machine.

What is compared is a judgement with one factor: every slot read, against the shortest JSON that says a
verdict and a factor, forced to its number of tokens; and against one token, which says a verdict alone.
"""

from collections.abc import Mapping, Sequence

from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import UsageError

from .peer_process import ASK, NOTE
from .peer_seeing import forced_tokens, shortest_answer
from .peer_settings import PeerName
from .peers import PEAK, Answers, PeerProcess, interleaved
from .percentiles import percentile, summary
from .report import Column, Number, Row, Table, measured
from .timed import COLUMNS
from .workload import Asked

SEEING = (PeerName.YOCHI, PeerName.SERVER_JSON, PeerName.SERVER_TOKEN)
STATES = {ASK: ("new_frame", "A new frame"), NOTE: ("new_note", "The same frame and a new note")}
TO_VERDICT, AGAINST = "to the verdict", "times yochi"
_MORE = (
    Column(id=TO_VERDICT, unit="ms", better="lower"),
    Column(id="tokens written", unit="tokens"),
    Column(id=AGAINST, unit="1"),
)


def check_asked(names: Sequence[PeerName], asked: Asked) -> None:
    """UsageError for a peer that cannot see, and where there is no other note to ask for."""
    blind = [name for name in names if name not in SEEING]
    if blind:
        raise UsageError(
            f"expected peers that can see a stock model's picture ({', '.join(SEEING)}), got {blind[0]}"
        )
    if len(asked.notes) < 2:
        raise UsageError("expected at least two different notes, got one; give another --note")


def ask_seeing(peers: Sequence[PeerProcess], warmup: int, count: int) -> dict[str, dict[str, Answers]]:
    """By state, then by peer; the first `warmup` of each state are not counted."""
    return {state: interleaved(peers, warmup, count, state) for state in STATES}


def seeing_tables(
    answers: Mapping[str, Mapping[str, Answers]], peaks: Mapping[str, Number], absent: Mapping[str, str]
) -> list[Table]:
    """A table for each state, nulls with their reason for the `absent`."""
    return [_table(state, of_state, peaks, absent) for state, of_state in answers.items()]


def _table(
    state: str, answers: Mapping[str, Answers], peaks: Mapping[str, Number], absent: Mapping[str, str]
) -> Table:
    name, title = STATES[state]
    columns = (*COLUMNS, *_MORE, PEAK)
    rows = [Row(id=peer, cells={c.id: measured(None, why) for c in columns}) for peer, why in absent.items()]
    for peer, own in answers.items():
        cells = {
            **summary(own.ms),
            TO_VERDICT: percentile(own.to_verdict or own.ms, 0.5),
            "tokens written": measured(sum(own.tokens) / len(own.tokens), n=len(own.tokens)),
            AGAINST: _against(own, answers.get(PeerName.YOCHI)),
            "peak": peaks[peer],
        }
        rows.append(Row(id=peer, cells=cells))
    return Table(
        id=name,
        title=title,
        columns=columns,
        rows=tuple(sorted(rows, key=lambda row: list(PeerName).index(PeerName(row.id)))),
        caption=f"ms of a whole answer, yochi's with the search for evidence; {TO_VERDICT}: its median "
        f"without. {AGAINST}: the median of a whole answer over yochi's to the verdict.",
    )


def _against(own: Answers, yochi: Answers | None) -> Number:
    if yochi is None:
        return measured(None, "expected yochi beside it, it was not asked; give --peer yochi")
    theirs, ours = percentile(own.ms, 0.5), percentile(yochi.to_verdict, 0.5)
    if theirs.value is None or ours.value is None:
        return measured(None, theirs.reason or ours.reason)
    return measured(theirs.value / ours.value, n=len(own.ms))


def seeing_note(bundle: Bundle) -> str:
    """What is said beside the tables."""
    return (
        f"server-json is forced to {forced_tokens(bundle)} tokens, as many as {shortest_answer(bundle.pack)} "
        "has. Of a picture that fits into one tile of Idefics3's or SmolVLM's eyes llama-server makes two "
        "(the tile, and an overview of the same pixels) and pays for both; Yochi shows the overview alone, "
        "as transformers does in training."
    )
