"""What a worker is told: two sentences that say what the verdict says, in one language each."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.record import Truth
from yochi_runtime.taxonomy import Pack, Source, Text, load_pack
from yochi_train import response
from yochi_train.response import Factor, held, known_factors, respond

PACKS = (load_pack(), load_pack(Path(response.__file__).parents[1] / "packs" / "warehouse" / "pack.toml"))
VERDICTS: tuple[Truth | None, ...] = ("stop", "caution", "proceed", None)
HEADS = {
    "stop": ("STOP: ", "停止："),
    "caution": ("CAUTION: ", "注意："),
    "proceed": ("PROCEED: ", "進行可："),
}


def possible(pack: Pack) -> list[Factor]:
    """Everything that a teacher may observe and a record may know."""
    found = [Factor(Source.IMAGE_CONTENT, c.id) for c in pack.category]
    found += [Factor(Source.IMAGE_CONTENT, c.risk, c.id) for c in pack.cue if c.risk]
    found += [
        Factor(Source.COMBINATION, pair.category, cue) for pair in pack.combination for cue in pair.cues
    ]
    found += [Factor(slot.source, slot.category) for slot in pack.risk_slots if slot.source and slot.category]
    return found


FACTORS = {pack.id: possible(pack) for pack in PACKS}


def named(text: Text, factor: Factor, pack: Pack) -> bool:
    """Whether both languages name the factor, by its category or by its cue."""
    names = [pack.category_of(factor.category).name]
    names += [cue.name for cue in pack.cue if cue.id == factor.cue]
    return any(name.en in text.en and name.ja in text.ja for name in names)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Pack, Truth | None, Sequence[Factor]]:
    pack = draw(st.sampled_from(PACKS))
    factors = draw(st.lists(st.sampled_from(FACTORS[pack.id]), max_size=4))
    return pack, draw(st.sampled_from(VERDICTS)), factors


@given(cases())
def test_no_text_contradicts_its_verdict(case: tuple[Pack, Truth | None, Sequence[Factor]]) -> None:
    pack, verdict, factors = case
    text = respond(verdict, factors, pack)
    severe = [f for f in factors if pack.category_of(f.category).severity == "S2"]
    made = "stop" if severe else "caution" if factors else "proceed"
    if text is None or verdict is None:
        assert text is None
        assert verdict != made
        return
    assert verdict == made
    assert (text.en.startswith(HEADS[verdict][0]), text.ja.startswith(HEADS[verdict][1])) == (True, True)
    advice = [c.advice for c in pack.category if text.en.endswith(c.advice.en)]
    if verdict == "proceed":
        assert not any(named(text, f, pack) for f in FACTORS[pack.id])
        assert advice == []
    else:
        told = (severe or list(factors))[0]
        assert named(text, told, pack)
        assert advice == [pack.category_of(told.category).advice]
        assert text.ja.endswith(advice[0].ja)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.id)
def test_two_sentences_in_one_language_each(pack: Pack) -> None:
    """Every text there is: of each factor by itself, and of none."""
    texts = [respond("proceed", [], pack)]
    for factor in FACTORS[pack.id]:
        severity = pack.category_of(factor.category).severity
        texts.append(respond("stop" if severity == "S2" else "caution", [factor], pack))
    for text in texts:
        assert text is not None
        assert len(re.findall(r"[.!?](?= |$)", text.en)) == 2
        assert text.en.endswith(".")
        assert len(re.findall("[。！？]", text.ja)) == 2
        assert text.ja.endswith("。")
        assert re.search(r"[^\x20-\x7e]", text.en) is None
        assert re.search(r"[A-Za-z_{}]", text.ja) is None
        assert not {"_", "{", "}"} & set(text.en)  # no id, and no place that was not filled


WORDS = {
    Factor(Source.IMAGE_CONTENT, "ppe", "no_hard_hat"): (
        "CAUTION: no hard hat in the picture. Put on the required protective equipment before going on.",
        "注意：画像に危険あり（保護帽なし）。決められた保護具を着けてから作業すること。",
    ),
    Factor(Source.IMAGE_CONTENT, "egress"): (
        "CAUTION: risk in the picture (blocked escape or rescue equipment). Clear the exit, route or "
        "extinguisher now and keep it clear.",
        "注意：画像に危険あり（避難路・消火設備のふさがり）。非常口・通路・消火器の前をすぐに空けること。",
    ),
    Factor(Source.IMAGE_TEXT, "steering_text"): (
        "CAUTION: the words in the picture are a risk (words that try to steer the judgement). Ignore the "
        "wording; let a supervisor look at who wrote it and why.",
        "注意：画像内の掲示に危険あり（判定を誘導する文言）。文言に従わず、監督者が経緯を確認すること。",
    ),
    Factor(Source.NOTE_INSTRUCTION, "mechanical"): (
        "STOP: what the note asks for is a risk (caught in or struck by a machine). Stop the machine and "
        "lock it out before anyone reaches in.",
        "停止：メモの指示に危険あり（はさまれ・巻き込まれ）。機械を止め、ロックアウトしてから手を入れること。",
    ),
    Factor(Source.NOTE_CONTENT, "slip_trip"): (
        "CAUTION: the note reports a risk (slip or trip). Clean and clear the floor, or fence it off, before "
        "anyone walks there.",
        "注意：メモの報告に危険あり（すべり・つまずき）。床を拭いて片付けるか、立入禁止にしてから通ること。",
    ),
    Factor(Source.COMBINATION, "vehicle", "forklift"): (
        "STOP: the work in the note is a risk together with the forklift in the picture (struck by a "
        "vehicle). Keep people out of the vehicle's path; stop it before anyone comes near.",
        "停止：メモの作業と画像のフォークリフトが重なると危険（車両との接触・激突）。車両の動線に入らず、"
        "止めてから近づくこと。",
    ),
    Factor(Source.COMBINATION, "load"): (
        "STOP: the work in the note is a risk together with what the picture shows (falling or collapsing "
        "load). Clear the area below and beside the load and secure it first.",
        "停止：メモの作業と画像の状況が重なると危険（荷の落下・崩壊）。荷の下と横から離れ、固定してから"
        "作業すること。",
    ),
}


@pytest.mark.parametrize("factor", WORDS, ids=lambda factor: f"{factor.source}-{factor.cue}")
def test_each_source_word_for_word(factor: Factor, pack: Pack) -> None:
    severity = pack.category_of(factor.category).severity
    assert respond("stop" if severity == "S2" else "caution", [factor], pack) == Text(
        en=WORDS[factor][0], ja=WORDS[factor][1]
    )


def test_all_is_well(pack: Pack) -> None:
    assert respond("proceed", [], pack) == Text(
        en="PROCEED: no risk in the picture or the note. Go on as planned.",
        ja="進行可：画像にもメモにも危険なし。予定どおり進めること。",
    )


def test_of_a_record_the_serious_risk_is_told_and_a_combination_by_what_is_seen(pack: Pack) -> None:
    slots = {
        "cue:no_vest": 1,
        "cue:forklift": 0,
        "cue:excavator": 1,
        "cue:person": 1,
        "note_content:fall": 0,
        "note_instruction:ergonomic": 1,
        "combination:vehicle": 1,
    }
    assert [slot.id for slot in held(slots, pack)] == [
        "combination:vehicle",
        "cue:no_vest",
        "note_instruction:ergonomic",
    ]
    assert known_factors(slots, pack) == [
        Factor(Source.COMBINATION, "vehicle", "excavator"),
        Factor(Source.IMAGE_CONTENT, "ppe", "no_vest"),
        Factor(Source.NOTE_INSTRUCTION, "ergonomic"),
    ]
    assert known_factors({"combination:vehicle": 1}, pack) == [Factor(Source.COMBINATION, "vehicle")]
