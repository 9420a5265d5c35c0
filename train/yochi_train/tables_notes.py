"""Note tables: hand-written notes, per language: is there a risk of this source, and which category."""

import numpy as np
from numpy.typing import NDArray
from yochi_bench.intervals import bootstrap
from yochi_bench.scored import Scored, any_truth
from yochi_bench.scores import auroc, weighted_f1, weighted_macro_f1
from yochi_runtime.taxonomy import Source

from .tables import Section, Table, at_least, clusters, interval, number

SOURCE_F1 = {"en": 0.88, "ja": 0.85}
CATEGORY_F1 = {"en": 0.65, "ja": 0.60}
NOTE_SOURCES = (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT)
NAMES = {"en": "English", "ja": "Japanese"}


def note_tables(scored: Scored, seed: int, count: int) -> tuple[list[Section], dict[str, bool]]:
    """Both tables, and which languages passed all of their bars."""
    risk = Table(
        "Hand-written notes: is there a risk, by source",
        ["language", "source", "notes", "risky", "F1", "AUROC"],
    )
    which = Table(
        "Hand-written notes: which category", ["language", "notes", "macro-F1", "weakest", "strongest"]
    )
    bars, passed = [], {}
    for lang in ("en", "ja"):
        part = scored.where(lang=lang)
        draws = part.resamples(seed, count)
        own = []
        for source in NOTE_SOURCES:
            columns = part.columns(source)
            truth, mask = any_truth(part.truth[:, columns])
            f1 = bootstrap(weighted_f1(part.flagged(columns), truth, mask), draws)
            ranked = auroc(part.highest(columns), truth, mask)
            risky = f"{int((truth & mask).sum())}"
            risk.rows.append(
                [NAMES[lang], source.value, str(int(mask.sum())), risky, interval(f1), number(ranked)]
            )
            own.append(at_least(f"notes {lang}: {source.value} F1", f1.point, SOURCE_F1[lang]))
            risk.caption = f"Drawn over {clusters(f1)}."
        said, truth, mask, names = categories(part)
        macro = bootstrap(weighted_macro_f1(said, truth, mask), draws)
        each = sorted(
            (float(f1_of(said[:, i], truth[:, i], mask[:, i])), name) for i, name in enumerate(names)
        )
        ends = [f"{name} {value:.2f}" for value, name in (each[0], each[-1])]
        which.rows.append([NAMES[lang], str(len(part.records)), interval(macro), *ends])
        own.append(at_least(f"notes {lang}: category macro-F1", macro.point, CATEGORY_F1[lang]))
        bars += own
        passed[lang] = all(bar.met for bar in own)
    return [(risk, []), (which, bars)], passed


def categories(
    part: Scored,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], list[str]]:
    """Said, truth and mask (N, K) by category, whichever of the note's two sources names it."""
    names = list(dict.fromkeys(s.category for s in part.slots if s.source in NOTE_SOURCES and s.category))
    said, truth, mask = [], [], []
    for name in names:
        columns = [i for i, s in enumerate(part.slots) if s.source in NOTE_SOURCES and s.category == name]
        said.append(part.flagged(columns))
        holds, known = any_truth(part.truth[:, columns])
        truth.append(holds)
        mask.append(known)
    return np.stack(said, 1), np.stack(truth, 1), np.stack(mask, 1), names


def f1_of(said: NDArray[np.bool_], truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    hits = (said & truth & mask).sum()
    total = (said & mask).sum() + (truth & mask).sum()
    return 2 * hits / total if total else float("nan")
