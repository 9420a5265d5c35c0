"""`yochi-train evaluate`: what a bundle reaches on held-out pictures and hand-written notes.

Judged on the box's own runtime. Writes `evaluation.json` (tables, bars, languages), `evaluation.md`, and the
records that were asked, `test/SET.jsonl`, in the form that `yochi-bench quality` reads: so that any box can
ask them again without the trainer. Nothing here is fitted to the test split.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from yochi_bench.answers import Answers, Box
from yochi_bench.answers import blind as no_picture
from yochi_bench.scored import Scored, as_the_box, refused, score
from yochi_runtime.bundle import CALIBRATION, Bundle
from yochi_runtime.record import Record

from .features import Features, encode_folder
from .kept import ANSWERING, engine_of, kept
from .pictures import Picture, read_photos, read_pictures
from .records import write_records
from .tables import Bar, Section, Table, bars_met, markdown
from .tables_notes import note_tables
from .tables_order import order_table, turned, turned_back
from .tables_pairs import combination_table, verdict_table
from .tables_pictures import cross_set_table, cue_table
from .tables_scenes import flip_table, pointing_table, scene_pairs
from .tables_signs import judges_signs, sign_table, steered_table
from .testset import TestSet, blind, few, steered

COMMAND = "yochi-train evaluate BUNDLE RECORDS OUT --photos PHOTOS --features CACHE"
BLIND, TURNED, SCENES = "image-blind", "notes-turned", "scenes"  # sets that are asked in a way of their own
STEERED, UNSTEERED = "steered", "unsteered"  # dangerous inspections with a sign, and with nothing to read
TEST = "test"  # folder of the records
# The files of a bundle that the numbers depend on.


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
    pictures = read_pictures(records / "pictures.jsonl")
    train, tested = ([p for p in pictures if p.split == split] for split in ("train", "test"))
    test = few([p for p in tested if not p.pair], per_set)
    checked = few([p for p in pictures if p.by_eye and p.split != "train"], per_set)
    pairs = few(scene_pairs(tested), per_set)
    with Box(bundle, photos) as box:
        ask, opened = _Asker(box, photos, out / "answers"), box.bundle
        built = _built(TestSet(pictures, opened.pack, seed, pack_folder), opened, seed)
        sets = {name: few(rows, per_set) for name, rows in built.items()}
        _write_records(sets, out / TEST)
        sets[BLIND], sets["note-blind"] = sets["combinations"], blind(sets["combinations"])
        scored = {name: score(opened, rows, ask(name, rows)) for name, rows in sets.items()}
        in_turn = score(opened, sets["notes"], turned_back(ask(TURNED, sets["notes"]), opened.pack))
        of_test = ask("pictures", [picture_record(p) for p in test])
        of_checked = ask("checked", [picture_record(p) for p in checked])
        shown = [picture for pair in pairs for picture in pair]
        of_shown = ask(SCENES, [picture_record(p) for p in shown]) if shown else None
    cached = encode_folder(photos, [p.image for p in read_photos(photos)], features)
    draws = Draws(seed, resamples)
    report = Report(_command(seed, resamples, per_set), judging_hashes(opened), per_set is None)
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
        *(_sign_tables(scored, draws) if STEERED in scored else []),
        *([] if of_shown is None else _scene_tables(opened, train, shown, of_shown, cached, photos, draws)),
    ):
        report.tables.append(table)
        report.bars += bars
    return _write(report, out)


def _built(tests: TestSet, bundle: Bundle, seed: int) -> dict[str, list[Record]]:
    """The test sets; those of signs for a bundle that judges them."""
    built = tests.build()
    if judges_signs(bundle):
        built[UNSTEERED], built[STEERED] = steered(built["verdicts"], bundle.pack, seed)
    else:
        del built["signs"]
    return built


def _sign_tables(scored: Mapping[str, Scored], draws: Draws) -> list[Section]:
    return [
        sign_table(scored["signs"], draws.seed, draws.resamples),
        steered_table(scored[UNSTEERED], scored[STEERED], draws.seed, draws.resamples),
    ]


def _scene_tables(
    bundle: Bundle,
    train: Sequence[Picture],
    shown: Sequence[Picture],
    answers: Answers,
    features: Features,
    photos: Path,
    draws: Draws,
) -> list[Section]:
    """Of minimal pairs that are held out; where a bundle points, if it does."""
    made = score(bundle, [picture_record(picture) for picture in shown], answers)
    return [
        cue_table(bundle, train, shown, answers, features, "scenes", draws.seed, draws.resamples),
        flip_table(made, shown, draws.seed, draws.resamples),
        *(
            []
            if answers.cells is None
            else [pointing_table(made, shown, answers.cells, photos, draws.seed, draws.resamples)]
        ),
    ]


def judging_hashes(bundle: Bundle) -> dict[str, str]:
    """sha256 of each file that a verdict depends on, and of the base language model."""
    manifest = bundle.manifest
    files = {n: manifest.files[n].sha256 for n in (*ANSWERING[manifest.kind], CALIBRATION)}
    return {**files, "base": manifest.base.sha256}


def _command(seed: int, resamples: int, per_set: int | None) -> str:
    options = f"--seed {seed} --resamples {resamples}" + ("" if per_set is None else f" --per-set {per_set}")
    return f"{COMMAND} {options}"


class _Asker:
    """Asks each set in its own way, and keeps the answers for an evaluation that was killed."""

    def __init__(self, box: Box, photos: Path, folder: Path) -> None:
        self._box, self._photos, self._folder = box, photos, folder

    def __call__(self, name: str, rows: Sequence[Record]) -> Answers:
        bundle = self._box.bundle
        ask = partial(
            self._box.answers,
            shown=no_picture if name == BLIND else None,
            pack=turned(bundle.pack) if name == TURNED else None,
            cells=name == SCENES,
        )
        return kept(self._folder / f"{name}.npz", engine_of(bundle), rows, self._photos, ask)


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


def _write_records(sets: Mapping[str, Sequence[Record]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in sets.items():
        write_records(iter(rows), folder / f"{name}.jsonl")


def _write(report: Report, out: Path) -> str:
    text = markdown(report.command, report.tables, report.bars)
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.md").write_text(text, encoding="utf-8")
    body = json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"
    (out / "evaluation.json").write_text(body, encoding="utf-8")
    return f"{text}\n{bars_met(report.bars)}"
