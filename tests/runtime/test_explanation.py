"""The form of an explanation: what is said comes back as what was meant, and rubbish as nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.explanation import CALM, Explanation, Lang, Observation, observation_text, parse
from yochi_runtime.taxonomy import Source, load_pack

PACK = load_pack()
NOTE = "Reach past the guard; Why: it sticks"
FALL = PACK.category_of("fall")


def test_the_form_by_hand() -> None:
    said = f' note asks: "{NOTE}"; picture: person Why: {FALL.name.en} Do: Run.\n'
    wanted = Explanation(
        (
            Observation(Source.NOTE_INSTRUCTION, quote=NOTE),
            Observation(Source.IMAGE_CONTENT, cue="person"),
        ),
        "fall",
        "Run.",
    )
    assert parse(said, "en", PACK, NOTE) == wanted
    assert wanted.slots() == ("note_instruction:fall", "cue:person")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "\n",
        f" picture: person Why: {FALL.name.en} Do: Run.",  # cut off
        " picture: person Why: bad luck Do: Run.\n",  # no category
        f" picture: unicorn Why: {FALL.name.en}\n",  # no cue
        f" window: person Why: {FALL.name.en}\n",  # no source
        f' note asks: "climb" Why: {FALL.name.en}\n',  # not in the note
        f' note asks: "" Why: {FALL.name.en}\n',  # quotes nothing
        f" picture: Why: {FALL.name.en}\n",  # says nothing of it
        f" picture: person\n Why: {FALL.name.en}\n",  # two lines
        f" sign; picture: person; picture: fire Why: {FALL.name.en}\n",  # more than two
        f" nothing Why: {FALL.name.en}\n",  # nothing, and a hazard
        f" picture: person Why: {FALL.name.ja}\n",  # the other language
    ],
)
def test_what_is_not_of_the_form_says_nothing(said: str) -> None:
    assert parse(said, "en", PACK, NOTE) is None


def test_nothing_to_see_names_no_slot() -> None:
    for lang, nothing in (("en", "nothing"), ("ja", "なし")):
        found = parse(f" {nothing} Why: {CALM.of(lang)}\n", lang, PACK, NOTE)  # type: ignore[arg-type]
        assert found == Explanation((), None, None)
        assert found.slots() == ()


@given(
    st.sampled_from(["en", "ja"]),
    st.sampled_from(list(Source)),
    st.sampled_from([*PACK.cue, *PACK.category]),
    st.sampled_from(PACK.category),
)
def test_what_is_meant_comes_back(lang: Lang, source: Source, what: object, why: object) -> None:
    kind = "cue" if what in PACK.cue else "category"
    meant = Observation(source, **{kind: what.id})  # type: ignore[attr-defined]
    said = f"{observation_text(meant, lang, PACK)} Why: {why.name.of(lang)}\n"  # type: ignore[attr-defined]
    assert parse(said, lang, PACK, NOTE) == Explanation((meant,), why.id, None)  # type: ignore[attr-defined]


@given(st.text(max_size=40), st.sampled_from(["en", "ja"]))
def test_no_text_is_a_fault(said: str, lang: Lang) -> None:
    found = parse(said, lang, PACK, NOTE)
    assert found is None or found.slots() is not None
