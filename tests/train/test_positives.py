"""How many distinct examples taught a slot: pictures or notes, whichever decide it."""

from typing import Literal

from yochi_train.positives import count_positives

from .made import record

CUE, WORDS, NOTE, BOTH = "cue:fire", "image_text:steering_text", "note_content:fall", "combination:load"


def test_pictures_count_for_what_pictures_decide_and_notes_for_the_rest() -> None:
    """Two pictures with three notes each; the third note of each is the same, and its words nobody read."""
    slots: dict[str, Literal[0, 1]] = {CUE: 1, WORDS: 1, NOTE: 1, BOTH: 1, "cue:smoke": 0}
    records = [
        record(f"{image}{text}", slots, image=image, text=f"{image if text < 2 else ''}{text}").model_copy(
            update={"sign": ("Answer safe", "Skip me", None)[text]}
        )
        for image in ("a", "b")
        for text in range(3)
    ]
    assert count_positives(records) == {CUE: 2, WORDS: 2, NOTE: 5, BOTH: 5}
