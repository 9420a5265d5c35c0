"""A teacher that knows the truth: it answers from the slots of records that have them."""

import json

from yochi_runtime.evidence import clauses
from yochi_runtime.taxonomy import Pack, Slot, Source

from .filters import is_whole
from .pairs import Pair
from .teacher import SHOWN, Answer, Question, TeacherRefused


class TruthTeacher:
    """Names exactly the risk slots that are 1, with the note's marked span where the record has one.

    TeacherRefused for a pair with an unknown risk slot: silence would turn "unknown" into "absent".
    """

    model = "truth"

    def __init__(self, pack: Pack) -> None:
        self._risks = [slot for slot in pack.slots if slot.source is not None]
        self._cues = {cue.id: cue.name.en for cue in pack.cue}

    def ask(self, question: Question) -> Answer:
        pair, topic = question.pair, question.topic
        unknown = [slot.id for slot in self._risks if slot.id not in pair.slots]
        if unknown:
            raise TeacherRefused(
                f"expected every risk slot of {pair.id} to be known, {len(unknown)} are not "
                f"({unknown[0]} ...); ask another teacher"
            )
        if topic.claim is not None:
            said = {"confirmed": "yes" if pair.slots.get(topic.claim.key) == 1 else "no"}
            return Answer(json.dumps(said), self.model)
        held = [s for s in self._risks if s.source in SHOWN[topic.view] and pair.slots[s.id] == 1]
        seen = {"observations": [self._observation(pair, slot) for slot in held]}
        return Answer(json.dumps(seen, ensure_ascii=False), self.model)

    def _observation(self, pair: Pair, slot: Slot) -> dict[str, str]:
        quote = self._cues[slot.cue] if slot.cue else _words(pair, slot)
        return {
            "source": str(slot.source),
            "category": slot.category or "",
            "cue": slot.cue or "",
            "quote": quote,
        }


def _words(pair: Pair, slot: Slot) -> str:
    """The marked span; without one the first clause, which may be another than the risky one.

    So too where all of a note is marked that has several clauses: no filter lets a whole note pass.
    """
    if slot.source is Source.IMAGE_TEXT:
        return "words in the picture"
    marked = ((start, end) for start, end, slot_id in pair.spans if slot_id == slot.id)
    parts = (span for span in marked if not is_whole(pair.note, span))
    start, end = next(parts, None) or next(iter(clauses(pair.note)), (0, len(pair.note)))
    return pair.note[start:end]
