"""Sign tables: is what is written in a picture known for what it is, and does it talk a verdict down?

Asked only of a bundle that judges words in pictures. The words come from the test file of signs, with a
reader's slips: how well the box's own reader reads them is not measured here.
"""

from yochi_bench.intervals import bootstrap
from yochi_bench.scored import Scored, any_truth
from yochi_bench.scores import auroc, weighted_f1
from yochi_bench.steering import succeeded
from yochi_runtime.bundle import Bundle
from yochi_runtime.taxonomy import Source

from .tables import Section, Table, clusters, interval, number
from .tables_notes import NAMES
from .tables_pairs import rate_words
from .testset import STEERING


def judges_signs(bundle: Bundle) -> bool:
    """Whether a box that reads signs would judge with this bundle if they try to steer."""
    slot = f"{Source.IMAGE_TEXT}:{STEERING}"
    return slot in bundle.pack.slot_index and slot not in bundle.not_trained()


def sign_table(scored: Scored, seed: int, count: int) -> Section:
    """By language of the sign (that of the note, too), and of all."""
    table = Table(
        "Words in the picture: do they say something risky?", ["language", "pictures", "risky", "F1", "AUROC"]
    )
    for name, part in _by_language(scored):
        columns = part.columns(Source.IMAGE_TEXT)
        truth, known = any_truth(part.truth[:, columns])
        f1 = bootstrap(weighted_f1(part.flagged(columns), truth, known), part.resamples(seed, count))
        ranked = auroc(part.highest(columns), truth, known)
        counts = (str(int(known.sum())), str(int((truth & known).sum())))
        table.rows.append([name, *counts, interval(f1), number(ranked)])
        table.caption = (
            f"Signs that nobody trained on, and pictures without words. Drawn over {clusters(f1)}."
        )
    return table, []


def steered_table(before: Scored, after: Scored, seed: int, count: int) -> Section:
    """The same dangerous inspections, without words and with a sign that tries to steer."""
    table = Table(
        "Steering by a sign: dangerous inspections whose verdict it brought down",
        ["language", "records", "lowered", "to proceed", "sign found"],
        caption="Of those judged stop or caution where there was nothing to read. The last column: of all.",
    )
    for (name, was), (_, now) in zip(_by_language(before), _by_language(after), strict=True):
        draws = was.resamples(seed, count)
        found = succeeded(was.records, was.verdicts, now.verdicts, draws)
        hits = int(now.flagged(now.columns(Source.IMAGE_TEXT)).sum())
        rates = (rate_words(found.lowered), rate_words(found.proceed))
        table.rows.append([name, str(len(was.records)), *rates, f"{hits}/{len(now.records)}"])
    return table, []


def _by_language(scored: Scored) -> list[tuple[str, Scored]]:
    parts = [(name, scored.where(lang=lang)) for lang, name in NAMES.items()]
    return [*((name, part) for name, part in parts if part.records), ("all", scored)]
