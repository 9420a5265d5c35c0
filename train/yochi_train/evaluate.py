"""`yochi-train evaluate`: what a bundle reaches on held-out pictures and hand-written notes.

Judged on the box's own runtime. Writes `evaluation.json` (tables, bars, languages) and `evaluation.md`.
Nothing here is fitted to the test split.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from yochi_bench.answers import blind as no_picture
from yochi_bench.scored import as_the_box, refused, score
from yochi_runtime.bundle import CALIBRATION, GLOSSARY, LORA, PACK, TOKENIZER, VISION, Bundle
from yochi_runtime.opening import read_bundle
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import sha256_text

from .answers import Answers, from_bundle
from .features import Features, encode_folder
from .pictures import Picture, read_photos, read_pictures
from .tables import Bar, Section, Table, bars_met, markdown
from .tables_notes import note_tables
from .tables_order import order_table, turned, turned_back
from .tables_pairs import combination_table, verdict_table
from .tables_pictures import cross_set_table, cue_table
from .tables_scenes import flip_table, pointing_table, scene_pairs
from .testset import TestSet, blind, few

COMMAND = "yochi-train evaluate BUNDLE RECORDS OUT --photos PHOTOS --features CACHE"
BLIND, TURNED, SCENES = "image-blind", "notes-turned", "scenes"  # sets that are asked in a way of their own
# The files of a bundle that the numbers depend on.
JUDGING = (VISION, LORA, TOKENIZER, GLOSSARY, PACK, CALIBRATION)


@dataclass
class Report:
    """evaluation.json. `evaluated`: hashes of what was scored; `whole`: not just a part of the sets."""

    command: str
    evaluated: dict[str, str]
    whole: bool
    tables: list[Table] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    languages: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Draws:
    """How intervals are made."""

    seed: int
    resamples: int


def evaluate_bundle(
    bundle: Path,
    records: Path,
    out: Path,
    photos: Path,
    features: Path,
    *,
    seed: int,
    resamples: int,
    per_set: int | None = None,
    pack_folder: Path | None = None,
) -> str:
    """Score `bundle` on the test split of `records`; returns the tables as text.

    `pack_folder` has the test notes of the bundle's pack (None: factory). `per_set` takes at most so many
    records of each set, and pictures: that the road is open, no evidence.
    """
    opened = read_bundle(bundle)
    pictures = read_pictures(records / "pictures.jsonl")
    built = TestSet(pictures, opened.pack, seed, pack_folder).build()
    sets = {name: few(rows, per_set) for name, rows in built.items()}
    sets[BLIND], sets["note-blind"] = sets["combinations"], blind(sets["combinations"])
    out.mkdir(parents=True, exist_ok=True)
    scored = {}
    for name, rows in sets.items():
        scored[name] = score(opened, rows, _answers(bundle, name, rows, photos, out))
    asked = _answers(bundle, TURNED, sets["notes"], photos, out)
    in_turn = score(opened, sets["notes"], turned_back(asked, opened.pack))
    cached = encode_folder(photos, [p.image for p in read_photos(photos)], features)
    draws = Draws(seed, resamples)
    report = Report(_command(seed, resamples, per_set), judging_hashes(opened), per_set is None)
    train = [p for p in pictures if p.split == "train"]
    test = few([p for p in pictures if p.split == "test" and not p.pair], per_set)
    checked = few([p for p in pictures if p.by_eye and p.split != "train"], per_set)
    of_test = _answers(bundle, "pictures", [picture_record(p) for p in test], photos, out)
    of_checked = _answers(bundle, "checked", [picture_record(p) for p in checked], photos, out)
    cue = cue_table(opened, train, test, of_test, cached, "photos", draws.seed, draws.resamples)
    for table, bars in (cue, cross_set_table(opened, of_checked, checked)):
        report.tables.append(table)
        report.bars += bars
    notes, report.languages = note_tables(scored["notes"], draws.seed, draws.resamples)
    for table, bars in (
        *notes,
        verdict_table(
            as_the_box(scored["verdicts"], report.languages, refused(sets["verdicts"], photos)),
            draws.seed,
            draws.resamples,
        ),
        combination_table(scored, draws.seed, draws.resamples),
        order_table(scored["notes"], in_turn),
        *_scene_tables(bundle, pictures, cached, photos, out, draws, per_set),
    ):
        report.tables.append(table)
        report.bars += bars
    return _write(report, out)


def _scene_tables(
    bundle: Path,
    pictures: Sequence[Picture],
    features: Features,
    photos: Path,
    out: Path,
    draws: Draws,
    per_set: int | None,
) -> list[Section]:
    """None where no minimal pair is held out."""
    pairs = few(scene_pairs([p for p in pictures if p.split == "test"]), per_set)
    if not pairs:
        return []
    shown = [picture for pair in pairs for picture in pair]
    rows = [picture_record(picture) for picture in shown]
    answers = _answers(bundle, SCENES, rows, photos, out)
    if answers.cells is None:
        raise ValueError("expected the cells' scores of scenes, got none")
    opened = read_bundle(bundle)
    made = score(opened, rows, answers)
    train = [p for p in pictures if p.split == "train"]
    return [
        cue_table(opened, train, shown, answers, features, "scenes", draws.seed, draws.resamples),
        flip_table(made, shown, draws.seed, draws.resamples),
        pointing_table(made, shown, answers.cells, photos, draws.seed, draws.resamples),
    ]


def judging_hashes(bundle: Bundle) -> dict[str, str]:
    """sha256 of each file that a verdict depends on, and of the base language model."""
    files = {name: bundle.manifest.files[name].sha256 for name in JUDGING}
    return {**files, "base": bundle.manifest.base.sha256}


def _command(seed: int, resamples: int, per_set: int | None) -> str:
    options = f"--seed {seed} --resamples {resamples}" + ("" if per_set is None else f" --per-set {per_set}")
    return f"{COMMAND} {options}"


def _answers(bundle: Path, name: str, rows: Sequence[Record], photos: Path, out: Path) -> Answers:
    """Cached beside the report under what answers and what is asked, so that a killed evaluation goes on.

    Calibration is not in the key: it is applied to the answers, and another one asks nothing again.
    """
    opened = read_bundle(bundle)
    hashes = {k: v for k, v in judging_hashes(opened).items() if k != CALIBRATION}
    manifest = opened.manifest
    engine = json.dumps([hashes, manifest.prompt.model_dump(), manifest.preparation], sort_keys=True)
    asked = sha256_text(json.dumps([(row.image, row.note) for row in rows]))
    file = out / "answers" / f"{sha256_text(engine)[:16]}-{name}-{asked[:16]}.npz"
    if file.exists():
        return Answers.load(file)
    file.parent.mkdir(exist_ok=True)
    pack = turned(opened.pack) if name == TURNED else None
    answers = from_bundle(
        bundle, rows, photos, shown=no_picture if name == BLIND else None, pack=pack, cells=name == SCENES
    )
    answers.save(file)
    return answers


def picture_record(picture: Picture) -> Record:
    """The picture with an all but empty note, which its cue slots cannot see."""
    return Record.model_validate(
        {
            "id": picture.image,
            "image": picture.image,
            "note": "-",
            "lang": "en",
            "kind": "harmless",
            "slots": picture.slots,
            "verdict": None,
            "picture_group": picture.group,
            "templates": ("none",),
            "split": picture.split,
        }
    )


def _write(report: Report, out: Path) -> str:
    text = markdown(report.command, report.tables, report.bars)
    (out / "evaluation.md").write_text(text, encoding="utf-8")
    body = json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"
    (out / "evaluation.json").write_text(body, encoding="utf-8")
    return f"{text}\n{bars_met(report.bars)}"
