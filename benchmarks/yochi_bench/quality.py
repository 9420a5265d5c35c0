"""How good a bundle judges a set of records: tables, robustness, and whether words can steer it.

The answers come from the box's own engines, in this process; verdicts, gates and the refusal of languages are
the box's. No torch. Nothing is fitted here.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import NoteError, UsageError
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Note
from yochi_runtime.opening import prompt_of
from yochi_runtime.prompt import Prompt
from yochi_runtime.readout import verdict_probabilities
from yochi_runtime.record import Record, read_records
from yochi_runtime.verdict import Verdict

from . import quality_tables as tables
from .answers import Answers, Box
from .minimal_pairs import minimal_pairs_table
from .perturbations import Perturbation, perturbations
from .quality_changes import Changed, robustness_table, steering_table
from .report import Plot, Table, Workload
from .scored import Scored, as_the_box, refused, score
from .scores import Floats
from .selective import above_threshold, wrongly_judged
from .steering import PHRASES, steered_note
from .workload import in_languages

Shown = Callable[[Frame], Frame] | None


@dataclass(frozen=True)
class Settings:
    """`resamples` of every bootstrap; `changed`: records that are asked again, changed, in each way."""

    seed: int
    resamples: int
    changed: int


@dataclass(frozen=True)
class Judges:
    """One bundle on one folder of pictures. `threads` of each engine."""

    bundle: Bundle
    photos: Path
    threads: int

    def ask(self, records: Sequence[Record], shown: Shown = None) -> tuple[Scored, Answers]:
        """What the box would say, gates and languages included. A note that it refuses is `cannot_judge`."""
        prompt = prompt_of(self.bundle)
        read = [_readable(prompt, record) for record in records]
        asked = [r if ok else r.model_copy(update={"note": "-"}) for r, ok in zip(records, read, strict=True)]
        with Box(self.bundle.path, self.photos, self.threads) as box:
            answers = box.answers(asked, shown=shown)
        languages = {lang: lang in self.bundle.manifest.languages for lang in PHRASES}
        blocked = refused(records, self.photos, shown)
        scored = as_the_box(score(self.bundle, records, answers), languages, blocked)
        verdicts = (v if ok else Verdict.CANNOT_JUDGE for v, ok in zip(scored.verdicts, read, strict=True))
        return replace(scored, verdicts=tuple(verdicts)), answers

    def in_proved_languages(self, records: Sequence[Record]) -> list[Record]:
        """All of them where no language is proved: then every number is shown, and every verdict refused."""
        return in_languages(records, self.bundle.manifest.languages)


def _readable(prompt: Prompt, record: Record) -> bool:
    try:
        prompt.note(Note(record.note).text, record.sign)
    except NoteError:
        return False
    return True


@dataclass(frozen=True)
class Quality:
    """For a report."""

    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    notes: tuple[str, ...]


def measure(judges: Judges, records: Sequence[Record], settings: Settings) -> Quality:
    """Every table. UsageError where no record can be scored."""
    asked = judges.in_proved_languages(records)
    if not any(record.verdict for record in asked):
        raise UsageError("expected records with a known verdict, got none; give a test split")
    scored, answers = judges.ask(asked)
    resamples = scored.resamples(settings.seed, settings.resamples)
    danger = verdict_danger(judges.bundle, answers)
    calibration, reliability = tables.calibration_table(scored, danger[:, 0])
    above = _above(judges.bundle, scored, danger)
    selective, curve = _selective(scored, np.abs(above), settings)
    found = [
        tables.rates_table(scored, resamples),
        tables.cells_table(scored, judges.bundle.pack, resamples),
        tables.sources_table(scored, resamples),
        tables.categories_table(scored, resamples),
        tables.cues_table(scored, settings.seed, settings.resamples),
        calibration,
        selective,
        minimal_pairs_table(scored, above, settings.seed, settings.resamples),
        *_changed(judges, scored, settings),
    ]
    left_out = len(records) - len(asked)
    words = f"{left_out} records are left out: the bundle is not proved for the language of their notes."
    return Quality(tuple(found), (reliability, curve), (words,) if left_out else ())


def verdict_danger(bundle: Bundle, answers: Answers) -> Floats:
    """(N, 2): P(caution or stop) and P(stop) of the verdict slot."""
    own = bundle.calibration.verdict
    return np.array([verdict_probabilities(logits, own) for logits in answers.verdict])


def _above(bundle: Bundle, scored: Scored, danger: Floats) -> Floats:
    """(N,): how far what decides stands above its threshold, of everything that can raise a verdict."""
    risks = [i for i, slot in enumerate(scored.slots) if slot.category]
    own = bundle.calibration.verdict
    thresholds = np.array([*scored.threshold[risks], own.threshold_caution, own.threshold_stop])
    return above_threshold(np.concatenate([scored.probability[:, risks], danger], axis=1), thresholds)


def _selective(scored: Scored, sure: Floats, settings: Settings) -> tuple[Table, Plot]:
    """Over the records whose truth is known and which the box judges."""
    rows = [
        i
        for i, record in enumerate(scored.records)
        if record.verdict and scored.verdicts[i] is not Verdict.CANNOT_JUDGE
    ]
    kept = scored.take(rows)
    if not rows:
        raise UsageError("expected records that the box judges, got none; check their pictures")
    wrong = wrongly_judged([r.verdict for r in kept.records], [v.value for v in kept.verdicts])
    return tables.selective_table(sure[rows], wrong, kept.resamples(settings.seed, settings.resamples))


def _changed(judges: Judges, scored: Scored, settings: Settings) -> list[Table]:
    """The same records again, with pictures and notes that are a little worse, and with words that steer."""
    known = [i for i, record in enumerate(scored.records) if record.verdict]
    step = max(1, len(known) // max(1, settings.changed))
    before = scored.take(known[::step][: settings.changed])
    if not before.records:
        return []
    resamples = before.resamples(settings.seed, settings.resamples)
    found = [_ask_changed(judges, before, how) for how in perturbations()]
    words = [steered_note(record, i) for i, record in enumerate(before.records)]
    steered, _ = judges.ask(words)
    return [
        robustness_table(before, found, resamples),
        steering_table(before, steered, resamples),
    ]


def _ask_changed(judges: Judges, before: Scored, how: Perturbation) -> Changed:
    """Only the records that it can change; none is asked where there is none."""
    rows = [
        i
        for i, record in enumerate(before.records)
        if (how.lang or record.lang) == record.lang and (how.note is None or how.asked(record) != record)
    ]
    if not rows:
        return Changed(how, (), None)
    records = [how.asked(before.records[i]) for i in rows]
    after, _ = judges.ask(records, how.shown if how.frame else None)
    return Changed(how, tuple(rows), after)


def read_workload(file: Path, photos: Path) -> tuple[list[Record], Workload]:
    """The records of `file` and what they are with their pictures. UsageError for what cannot be read."""
    records = read_records(file)
    if not records:
        raise UsageError(f"expected records in {file}, found none; give a records file (.jsonl)")
    images = sorted({record.image for record in records})
    whole = hashlib.sha256()
    for image in images:
        path = photos / image
        if not path.is_file():
            raise UsageError(f"expected the picture {path}, found none; give their folder: --photos")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    for record in records:
        whole.update(record.model_dump_json().encode())
    notes = len({record.note for record in records})
    return records, Workload(name=file.name, frames=len(images), notes=notes, sha256=whole.hexdigest())
