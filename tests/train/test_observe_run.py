"""A run may be killed at any moment: no answer is lost, asked twice, or mixed with another's."""

import json
import threading
from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.observe import run
from yochi_train.observe.log import LoggedAnswer
from yochi_train.observe.procedure import ObservedPair
from yochi_train.observe.report import Price
from yochi_train.observe.run import REFUSED_IN_A_ROW, observe
from yochi_train.observe.teacher import Answer, Question, TeacherError, TeacherRefused

from .made import command
from .observed import ANSWERS, NAMES, TableTeacher, all_known, noon, write_pairs

FILES = ("observations.jsonl", "observed.jsonl", "report.json", "run.json")


class Killed(BaseException):
    """What ends a run from outside."""


class Mortal(TableTeacher):
    """Dies when it is asked for the `last` time."""

    def __init__(self, last: int) -> None:
        super().__init__(ANSWERS)
        self._last = last

    def ask(self, question: Question) -> Answer:
        if len(self.asked) == self._last:
            raise Killed
        return super().ask(question)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"), NAMES)


@pytest.fixture(scope="module")
def whole(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run writes."""
    out = tmp_path_factory.mktemp("whole") / "new" / "run"
    said = observe(pairs, out, TableTeacher(ANSWERS), clock=noon, price=Price(1.0, 2.0))
    assert said == f"6 pairs observed, 0 refused by the teacher: {out}"
    assert sorted(file.name for file in out.iterdir()) == sorted(FILES)
    return written(out)


def written(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


def test_every_answer_is_kept_verbatim(whole: dict[str, bytes]) -> None:
    rows = [LoggedAnswer.model_validate_json(line) for line in whole["observations.jsonl"].splitlines()]
    assert len({row.key for row in rows}) == len(rows)
    texts = {row.key: row.text for row in rows}
    assert texts[("c", "image", 0)] == texts[("c", "image", 1)] == "The picture is fine."
    assert texts[("d", "image", 0)] == ANSWERS["d"]["image"]
    first = rows[0]
    assert (first.model, first.prompt_version, first.seconds) == ("table-1", "observe-1", 0.0)
    assert first.started == "2023-11-14T22:13:20.000+00:00"
    assert first.completion_tokens == len(first.text)


def test_the_report_counts_what_was_found(whole: dict[str, bytes]) -> None:
    rows = [LoggedAnswer.model_validate_json(line) for line in whole["observations.jsonl"].splitlines()]
    found = json.loads(whole["report.json"])
    assert found["filters"] == {
        "prompt_leakage": 1,
        "whole_instruction": 1,
        "outside_pack": 1,
        "not_in_note": 1,
        "not_shown": 1,
        "missing_empty": 2,
        "invalid_answer": 2,
    }
    assert found["dropped"] == {"unconfirmed": 1, "explained_apart": 1, "repeated": 0}
    assert found["kept"] == {
        "image_content x mechanical": 1,
        "note_instruction x mechanical": 1,
        "combination x mechanical": 1,
    }
    assert found["verdicts"] == {"stop": 2, "None": 3, "proceed": 1}
    assert found["pairs"] == {"observed": 6, "unanswered": []}
    assert found["answers"] == {"all": len(rows), "asked_again": 2, "models": {"table-1": len(rows)}}
    prompt, completion = (
        sum(r.prompt_tokens or 0 for r in rows),
        sum(r.completion_tokens or 0 for r in rows),
    )
    assert found["tokens"] == {"prompt": prompt, "completion": completion, "answers_without_counts": 0}
    assert found["cost_usd"] == round((prompt + 2 * completion) / 1e6, 6)


def test_one_line_a_pair_in_the_order_of_the_pairs(whole: dict[str, bytes]) -> None:
    found = [ObservedPair.model_validate_json(line) for line in whole["observed.jsonl"].splitlines()]
    assert [pair.id for pair in found] == NAMES
    assert [pair.verdict for pair in found] == ["stop", "stop", None, None, None, "proceed"]
    heads = [pair.response.en.partition(".")[0] if pair.response else None for pair in found]
    assert heads == [
        "STOP: machine guard missing in the picture",
        "STOP: the work in the note is a risk together with what the picture shows (caught in or struck by a "
        "machine)",
        *(None, None, None),
        "PROCEED: no risk in the picture or the note",
    ]


def test_a_run_that_dies_at_any_question_goes_on(
    pairs: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    total = whole["observations.jsonl"].count(b"\n")
    for last in range(total):
        out = tmp_path / str(last)
        first = Mortal(last)
        with pytest.raises(Killed):
            observe(pairs, out, first, clock=noon)
        assert not (out / "report.json").exists()
        second = TableTeacher(ANSWERS)
        observe(pairs, out, second, clock=noon, price=Price(1.0, 2.0))
        assert len(first.asked) + len(second.asked) == total
        assert written(out) == whole


class Together(TableTeacher):
    """Answers the first question of a pair only when `workers` pairs have asked it."""

    def __init__(self, workers: int) -> None:
        super().__init__(ANSWERS)
        self._met = threading.Barrier(workers, timeout=60.0)

    def ask(self, question: Question) -> Answer:
        if (question.pair.id, question.topic.name) not in self.asked and question.topic.name == "image":
            self._met.wait()
        return super().ask(question)


@pytest.mark.parametrize("workers", [2, 3, 6])
def test_several_workers_give_what_one_gives(
    workers: int, pairs: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    teacher = Together(workers)
    observe(pairs, tmp_path, teacher, clock=noon, price=Price(1.0, 2.0), workers=workers)
    found = written(tmp_path)
    assert sorted(found.pop("observations.jsonl").splitlines()) == sorted(
        whole["observations.jsonl"].splitlines()
    )
    assert found == {name: data for name, data in whole.items() if name in found}


def test_a_torn_last_line_is_asked_again(pairs: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    log = whole["observations.jsonl"]
    for cut in range(0, len(log), 211):
        out = tmp_path / str(cut)
        out.mkdir()
        (out / "observations.jsonl").write_bytes(log[:cut])
        (out / "run.json").write_bytes(whole["run.json"])
        observe(pairs, out, TableTeacher(ANSWERS), clock=noon, price=Price(1.0, 2.0))
        assert written(out) == whole


def test_a_finished_run_asks_nothing(pairs: Path, tmp_path: Path) -> None:
    observe(pairs, tmp_path, TableTeacher(ANSWERS), clock=noon)
    before = written(tmp_path)
    again = TableTeacher({})
    observe(pairs, tmp_path, again, clock=noon)
    assert again.asked == []
    assert written(tmp_path) == before


def test_progress_counts_only_what_this_run_asked(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        observe(pairs, tmp_path, Mortal(12), clock=noon)
    capsys.readouterr()
    observe(pairs, tmp_path, TableTeacher(ANSWERS), clock=noon)
    shown = [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert shown[-1] == "pairs: 6/6"
    observe(pairs, tmp_path, TableTeacher(ANSWERS), clock=noon)
    assert capsys.readouterr().err == ""


class Picky(TableTeacher):
    """Refuses some pairs."""

    def __init__(self, *refused: str) -> None:
        super().__init__(ANSWERS)
        self.refused = refused

    def ask(self, question: Question) -> Answer:
        if question.pair.id in self.refused:
            raise TeacherRefused("too long")
        return super().ask(question)


def test_a_refused_pair_is_named_and_asked_again(
    pairs: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    said = observe(pairs, tmp_path, Picky("a", "b", "d"), clock=noon)
    assert said.startswith("3 pairs observed, 3 refused by the teacher: ")
    assert said.endswith("the same command asks for those again")
    found = json.loads((tmp_path / "report.json").read_bytes())
    assert found["pairs"] == {"observed": 3, "unanswered": ["a", "b", "d"]}
    observe(pairs, tmp_path, TableTeacher(ANSWERS), clock=noon)
    assert (tmp_path / "observed.jsonl").read_bytes() == whole["observed.jsonl"]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_teacher_that_refuses_everything_ends_the_run(workers: int, pairs: Path, tmp_path: Path) -> None:
    teacher = Picky(*NAMES)
    with pytest.raises(TeacherRefused, match="too long"):
        observe(pairs, tmp_path, teacher, clock=noon, workers=workers)
    assert REFUSED_IN_A_ROW == 3
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_teacher_that_stays_away_ends_the_run(workers: int, pairs: Path, tmp_path: Path) -> None:
    class Away(TableTeacher):
        def ask(self, question: Question) -> Answer:
            raise TeacherError(f"nobody for {question.pair.id}")

    with pytest.raises(TeacherError, match="nobody for a"):
        observe(pairs, tmp_path, Away({}), clock=noon, workers=workers)


def test_answers_of_another_run_are_not_mixed_in(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    observe(pairs, out, TableTeacher(ANSWERS), clock=noon)
    other = TableTeacher(ANSWERS)
    other.model = "table-2"
    with pytest.raises(UsageError, match="a run of the same teacher, it is of another; give a new folder"):
        observe(pairs, out, other, clock=noon)
    changed = write_pairs(tmp_path, NAMES[:2])
    with pytest.raises(UsageError, match="a run of the same pairs_sha256,"):
        observe(changed, out, TableTeacher(ANSWERS), clock=noon)
    monkeypatch.setattr(run, "PROMPT_VERSION", "observe-0")
    with pytest.raises(UsageError, match="a run of the same prompt_version,"):
        observe(pairs, out, TableTeacher(ANSWERS), clock=noon)


def test_records_with_truth_are_observed_by_the_truth(
    pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slots = all_known(pack, "combination:load", "cue:no_vest")
    file = write_pairs(tmp_path, ["a", "b"], slots=slots, kind="risk")
    out = tmp_path / "out"
    assert command(["records", "observe", str(file), str(out), "--teacher", "truth"]) == 0
    assert capsys.readouterr().out.startswith("2 pairs observed, 0 refused")
    asked = {slot.id for slot in pack.slots if slot.source is not None}
    for line in (out / "observed.jsonl").read_bytes().splitlines():
        found = ObservedPair.model_validate_json(line)
        assert found.slots == {slot: value for slot, value in slots.items() if slot in asked}
        assert found.verdict == "stop"
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["cost_usd"] is None
    assert report["teacher"] == "truth"
