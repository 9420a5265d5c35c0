"""The bundle that comes with this source: whole, pinned, proved, and it judges the sample."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from yochi_runtime.bundle import open_bundle
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rule_findings import findings
from yochi_runtime.trust import shipped_bundle
from yochi_runtime.verdict import Verdict

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "sample"
CALM = "Counted the gloves in the store, all boxes full."


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge.open(threads=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def frame() -> Frame:
    return read_frame(SAMPLE / "frame.jpg")


def asked(judge: Judge, frame: Frame, note: str) -> Judgement:
    return judge.judge(Inspection(frame, Note(note)))


def without_timings(judgement: Judgement) -> str:
    return judgement.model_copy(update={"timings_ms": {}}).model_dump_json()


def test_it_is_trusted_and_proved(judge: Judge) -> None:
    assert judge.proved
    assert "en" in judge.bundle.manifest.languages


def test_the_sample_is_dangerous_in_combination(judge: Judge, frame: Frame) -> None:
    note = (SAMPLE / "note.txt").read_text(encoding="utf-8")
    found = asked(judge, frame, note)
    assert found.verdict is Verdict.STOP
    assert "combination:vehicle" in {factor.slot for factor in found.factors}


def test_it_explains_the_sample(judge: Judge, frame: Frame) -> None:
    found = asked(judge, frame, (SAMPLE / "note.txt").read_text(encoding="utf-8"))
    *_, end = judge.explain(found, seconds=60)
    assert end.dropped is None
    assert end.text is not None
    assert end.tokens <= 64
    assert end.text.en != end.text.ja


def test_a_language_that_is_not_proved_is_refused(judge: Judge, frame: Frame) -> None:
    found = asked(judge, frame, "手袋の在庫を数えた。")
    proved = "ja" in judge.bundle.manifest.languages
    assert (found.verdict is not Verdict.CANNOT_JUDGE) == proved


def test_what_is_kept_gives_the_very_same_judgement(judge: Judge, frame: Frame) -> None:
    """A frame that was just looked at, and one that is new to a judge that read something else before."""
    first = asked(judge, frame, CALM)
    kept = asked(judge, frame, CALM)
    assert kept.timings_ms["vision"] == 0
    with Judge.open(threads=2) as fresh:
        asked(fresh, Frame(frame.rgb[:, ::-1].copy()), "Grease the chain while it runs.")
        again = asked(fresh, frame, CALM)
    assert again.timings_ms["vision"] > 0
    assert without_timings(first) == without_timings(kept) == without_timings(again)


def test_an_explanation_takes_no_bit_from_what_is_judged_after_it(judge: Judge, frame: Frame) -> None:
    other = Frame(frame.rgb[:, ::-1].copy())
    note = (SAMPLE / "note.txt").read_text(encoding="utf-8")
    asks = [(frame, note), (frame, note), (frame, CALM), (other, note), (frame, note)]
    before = [without_timings(asked(judge, *one)) for one in asks]
    with Judge.open(threads=2) as talker:
        ends = []
        for one, wanted in zip(asks, before, strict=True):
            found = asked(talker, *one)
            assert without_timings(found) == wanted
            ends += [*talker.explain(found, seconds=60)][-1:]
            assert without_timings(asked(talker, *one)) == wanted
    assert [(end.text is not None, end.dropped) for end in ends] == [(True, None)] * len(ends)
    assert len(ends) >= 2


def test_nothing_is_found_in_the_example_of_a_rulebook() -> None:
    bundle = open_bundle(shipped_bundle())
    example = shipped_bundle().parent.parent / "rules" / "example.toml"
    assert findings(read_rules(example, bundle.pack), bundle.not_trained()) == []
