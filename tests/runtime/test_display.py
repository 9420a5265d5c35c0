"""What a person reads: golden texts in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.display import render
from yochi_runtime.errors import Reason
from yochi_runtime.factors import MAX_QUOTE, quote
from yochi_runtime.judgement import (
    CALL_SUPERVISOR,
    GO_ON,
    Coverage,
    Evidence,
    Judgement,
    NoteSpan,
    RiskFactor,
    SlotResult,
    cannot_judge,
)
from yochi_runtime.taxonomy import Source, Text, load_pack
from yochi_runtime.verdict import Verdict
from yochi_runtime.wording import ENGLISH, JAPANESE, REASONS

PACK = load_pack()
VEHICLE = PACK.category_of("vehicle")
STOP = Judgement(
    verdict=Verdict.STOP,
    factors=(
        RiskFactor(
            slot="combination:vehicle",
            source=Source.COMBINATION,
            category="vehicle",
            name=VEHICLE.name,
            probability=0.934,
            threshold=0.4,
            severity="S2",
            evidence=Evidence(
                note=NoteSpan(start=5, end=31, text="stand next to the pallet"), box=(1 / 7, 0.5, 1, 1)
            ),
            why=Text(en="The note with the forklift.", ja="フォークリフトとメモ。"),
        ),
    ),
    slots=(
        SlotResult(id="combination:vehicle", coverage=Coverage.JUDGED, probability=0.934, threshold=0.4),
        SlotResult(id="cue:guard_missing", coverage=Coverage.NOT_TRAINED),
        SlotResult(id="note_content:egress", coverage=Coverage.NOT_TRAINED),
        SlotResult(id="image_text:steering_text", coverage=Coverage.NOT_LOOKED),
    ),
    advice=VEHICLE.advice,
    language="en",
    timings_ms={
        "load": 211.4,
        "decode": 12.0,
        "judge": 250.2,
        "prepare": 5.0,
        "vision": 90.0,
        "look": 60.0,
        "note": 94.6,
        "verdict": 0.6,
        "evidence": 180.0,
    },
)
GOLDEN_EN = """\
STOP

Risks above their threshold:
- struck by a vehicle [note with picture] 0.93 (threshold 0.40)
    The note with the forklift.
    note: characters 6 to 31
    picture: 14 to 100 % from the left, 50 to 100 % from the top

Do: Keep people out of the vehicle's path; stop it before anyone comes near.
Not trained, so not judged: machine guard missing, blocked escape or rescue equipment [note, report]
Not looked at: words that try to steer the judgement [sign in the picture]
Time: 250 ms to the verdict (prepare 5, vision 90, look 60, note 95, verdict 1); \
besides: load 211, decode 12, evidence 180
Yochi advises. It is not a safety function."""
GOLDEN_JA = """\
停止

しきい値以上の危険：
- 車両との接触・激突 [メモと画像の組み合わせ] 0.93（しきい値 0.40）
    フォークリフトとメモ。
    メモの 6～31 文字目
    画像の左から 14～100 %、上から 50～100 %

対応：車両の動線に入らず、止めてから近づくこと。
未学習のため判定していない項目：機械のガードなし、避難路・消火設備のふさがり [メモの報告]
確認していない項目：判定を誘導する文言 [画像内の掲示]
所要時間：判定まで 250 ms（前処理 5、画像認識 90、画像の確認 60、メモ 95、判定 1）、\
ほかに 読み込み 211、画像の読み取り 12、根拠 180
Yochi は助言を行うもので、安全機能ではありません。"""
NO_FRAME = cannot_judge(Reason.FRAME_UNREADABLE, "expected a picture in a.jpg, got 0 bytes; take it again")
GOLDEN_NO_FRAME_EN = """\
CANNOT JUDGE
  The picture cannot be read. (frame_unreadable)
  expected a picture in a.jpg, got 0 bytes; take it again

Nothing was judged.

Do: Call the supervisor.
Yochi advises. It is not a safety function."""
GOLDEN_NO_FRAME_JA = """\
判定不能
  画像を読み取れません。 (frame_unreadable)
  expected a picture in a.jpg, got 0 bytes; take it again

判定は行われていません。

対応：監督者を呼ぶこと。
Yochi は助言を行うもので、安全機能ではありません。"""


def test_golden_english() -> None:
    assert render(STOP, "en", PACK) == GOLDEN_EN


def test_golden_japanese() -> None:
    assert render(STOP, "ja", PACK) == GOLDEN_JA


def test_golden_cannot_judge() -> None:
    assert render(NO_FRAME, "en") == GOLDEN_NO_FRAME_EN
    assert render(NO_FRAME, "ja") == GOLDEN_NO_FRAME_JA


def test_nothing_found_is_said_with_its_limits() -> None:
    text = render(
        STOP.model_copy(update={"verdict": Verdict.PROCEED, "factors": (), "advice": GO_ON}), "en", PACK
    )
    assert text.startswith("PROCEED\n\nNo risk above its threshold.\n")
    assert "Not trained, so not judged: machine guard missing" in text


def test_unproved_numbers_are_shown_as_such() -> None:
    unproved = STOP.model_copy(
        update={"verdict": Verdict.CANNOT_JUDGE, "reasons": (Reason.UNPROVED,), "advice": CALL_SUPERVISOR}
    )
    text = render(unproved, "ja", PACK)
    assert text.startswith(
        "判定不能\n  モデルが検証されていません。以下の数値は判定ではありません。 (unproved)\n"
    )
    assert "車両との接触・激突" in text


def test_without_a_pack_slots_keep_their_ids() -> None:
    assert "Not trained, so not judged: cue:guard_missing, note_content:egress" in render(STOP, "en")


@pytest.mark.parametrize("words", [ENGLISH, JAPANESE], ids=["en", "ja"])
def test_every_verdict_source_and_reason_has_its_words(words: object) -> None:
    assert set(ENGLISH.verdicts) == set(JAPANESE.verdicts) == set(Verdict)
    assert set(ENGLISH.sources) == set(JAPANESE.sources) == set(Source)
    assert set(ENGLISH.stages) == set(JAPANESE.stages)
    assert set(REASONS) == set(Reason)
    assert words in (ENGLISH, JAPANESE)


@given(st.text(max_size=200))
def test_a_quote_is_one_short_line_that_steers_no_terminal(text: str) -> None:
    line = quote(text)
    assert len(line) <= MAX_QUOTE
    assert "\x1b" not in line
    assert len(line.splitlines()) <= 1


def test_a_quote_keeps_joined_emoji_and_drops_turned_writing() -> None:
    assert quote("go 👷‍♀️ \u202eleft\x1b[31m") == "go 👷‍♀️ left[31m"
    assert quote("x" * 100) == "x" * (MAX_QUOTE - 1) + "…"
