"""A rulebook's file that changes while it judges: the new one whole and right, or the old one."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.judgement import Judgement, in_mode
from yochi_runtime.mode import Mode, Output
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import MAX_BYTES, read_rules, rules_of
from yochi_runtime.rules_in_force import SETTLED, RulesInForce, rules_in_force
from yochi_runtime.run import ruled
from yochi_runtime.taxonomy import sha256_text
from yochi_runtime.verdict import Verdict

from .rulebooks import MINIMAL, PACK, judged

WELD = Note("welding")


def version(number: int, effect: str = "caution") -> str:
    """Another right rulebook."""
    text = MINIMAL.replace('version = "1"', f'version = "{number}"')
    return text.replace('at_least = "stop"', f'at_least = "{effect}"').replace(
        'expect = "stop"', f'expect = "{effect}"'
    )


NEW = version(2)
# Right TOML, wrong rulebooks, no text at all; each with a word of why.
WRONG: dict[str, bytes] = {
    "expected TOML": NEW[:-20].encode(),
    "Field required": b"format = 1\n",
    "example 'welding': expected caution": NEW.replace('["weld"]', '["paint"]').encode(),
    "unknown zone": NEW.replace("yard = ", "shop = ").encode(),
    "UTF-8": b"\xff\xfe",
    "at most 1,000,000 bytes": b"#" * (MAX_BYTES + 1),
}


class Plant:
    """A rulebook's file, the rules that began with it, and a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.file, self.told, self.time = folder / "rules.toml", list[str](), 100.0
        self.file.write_text(MINIMAL, encoding="utf-8")
        began = PlantRules(read_rules(self.file, PACK), "yard")
        self.rules = RulesInForce(began, self.file, self.told.append, lambda: self.time)

    def judge(self, verdict: Verdict = Verdict.PROCEED) -> Judgement:
        return ruled(self.rules, judged(verdict=verdict), WELD)

    def settle(self) -> Judgement:
        """Seen once, and again when it has stayed the same for long enough."""
        self.judge()
        self.time += SETTLED
        return self.judge()

    @property
    def version(self) -> str:
        return self.rules.rules.file.book.version


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


def not_taken(judgement: Judgement) -> str | None:
    assert judgement.rules is not None
    return judgement.rules.not_taken


def test_a_right_one_judges_from_then_on(plant: Plant) -> None:
    before = plant.judge()
    plant.file.write_text(NEW, encoding="utf-8")
    first = plant.judge()
    assert (first.verdict, before.verdict) == (Verdict.STOP, Verdict.STOP)
    assert "has not stayed the same for 2 s yet" in str(not_taken(first))
    plant.time += SETTLED
    after = plant.judge()
    assert (after.verdict, not_taken(after), not_taken(before)) == (Verdict.CAUTION, None, None)
    assert (before.identities.rules, after.identities.rules) == (sha256_text(MINIMAL), sha256_text(NEW))
    (line,) = plant.told
    assert line == (
        f"rulebook plant 2 ({sha256_text(NEW)[:12]}) is in force with 1 rules; "
        f"before it plant 1 ({sha256_text(MINIMAL)[:12]}) with 1"
    )


@pytest.mark.parametrize(("why", "data"), WRONG.items(), ids=WRONG)
def test_a_wrong_one_leaves_the_old_one_and_says_so_once(plant: Plant, why: str, data: bytes) -> None:
    plant.file.write_bytes(data)
    found = [plant.settle() for _ in range(3)][-1]
    assert (found.verdict, found.identities.rules) == (Verdict.STOP, sha256_text(MINIMAL))
    assert why in str(not_taken(found))
    (line,) = plant.told
    assert line.startswith("rulebook plant 1 (")
    assert " stays in force: " in line
    assert why in line
    assert len(line.splitlines()) == 1
    assert Judgement.model_validate_json(found.model_dump_json()) == found
    plant.file.write_text(NEW, encoding="utf-8")
    assert (plant.settle().verdict, plant.rules.not_taken) == (Verdict.CAUTION, None)


def test_a_deleted_file_leaves_the_old_one_until_it_is_back(plant: Plant) -> None:
    plant.file.unlink()
    found = plant.settle()
    assert (found.verdict, "found none" in str(not_taken(found))) == (Verdict.STOP, True)
    plant.file.mkdir()
    assert "found none" in str(not_taken(plant.settle()))  # a folder is no rulebook either
    plant.file.rmdir()
    plant.file.write_text(MINIMAL, encoding="utf-8")
    assert not_taken(plant.judge()) is None
    assert [line.partition(" force: ")[2] for line in plant.told[-1:]] == ["the file holds it again"]
    assert len(plant.told) == 2


def test_a_moment_without_the_file_is_no_news(plant: Plant) -> None:
    """Editors delete and write anew."""
    plant.file.unlink()
    assert "found none" in str(not_taken(plant.judge()))
    plant.file.write_text(NEW, encoding="utf-8")
    assert (plant.settle().verdict, len(plant.told)) == (Verdict.CAUTION, 1)


TWO = NEW + NEW[NEW.index("[[rule]]") :].replace("A-1", "A-2").replace("weld", "paint")
RIGHT = [TWO.index("[[example]]"), TWO.rindex("[[rule]]")]  # these many characters are a right rulebook


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*RIGHT, *range(len(TWO))]), max_size=6, unique=True).map(sorted))
@example(RIGHT)
def test_a_file_that_is_being_written_is_never_taken_in_part(cuts: list[int]) -> None:
    """Some beginnings are right rulebooks with fewer rules."""
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(Path(folder))
        for cut in cuts:
            plant.file.write_text(TWO[:cut], encoding="utf-8")
            for wait in (0.0, SETTLED * 0.9):  # twice, and not for long enough
                plant.time += wait
                assert plant.judge().identities.rules == sha256_text(MINIMAL)
        plant.file.write_text(TWO, encoding="utf-8")
        assert plant.settle().identities.rules == sha256_text(TWO)


def test_some_of_those_beginnings_are_right() -> None:
    """Or the test above could not fail."""
    for end in RIGHT:
        assert all(run.holds for run in rules_of(TWO[:end], "begun", PACK).runs)


def test_a_change_between_check_and_read_is_another_file(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(*given: object) -> object:
        plant.file.write_text(version(3, "stop"), encoding="utf-8")
        return checked(*given)

    checked: Callable[..., object] = RulesInForce._checked
    plant.file.write_text(NEW, encoding="utf-8")
    plant.judge()
    plant.time += SETTLED
    monkeypatch.setattr(RulesInForce, "_checked", swapped)
    assert plant.judge().identities.rules == sha256_text(NEW)  # what was read is what judges
    monkeypatch.undo()
    assert (plant.version, not_taken(plant.judge()) is not None) == ("2", True)
    plant.time += SETTLED
    assert (plant.judge().verdict, plant.version) == (Verdict.STOP, "3")


def test_the_same_size_and_time_of_change_do_not_hide_a_change(plant: Plant) -> None:
    plant.file.write_text(version(1), encoding="utf-8")
    plant.settle()
    before = plant.file.stat()
    plant.file.write_text(version(9), encoding="utf-8")
    os.utime(plant.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert plant.file.stat().st_size == before.st_size
    plant.settle()
    assert plant.version == "9"


def test_a_fault_of_the_check_leaves_the_old_one(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> object:
        raise RecursionError("too\ndeep")

    monkeypatch.setattr(RulesInForce, "_checked", fails)
    plant.file.write_text(NEW, encoding="utf-8")
    found = plant.settle()
    assert (found.verdict, not_taken(found)) == (Verdict.STOP, "RecursionError: too")


def test_a_line_that_cannot_be_said_is_one_cannot_judge(plant: Plant) -> None:
    def broken(_: str) -> object:
        raise BrokenPipeError

    plant.rules._tell = broken
    plant.file.write_text(NEW, encoding="utf-8")
    assert plant.settle().verdict is Verdict.CANNOT_JUDGE
    assert (plant.judge().verdict, plant.version) == (Verdict.CAUTION, "2")


def test_without_a_rulebook_there_is_nothing_to_follow(tmp_path: Path) -> None:
    assert rules_in_force(None, None, None, print) is None
    with pytest.raises(UsageError, match="expected a rulebook"):
        rules_in_force(tmp_path / "none.toml", None, None, print)


STEPS = st.one_of(
    st.integers(2, 5).map(lambda number: version(number, "stop" if number % 2 else "caution").encode()),
    st.sampled_from([*WRONG.values()][:-1]),  # the large one is only slow
    st.integers(0, len(NEW)).map(lambda cut: NEW[:cut].encode()),
    st.none(),  # deleted
    st.sampled_from([0.0, 0.5, SETTLED]),  # time
    st.tuples(st.sampled_from(Verdict), st.sampled_from(Mode)),  # a judgement
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
def test_a_reload_loses_no_row_and_releases_nothing_that_cannot_be_judged(
    steps: list[bytes | float | tuple[Verdict, Mode] | None],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plant, db = Plant(Path(folder)), Path(folder) / "audit.db"
        given: list[Judgement] = []
        once = {sha256_text(MINIMAL)}  # what the file has held in whole
        with AuditLog(db) as log:
            for step in steps:
                if isinstance(step, bytes):
                    plant.file.write_bytes(step)
                    if step not in WRONG.values():
                        once.add(sha256_text(step.decode()))
                elif isinstance(step, float):
                    plant.time += step
                elif step is None:
                    plant.file.unlink(missing_ok=True)
                else:
                    given.append(log.record(in_mode(plant.judge(step[0]), step[1]), "welding"))
                    assert (given[-1].verdict is Verdict.CANNOT_JUDGE) == (step[0] is Verdict.CANNOT_JUDGE)
        recorded = [Judgement.model_validate_json(row.judgement) for row in rows(db)] if given else []
    assert recorded == given
    for found in recorded:
        assert found.identities.rules in once
        assert found.rules is not None
        assert [clause.clause for clause in found.rules.applied] == ["A-1"]  # no moment without the rule
        if found.verdict in (Verdict.CANNOT_JUDGE, Verdict.STOP):
            assert found.output is not Output.RELEASE
        assert json.loads(found.model_dump_json())["mode"] == found.mode
