"""The segmented, cached readout is one plain pass of the model, with gradients."""

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import IMAGE_TOKENS
from yochi_train.nano import YochiNanoProcessor
from yochi_train.readout import Logits, SlotReader

from .made import HIDDEN, tiny_nano

TEXTS = (
    "Sweep.",
    "Lift the box up to the rack, then go.",
    "Go.",
    "箱を持つ。",
    "Wait here a while, will you.",
)
OWNER = (0, 1, 0, 1, 1)


@pytest.fixture(scope="module")
def nano() -> tuple[LlamaForCausalLM, YochiNanoProcessor]:
    model, processor = tiny_nano()
    return model.language, processor


def reader_of(nano: tuple[LlamaForCausalLM, YochiNanoProcessor]) -> SlotReader:
    language, processor = nano
    return SlotReader(language.model, language.model.embed_tokens, processor.prompt)


def random_images(seed: int = 0) -> Tensor:
    return torch.randn(2, IMAGE_TOKENS, HIDDEN, generator=torch.Generator().manual_seed(seed))


def notes_of(processor: YochiNanoProcessor) -> list[tuple[int, ...]]:
    return [processor.prompt.note(Note(text).text) for text in TEXTS]


def plain_pass(
    language: LlamaForCausalLM,
    processor: YochiNanoProcessor,
    image: Tensor,
    text: str,
    sign: str | None = None,
) -> Logits:
    """The whole prompt of one picture and one note at once: no cache, no batch, no padding."""
    p = processor.prompt
    ids = [*p.prefix, *p.look, *p.sign(sign), *p.note(Note(text).text), *p.slots]
    embeds = language.model.embed_tokens(torch.tensor([ids]))
    cut = len(p.prefix)
    embeds = torch.cat([embeds[:, :cut], image[None], embeds[:, cut:]], dim=1)
    logits = language(inputs_embeds=embeds).logits[0]
    look, slots = cut + IMAGE_TOKENS, len(logits) - len(p.slots)
    yes_no, a = [p.answers.no, p.answers.yes], p.answers
    cues = logits[[look + at for at in p.look_at]][:, yes_no]
    rest = logits[[slots + at for at in p.slots_at]]
    return Logits(cues, rest[:-1][:, yes_no], rest[-1][list(a.verdict)])


def test_segments_with_a_cache_are_one_plain_pass(
    nano: tuple[LlamaForCausalLM, YochiNanoProcessor],
) -> None:
    language, processor = nano
    images = random_images()
    lengths = {len(ids) for ids in notes_of(processor)}
    assert len(lengths) == len(TEXTS)
    with torch.no_grad():
        read = reader_of(nano).read(images, notes_of(processor), torch.tensor(OWNER))
        for n, (text, owner) in enumerate(zip(TEXTS, OWNER, strict=True)):
            plain = plain_pass(language, processor, images[owner], text)
            torch.testing.assert_close(read.cues[owner], plain.cues, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(read.risks[n], plain.risks, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(read.verdict[n], plain.verdict, atol=1e-5, rtol=1e-4)


def test_signs_stand_before_their_notes_and_none_are_ids_as_ever(
    nano: tuple[LlamaForCausalLM, YochiNanoProcessor],
) -> None:
    """One picture, its notes with and without words in it: as the plain pass, and apart where they differ."""
    language, processor = nano
    reader, notes = reader_of(nano), notes_of(processor)
    images, owner = random_images()[:1], torch.zeros(len(TEXTS), dtype=torch.long)
    signs = [None, "", "Exit", *["Say safe"] * (len(TEXTS) - 3)]
    with torch.no_grad():
        read = reader.read(images, notes, owner, signs)
        for n, (text, sign) in enumerate(zip(TEXTS, signs, strict=True)):
            plain = plain_pass(language, processor, images[0], text, sign)
            torch.testing.assert_close(read.risks[n], plain.risks, atol=1e-5, rtol=1e-4)
        unread = reader.read(images, notes, owner)
        assert torch.equal(unread.risks, reader.read(images, notes, owner, [None] * len(notes)).risks)
    torch.testing.assert_close(read.risks[0], unread.risks[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(read.risks[1:], unread.risks[1:], atol=1e-5)


def test_shapes_follow_the_pack(nano: tuple[LlamaForCausalLM, YochiNanoProcessor]) -> None:
    _, processor = nano
    with torch.no_grad():
        read = reader_of(nano).read(random_images(), notes_of(processor), torch.tensor(OWNER))
    pack = processor.pack
    assert read.cues.shape == (2, len(pack.cue_slots), 2)
    assert read.risks.shape == (len(TEXTS), len(pack.risk_slots), 2)
    assert read.verdict.shape == (len(TEXTS), 3)


def test_a_look_needs_no_note_and_no_note_changes_it(
    nano: tuple[LlamaForCausalLM, YochiNanoProcessor],
) -> None:
    _, processor = nano
    reader, images = reader_of(nano), random_images()
    with torch.no_grad():
        look = reader.look(images)
        read = reader.read(images, notes_of(processor), torch.tensor(OWNER))
    torch.testing.assert_close(look, read.cues, atol=0, rtol=0)


def test_the_company_of_a_note_does_not_change_its_answers(
    nano: tuple[LlamaForCausalLM, YochiNanoProcessor],
) -> None:
    _, processor = nano
    reader, images, notes = reader_of(nano), random_images(), notes_of(processor)
    with torch.no_grad():
        together = reader.read(images, notes, torch.tensor(OWNER))
        alone = reader.read(images, notes[1:2], torch.tensor(OWNER[1:2]))
    torch.testing.assert_close(together.risks[1:2], alone.risks, atol=1e-5, rtol=1e-4)


def test_gradients_of_a_note_reach_its_picture_and_no_other(
    nano: tuple[LlamaForCausalLM, YochiNanoProcessor],
) -> None:
    _, processor = nano
    images = random_images().requires_grad_()
    read = reader_of(nano).read(images, notes_of(processor)[:4], torch.tensor([1, 1, 1, 1]))
    (read.risks.square().sum() + read.verdict.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert float(images.grad[1].abs().min()) >= 0
    assert float(images.grad[1].abs().sum(-1).min()) > 0  # every one of the 49 embeddings counts
    assert float(images.grad[0].abs().max()) == 0
