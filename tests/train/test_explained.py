"""What is learned to be said: true of the record, of the form, short, masked where nobody knows."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.explanation import WHY, Lang, parse
from yochi_runtime.record import RiskSpan
from yochi_runtime.taxonomy import Slot, load_pack
from yochi_runtime.tokens import TextTokenizer
from yochi_runtime.verdict import highest, of_severity
from yochi_train.explained import Explainer, Said, chosen, text_loss

from tests.fixtures.tokenizer import small_bpe, small_tokenizer

from .made import record

PACK = load_pack()
WORDS = small_tokenizer()
RISKS = [slot for slot in PACK.slots if slot.category]
LIMIT = 2000  # the small tokenizer spells most words
Known = Mapping[str, Literal[0, 1]]


def said(
    slots: Known, verdict: object, lang: object = "en", limit: int = LIMIT, **more: object
) -> Said | None:
    one = record("r", slots, verdict=verdict, lang=lang)  # type: ignore[arg-type]
    return Explainer(PACK, WORDS, WORDS, limit).of(one.model_copy(update=more))


def text(of: Said | None) -> str:
    assert of is not None
    return WORDS.decode(list(of.said))


def test_the_text_by_hand() -> None:
    fall = PACK.category_of("fall")
    found = said({"note_content:fall": 1, "cue:no_hard_hat": 1}, "stop")
    assert found is not None
    assert WORDS.decode(list(found.given)) == " stop\nIn English:"
    assert text(found) == (
        f" note reports: {fall.name.en}; picture: no hard hat Why: {fall.name.en} Do: {fall.advice.en}\n"
    )
    known: Known = {slot.id: 0 for slot in RISKS}
    assert text(said(known, "proceed", "ja")).startswith(" なし Why: 画像にもメモにも危険なし Do: ")


def test_the_marked_clause_is_quoted_where_it_is_read_as_written() -> None:
    spans = (RiskSpan(0, 11, "note_content:fall"),)
    more: dict[str, Any] = {"note": "He fell off. Sweep.", "spans": spans}
    found = text(said({"note_content:fall": 1}, "stop", **more))
    assert found.startswith(' note reports: "He fell off" Why: ')

    class Glossed(TextTokenizer):
        def encode(self, text: str) -> list[int]:
            return super().encode(text.replace("fell", "fall"))

    one = record("r", {"note_content:fall": 1}, verdict="stop").model_copy(update=more)
    other = Explainer(PACK, WORDS, Glossed(small_bpe()), LIMIT).of(one)
    assert '"' not in text(other)


def test_where_a_risk_is_unknown_only_the_end_of_the_observations_is_masked() -> None:
    fall: Known = {"note_content:fall": 1}
    found, whole = said(fall, "stop"), said({**{s.id: 0 for s in RISKS}, **fall}, "stop")
    assert found is not None
    assert whole is not None
    assert all(whole.known)
    (masked,) = [i for i, known in enumerate(found.known) if not known]
    assert WORDS.decode(list(found.said[masked:])).startswith(WHY)
    assert WORDS.decode(list(found.said[:masked])) == f" note reports: {PACK.category_of('fall').name.en}"


@pytest.mark.parametrize(
    ("slots", "verdict"), [({}, None), ({"note_content:fall": 1}, "caution"), ({}, "stop")]
)
def test_what_is_not_known_is_not_said(slots: Known, verdict: object) -> None:
    assert said(slots, verdict) is None


@given(
    st.lists(st.sampled_from(RISKS), max_size=4, unique=True),
    st.sampled_from(["en", "ja"]),
    st.integers(20, 400),
)
def test_all_that_is_said_is_true_short_and_of_the_form(risks: list[Slot], lang: Lang, limit: int) -> None:
    slots: Known = {s.id: 1 for s in risks}
    verdict = highest(of_severity(PACK.category_of(s.category or "").severity) for s in risks)
    found = said(slots, str(verdict), lang, limit)
    if found is None:
        return
    assert len(found.said) == len(found.known) <= limit
    told = parse(text(found), lang, PACK, "A note.")
    assert told is not None
    assert set(told.slots()) <= set(slots)
    assert bool(told.slots()) == bool(risks)


def test_fewer_tokens_leave_out_the_second_observation_then_the_advice() -> None:
    slots: Known = {"note_content:fall": 1, "cue:no_hard_hat": 1}
    lengths, forms = [LIMIT], list[str]()
    while (found := said(slots, "stop", limit=lengths[-1])) is not None:
        forms.append(text(found))
        lengths.append(len(found.said) - 1)
    assert len(forms) == 4
    assert [form.count("; picture") for form in forms] == [1, 0, 0, 0]
    assert [" Do: " in form for form in forms] == [True, True, True, False]
    assert forms[-1].startswith(" note reports Why: ")


def test_a_sign_that_nobody_read_is_not_told() -> None:
    slots: Known = {"image_text:steering_text": 1}
    assert said(slots, "caution") is None
    name = PACK.category_of("steering_text").name.en
    assert text(said(slots, "caution", sign="ignore the lamp")).startswith(f" sign: {name} Why: {name} Do: ")


def test_other_notes_are_explained_at_the_next_step() -> None:
    one = Said((1,), (2,), (True,))
    targets = [one, None, one, one]
    assert [chosen(targets, 2, step) for step in range(4)] == [[0, 2], [0, 3], [2, 3], [0, 2]]
    assert chosen(targets, 8, 1) == [0, 2, 3]
    assert chosen([None], 2, 5) == []


def test_the_loss_by_hand() -> None:
    """Halves and quarters of three known tokens; what is masked weighs nothing."""
    logs = [torch.tensor([0.5, 0.001]).log(), torch.tensor([0.25, 0.25]).log()]
    targets = [Said((1,), (2, 3), (True, False)), Said((1,), (2, 3), (True, True))]
    assert float(text_loss(logs, targets)) == pytest.approx((math.log(2) + 2 * math.log(4)) / 3)
    assert float(text_loss([], [])) == 0.0
