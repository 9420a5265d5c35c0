"""Reads one prompt with the language model, segment by segment, and keeps what does not change.

    prefix | image | look | sign, note and slots
    kept   | kept while the frame is the same | read for every note

The segments are evaluated apart and in this order whether they are kept or not, so a kept one gives the very
same numbers. What is said after the slots (`return_to`, `go_on`) is read behind all of them, then forgotten.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .engines import Logits, TokenEngine
from .errors import EngineError, Reason
from .prompt import Prompt


@dataclass(frozen=True, eq=False)
class SlotLogits:
    """Raw answers after the note: `risks` (risk slots, 2) as (no, yes), `verdict` (3,) in JUDGED's order."""

    risks: Logits
    verdict: Logits


class Reader:
    """One prompt on one language model. Reads the prefix at once."""

    def __init__(self, language: TokenEngine, prompt: Prompt) -> None:
        self._language, self._prompt = language, prompt
        self._read_prefix()
        self._after_look: int | None = None
        self._answered: tuple[int, ...] | None = None  # sign and note whose slots were read last
        self._after_slots = 0

    def look(self, show: Callable[[], None]) -> Logits:
        """A new frame: (cues, 2) float32 logits (no, yes). `show` has the engine read it where it stands."""
        self.forget()
        if self._language.position < self._after_prefix:  # another process has taken the engine's place
            self._read_prefix()
        self._language.rewind(self._after_prefix)
        show()
        answers = self._prompt.answers
        logits = self._language.tokens(self._prompt.look, self._prompt.look_at, (answers.no, answers.yes))
        self._after_look = self._language.position
        return logits

    def answer(self, note: Sequence[int], sign: str | None = None) -> SlotLogits:
        """Sign (its text, None where nobody looked), note and slots in one pass, right after the last frame.

        None of the three is kept without the others, and every pass has its fixed cost.
        """
        if self._after_look is None:
            raise EngineError(
                Reason.ENGINE_FAILED, "expected a frame before the note, none was read; judge it again"
            )
        self._answered = None
        self._language.rewind(self._after_look)
        before = (*self._prompt.sign(sign), *note)
        answers = self._prompt.answers
        asked = (answers.no, answers.yes, *answers.verdict)
        at = [len(before) + place for place in self._prompt.slots_at]
        logits = self._language.tokens((*before, *self._prompt.slots), at, asked)
        self._answered, self._after_slots = before, self._language.position
        return SlotLogits(risks=logits[:-1, :2], verdict=logits[-1, 2:])

    def return_to(self, note: Sequence[int], sign: str | None = None) -> None:
        """Stand right after the slots of this note on the last frame; read again if another was since."""
        if self._answered != (*self._prompt.sign(sign), *note):
            self.answer(note, sign)
        self._language.rewind(self._after_slots)

    def go_on(self, ids: Sequence[int], answers: Sequence[int]) -> Logits:
        """Read `ids` from where it stands; (len(answers),) float32 logits of what may come next.

        Whatever is read so is forgotten with the next answer, which begins right after the frame.
        """
        (logits,) = self._language.tokens(ids, (len(ids) - 1,), answers, explaining=True)
        found: Logits = logits
        return found

    def _read_prefix(self) -> None:
        self._language.rewind(0)
        self._language.tokens(self._prompt.prefix)
        self._after_prefix = self._language.position

    def forget(self) -> None:
        """The next frame is new, whatever it is."""
        self._after_look = self._answered = None
