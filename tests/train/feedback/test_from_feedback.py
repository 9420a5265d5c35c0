"""From a box's log, by way of a signature, to records that `sft` reads and pairs that `rlaif` reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from yochi_runtime.audit.feedback import Feedback
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.heads import HALVES
from yochi_runtime.image import Frame
from yochi_runtime.taxonomy import Pack, pack_text
from yochi_train.features import POOLED, TOKENS
from yochi_train.feedback.pairs import read_pairs
from yochi_train.pictures import read_photos, read_pictures
from yochi_train.records import PACK_NOTES, read_records
from yochi_train.rlaif.assignment import log_probability, of_prompts
from yochi_train.rlaif.given import given_pairs
from yochi_train.rlaif.preference import as_assignments
from yochi_train.sft import train

from tests.runtime.audit.conftest import forge

from ..made import command, fake_cache, tiny_slots
from ..rlaif.rlaif_data import write_rlaif_data
from ..rlaif.rounds_run import made, report, run
from ..sft_data import settings_of as sft_settings
from .feedback_log import NOTES, TAKEN, fill_in, frames_of, judged, rows_of, write_log

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    root = write_rlaif_data(tmp_path_factory.mktemp("feedback"), pack)
    (root / "records" / "pack.toml").write_text(pack_text(), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def log(data: Path) -> Path:
    return write_log(data / "audit.db", frames_of(data / "photos"))


@pytest.fixture(scope="module")
def signed(log: Path, data: Path) -> Path:
    assert command(["records", "from-feedback", str(log), str(data / "review"), "--review"]) == 0
    return fill_in(data / "review" / "review.csv", TAKEN)


@pytest.fixture(scope="module")
def joined(log: Path, signed: Path, data: Path) -> Path:
    """Behind the records and photos of the drawn set, with the cache of their features gone on."""
    onto = ["--onto", str(data / "records"), "--photos", str(data / "photos")]
    words = ["records", "from-feedback", str(log), str(data / "joined"), "--signed", str(signed), *onto]
    assert command(words) == 0
    return data / "joined"


def ask(*words: object) -> int:
    return command(["records", "from-feedback", *map(str, words)])


def test_the_review_shows_what_was_judged_and_proposes_what_was_meant(signed: Path) -> None:
    rows = {int(row["row"]): row for row in rows_of(signed)}
    assert [rows[n]["verdict"] for n in (1, 2, 3, 4)] == ["proceed", "stop", "", "proceed"]
    assert [rows[n]["note"] for n in (1, 2, 3, 4)] == list(NOTES)
    assert set(rows[2]["flagged"].split()) == {"cue:forklift", "cue:no_hard_hat"}
    assert rows[2]["comment"] == "'=he was under the load", "no formula for the spreadsheet"
    page = (signed.parent / "review.html").read_text("utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == 4
    assert "should be stop" in page
    assert "script" not in page


def test_what_was_signed_becomes_records_in_packs_behind_the_others(joined: Path, data: Path) -> None:
    """By hand: rows 1 and 2 share a picture, so they take turns in its pack of eight; row 4 fills its own."""
    old = read_records(data / "records" / "train.jsonl")
    records = read_records(joined / "train.jsonl")
    assert records[: len(old)] == old
    ours = records[len(old) :]
    assert [r.note for r in ours] == [NOTES[0], NOTES[1]] * 4 + [NOTES[3]] * 8
    assert len({r.id for r in ours}) == 2 * PACK_NOTES
    assert len({r.image for r in ours}) == 2
    right, corrected, fine = ours[0], ours[1], ours[8]
    assert (right.verdict, corrected.verdict, fine.verdict) == ("proceed", "stop", "proceed")
    assert right.slots["note_content:fall"] == 0, "proceed says that no risk holds"
    assert corrected.slots["combination:load"] == 1
    assert "note_content:fall" not in corrected.slots, "nobody said"
    assert corrected.slots["cue:no_hard_hat"] == 0, "a cue is of the picture, and so of all its notes"
    assert "cue:forklift" not in right.slots, "neutral cues stay unknown"
    assert corrected.kind == "combination"
    pictures = read_pictures(joined / "pictures.jsonl")
    assert len({p.group for p in pictures[-2:]} & {p.group for p in pictures[:-2]}) == 0
    photos = read_photos(joined)
    assert all((joined / photo.image).is_file() for photo in photos)
    assert [p.image for p in photos[:16]] == [p.image for p in read_photos(data / "photos")]


def test_alone_it_is_a_valid_folder_of_records(
    log: Path, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(log, tmp_path / "alone", "--signed", signed) == 0
    assert command(["records", "validate", str(tmp_path / "alone"), "--photos", str(tmp_path / "alone")]) == 0
    assert "16 records, 2 pictures: 0 bad rows" in capsys.readouterr().out


def test_a_correction_is_a_pair_and_what_was_right_is_none(joined: Path) -> None:
    pairs = read_pairs(joined)
    assert [(p.worst.verdict, p.best.verdict) for p in pairs] == [("caution", "stop"), ("stop", "proceed")]
    up, down = pairs
    assert set(up.worst.said) == {"cue:forklift", "cue:no_hard_hat"}
    assert set(up.best.said) == {"cue:forklift", "cue:no_hard_hat", "combination:load"}
    assert down.best.said == ("cue:person",), "the risk that was flagged is taken out, the neutral cue stays"


def cached(joined: Path, data: Path) -> Path:
    """The others' features, gone on with noise for the new pictures: nothing is encoded in a test."""
    images = [photo.image for photo in read_photos(joined)]
    folder = joined.parent / "features-joined"
    if not folder.exists():
        fake_cache(folder, images)
        held = np.fromfile(data / "features" / "tokens.f16", np.float16).reshape(16, TOKENS, -1)
        assert held.shape[2] * 2 * TOKENS * len(images) == (folder / "tokens.f16").stat().st_size
        assert (folder / "pooled.f32").stat().st_size == 4 * POOLED * len(images)
    return folder


def test_sft_learns_from_the_folder(joined: Path, data: Path, tmp_path: Path) -> None:
    settings = sft_settings(
        data, records=joined, photos=joined, features=cached(joined, data), steps=2, packs=2
    )
    train(settings, tiny_slots(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_rlaif_learns_the_pairs_in_their_direction(joined: Path, data: Path, tmp_path: Path) -> None:
    changes = {"records": joined, "photos": joined, "features": cached(joined, data), "feedback": True}
    run_of = made(data, tmp_path / "one", sft_weight=0.0, lora_rate=1e-3, **changes)
    whole = given_pairs(joined, run_of.records, run_of.policy, run_of.questions)
    assert [pair.best.score for pair in whole] == [1.0, 1.0]
    pack = [[run_of.records[whole[0].record]]]
    answers, reference = as_assignments(whole[:1], run_of.questions)

    def chosen() -> torch.Tensor:
        with torch.no_grad():
            read = of_prompts(run_of.policy.read(pack, run_of.policy.images(pack)), pack)
            return log_probability(*read, run_of.questions, answers)

    torch.testing.assert_close(chosen(), reference)
    before = chosen()
    line = run_of.train_step([whole[:1]])
    after = chosen()
    assert line["dpo"] == pytest.approx(0.693147, abs=1e-4)
    assert float((after - before)[0, 0]) > float((after - before)[0, 1])
    run(data, tmp_path / "two", rounds=1, **changes)
    assert report(tmp_path / "two")["rounds"][0]["given"] == 2
    assert "pairs.json" in json.loads((tmp_path / "two" / "run.json").read_text("utf-8"))["data"]


def test_what_is_in_the_records_already_is_not_learned_twice(
    log: Path, signed: Path, joined: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["--onto", joined, "--photos", joined]
    assert ask(log, tmp_path / "again", "--signed", signed, *again) == 0
    assert "0 judgements on 0 pictures, 3 more are in it already, 0 preference" in capsys.readouterr().out
    assert len(read_records(tmp_path / "again" / "train.jsonl")) == 32
    assert len(read_pairs(tmp_path / "again")) == 2, "the pairs of before stay"
    assert all((tmp_path / "again" / photo.image).is_file() for photo in read_photos(tmp_path / "again"))


def copied(log: Path, folder: Path) -> Path:
    shutil.copy(log, folder / "audit.db")
    shutil.copytree(PictureStore(log).folder, PictureStore(folder / "audit.db").folder)
    return folder / "audit.db"


def test_a_tampered_log_is_refused(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = copied(log, tmp_path)
    forge(changed, "UPDATE judgements SET note = 'Nothing to see' WHERE sequence = 2")
    assert ask(changed, tmp_path / "out", "--review") == 2
    assert (
        "row 2 was changed: its content does not give its hash; learn nothing from it"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_changed_picture_is_refused(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = copied(log, tmp_path)
    next(PictureStore(changed).folder.glob("*/*")).write_bytes(b"another")
    assert ask(changed, tmp_path / "out", "--review") == 2
    assert "was changed: its bytes do not give its name" in capsys.readouterr().err


def test_what_cannot_be_learned_is_counted_and_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture: Frame = frames_of(data / "photos")[0]
    with AuditLog(tmp_path / "audit.db") as log:
        log.record(judged("proceed"), "Note", picture)
        log.add_feedback(1, Feedback(says="right"))
    assert ask(tmp_path / "audit.db", tmp_path / "out", "--review") == 2
    said = capsys.readouterr().err
    assert (
        "got 0 judgements with feedback and picture, 1 left out without a kept picture (`--keep-frames`"
        in said
    )
    with AuditLog(tmp_path / "audit.db", keep_frames=True) as log:
        log.record(judged("proceed"), "Note", picture)
        log.add_feedback(3, Feedback(says="right"))
        log.add_feedback(3, Feedback(says="wrong", comment="after all"))
    assert ask(tmp_path / "audit.db", tmp_path / "out", "--review") == 0
    assert (
        "1 judgements with feedback and picture, 1 left out without a kept picture" in capsys.readouterr().out
    )
    [row] = rows_of(tmp_path / "out" / "review.csv")
    assert (row["row"], row["given"], row["said"]) == ("3", "5", "wrong"), "the last word counts"


def test_of_a_blurred_picture_nothing_is_learned(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.ones((HALVES, HALVES), bool)
    with AuditLog(tmp_path / "audit.db", keep_frames=True, blur_faces=True) as log:
        log.record(judged("proceed"), "Note", frames_of(data / "photos")[0], mask)
        log.add_feedback(1, Feedback(says="right"))
    assert ask(tmp_path / "audit.db", tmp_path / "out", "--review") == 2
    assert "1 left out whose picture was blurred before it was kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "filled", "said"),
    [
        (1, {"take": "maybe"}, "expected take = yes, no or nothing, got 'maybe'"),
        (1, {"take": "yes", "by": ""}, "expected who signs it in `by`"),
        (1, {"verdict": "go"}, "expected verdict = stop, caution, proceed or nothing, got 'go'"),
        (1, {"holds": "cue:fire"}, "expected at least stop where cue:fire holds, got proceed"),
        (2, {"holds": "cue:forklfit"}, "did you mean 'cue:forklift'"),
        (2, {"holds": "cue:fire", "holds_not": "cue:fire"}, "to hold or not, got cue:fire as both"),
        (2, {"hash": "0" * 64}, "expected a row of this log, got '2'; make the review of this log again"),
        (2, {"given": "5"}, "there is a newer one; make the review again"),
        (3, {"take": "yes"}, "expected a verdict, or slots that hold or do not, got nothing"),
        (2, {"holds": "cue:no_hard_hat"}, "got cue:no_hard_hat as holding and as not in rows 1 and 2"),
    ],
)
def test_a_table_that_cannot_be_meant_is_one_line(
    log: Path,
    signed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    row: int,
    filled: dict[str, str],
    said: str,
) -> None:
    table = fill_in(Path(shutil.copy(signed, tmp_path)), {row: filled})
    assert ask(log, tmp_path / "out", "--signed", table) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_signed_is_nothing_learned(
    log: Path, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {row: {"take": ""} for row in TAKEN}
    table = fill_in(Path(shutil.copy(signed, tmp_path)), nobody)
    assert ask(log, tmp_path / "out", "--signed", table) == 2
    assert "expected lines with take = yes" in capsys.readouterr().err
    table.write_bytes("row,take\n1,はい\n".encode("cp932"))
    assert ask(log, tmp_path / "out", "--signed", table) == 2
    assert "expected the signed table (CSV, UTF-8)" in capsys.readouterr().err
    assert ask(log, tmp_path / "out") == 2
    assert "expected --review or --signed CSV" in capsys.readouterr().err
