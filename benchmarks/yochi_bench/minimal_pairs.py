"""Pairs of records that differ in one thing, and whose truth differs: does the judge see the one thing?

A dangerous and a safe record with the same picture differ in the note, with the same note in the picture: a
judge that reads one half alone answers both alike and has half of each pair wrong. The third kind is two
near-duplicates of one picture, one with a cue and one without (a scene rendered twice). Contrast sets:
Gardner et al., "Evaluating Models' Local Decision Boundaries via Contrast Sets", Findings of EMNLP 2020
(arXiv 2004.02709), whose consistency (every record of a set judged rightly) is `both right` here, on pairs.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from yochi_runtime.verdict import Verdict

from .intervals import Resamples, bootstrap, linked, resample
from .quality_tables import of_interval
from .report import Column, Number, Row, Table, measured
from .scored import Scored
from .scores import Bools, Floats, weighted_ratio

NO_PAIRS = "expected records that differ in this alone and in truth, got none"
WARNED = (Verdict.CAUTION, Verdict.STOP)


@dataclass(frozen=True)
class Pairs:
    """All pairs of one group: how many there are, and in how many both are right, or the order is."""

    cluster: Hashable  # what its intervals are drawn over
    count: int
    both: float
    ordered: float


def pairs_of(cluster: Hashable, yes: Floats, no: Floats, yes_right: Bools, no_right: Bools) -> Pairs:
    """Every record that has it against every one that has not; a tie in the scores counts one half."""
    below = np.searchsorted(np.sort(no), yes, side="left") + np.searchsorted(np.sort(no), yes, side="right")
    return Pairs(
        cluster,
        count=len(yes) * len(no),
        both=float(yes_right.sum() * no_right.sum()),
        ordered=float(below.sum() / 2),
    )


def minimal_pairs_table(scored: Scored, danger: Floats, seed: int, count: int) -> Table:
    """`danger` (N,): how far a record stands above the threshold that decides, 0 where it is warned of."""
    pictures = [r.picture_group for r in scored.records]
    templates = linked([r.templates for r in scored.records])
    kinds = {
        "another note, same picture": ("pictures", _of_verdicts(scored, danger, "image", pictures)),
        "another picture, same note": ("templates", _of_verdicts(scored, danger, "note", templates)),
        "a cue more, same scene": ("pictures", _of_cues(scored)),
    }
    rows, drawn = [], []
    for name, (what, groups) in kinds.items():
        found = [group for group in groups if group.count]
        draws = resample({what: [g.cluster for g in found]}, seed=seed, count=count) if found else None
        rows.append(Row(id=name, cells=_cells(found, draws)))
        drawn += [f"{draws.clusters[what]} {what}"] if draws else []
    return Table(
        id="minimal_pairs",
        title="Minimal pairs: one thing differs, and with it the truth",
        columns=(
            Column(id="both right", unit="1", better="higher"),
            Column(id="order right", unit="1", better="higher"),
            Column(id="pairs", unit="count"),
        ),
        rows=tuple(rows),
        caption="Both right: the dangerous one warned of and the safe one let pass (of a cue: flagged where "
        "it is, and not where it is not). Order right: the dangerous one stands higher. 95 % intervals, "
        f"bootstrap over {', then '.join(drawn) or 'nothing'}.",
    )


def _cells(found: Sequence[Pairs], draws: Resamples | None) -> dict[str, Number]:
    pairs = sum(group.count for group in found)
    if draws is None:
        none = measured(None, NO_PAIRS, n=0)
        return {"both right": none, "order right": none, "pairs": measured(0)}
    of = [group.count for group in found]
    both, ordered = ([getattr(g, name) for g in found] for name in ("both", "ordered"))
    return {
        "both right": of_interval(bootstrap(weighted_ratio(both, of), draws), pairs),
        "order right": of_interval(bootstrap(weighted_ratio(ordered, of), draws), pairs),
        "pairs": measured(pairs),
    }


def _of_verdicts(scored: Scored, danger: Floats, same: str, clusters: Sequence[int]) -> Iterator[Pairs]:
    """Of records that share the attribute `same`, and the words in the picture; the other half differs."""
    truth = np.array([r.verdict or "" for r in scored.records])
    warned = np.array([v in WARNED for v in scored.verdicts], dtype=bool)
    let_pass = np.array([v is Verdict.PROCEED for v in scored.verdicts], dtype=bool)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i, r in enumerate(scored.records):
        groups[getattr(r, same), r.sign].append(i)
    for of_group in groups.values():
        rows = np.array(of_group)
        yes = rows[np.isin(truth[rows], ("stop", "caution"))]
        no = rows[truth[rows] == "proceed"]
        yield pairs_of(clusters[rows[0]], danger[yes], danger[no], warned[yes], let_pass[no])


def _of_cues(scored: Scored) -> Iterator[Pairs]:
    """Of the different pictures of one group, each once, and every cue that the bundle judges."""
    places = {record.image: i for i, record in reversed(list(enumerate(scored.records)))}
    groups: dict[int, list[int]] = defaultdict(list)
    for i in sorted(places.values()):
        groups[scored.records[i].picture_group].append(i)
    for group, of_group in groups.items():
        rows = np.array(of_group)
        for column, slot in enumerate(scored.slots):
            said = scored.probability[rows, column]
            if slot.cue is None or np.isnan(said).any():
                continue
            truth, flagged = scored.truth[rows, column], said >= scored.threshold[column]
            yes, no = truth == 1, truth == 0
            yield pairs_of(group, said[yes], said[no], flagged[yes], ~flagged[no])
