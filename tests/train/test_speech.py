"""Text after the slots, on nano: to the bit no other slots, one plain pass, and draws of it."""

import pytest
import torch
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import IMAGE_TOKENS
from yochi_train.nano.slots import NanoSlots
from yochi_train.speech import Draws, Text

from .made import HIDDEN, tiny_nano

NOTES = [["Sweep.", "Lift the box up to the rack, then go."], ["箱を持つ。"]]
SIGNS: list[list[str | None]] = [[None, "Keep out"], [""]]
TEXTS = [[Text((3, 4), (5, 6, 7)), Text((8,), (9,))], [Text((3,), (30, 31))], []]
IMAGES = torch.randn(2, IMAGE_TOKENS, HIDDEN, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def slots() -> NanoSlots:
    return NanoSlots(*tiny_nano())


def plain(slots: NanoSlots, image: int, place: int, text: Text) -> torch.Tensor:
    """The whole prompt and the text at once: no cache, no batch, no padding."""
    p, note, sign = slots.processor.prompt, NOTES[image][place], SIGNS[image][place]
    ids = [*p.prefix, *p.look, *p.sign(sign), *p.note(Note(note).text), *p.slots, *text.given, *text.said]
    embeds = slots.language.model.embed_tokens(torch.tensor([ids]))
    cut = len(p.prefix)
    embeds = torch.cat([embeds[:, :cut], IMAGES[image][None], embeds[:, cut:]], dim=1)
    logits = slots.language(inputs_embeds=embeds).logits[0]
    found: torch.Tensor = logits[-len(text.said) - 1 : -1].log_softmax(-1)
    return found


def test_what_is_said_after_the_slots_is_one_plain_pass_and_changes_no_slot(slots: NanoSlots) -> None:
    with torch.no_grad():
        without = slots.read(IMAGES, NOTES, SIGNS)
        read, logs = slots.read_on(IMAGES, NOTES, SIGNS, TEXTS)
        assert [len(of) for of in logs] == [2, 1, 0]
        for place in range(2):
            for log, text in zip(logs[place], TEXTS[place], strict=True):
                wanted = plain(slots, 0, place, text)[range(len(text.said)), list(text.said)]
                torch.testing.assert_close(log, wanted, atol=1e-5, rtol=1e-4)
    for name in ("cues", "risks", "verdict"):
        assert torch.equal(getattr(without, name), getattr(read, name)), name


def test_its_gradient_reaches_the_picture(slots: NanoSlots) -> None:
    images = IMAGES.clone().requires_grad_()
    _, logs = slots.read_on(images, NOTES, SIGNS, TEXTS)
    logs[0][0].sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert float(images.grad[0].abs().max()) > 0
    assert float(images.grad[1].abs().max()) == 0.0


def draws(limit: int, temperature: float, end: int = 0, many: int = 1) -> Draws:
    given: list[list[tuple[int, ...]]] = [[(3, 4), (8,)] * many, [], [(5,)]]
    return Draws(given, limit, end, temperature, torch.Generator().manual_seed(0))


def test_the_likeliest_text_is_drawn_cold_and_costs_what_it_costs_to_read(slots: NanoSlots) -> None:
    drawn = slots.draw(IMAGES, NOTES, SIGNS, draws(5, 0.0))
    assert [len(of) for of in drawn] == [2, 0, 1]
    texts = [
        [Text(given, one.said) for given, one in zip(before, of, strict=True)]
        for before, of in zip(draws(5, 0.0).given, drawn, strict=True)
    ]
    with torch.no_grad():
        _, logs = slots.read_on(IMAGES, NOTES, SIGNS, texts)
        own = plain(slots, 0, 0, texts[0][0]).argmax(-1)
    assert tuple(own.tolist()) == drawn[0][0].said
    for of, read in zip(drawn, logs, strict=True):
        for one, log in zip(of, read, strict=True):
            assert len(one.said) == 5 or one.said[-1] == 0
            assert abs(one.log_probability - float(log.sum())) < 1e-4


def test_a_text_ends_with_its_end_and_no_later(slots: NanoSlots) -> None:
    first = slots.draw(IMAGES, NOTES, SIGNS, draws(6, 0.0))[0][0].said
    cut = slots.draw(IMAGES, NOTES, SIGNS, draws(6, 0.0, end=first[2]))[0][0].said
    assert cut == first[: first.index(first[2]) + 1]


def test_the_seed_repeats_warm_draws_and_they_differ(slots: NanoSlots) -> None:
    one, again = (slots.draw(IMAGES, NOTES, SIGNS, draws(4, 1.0, many=3)) for _ in range(2))
    assert one == again
    assert len({drawn.said for drawn in one[0][::2]}) > 1
