"""Records and answers drawn for a pack, without a model: the margins point to the truth, with noise."""

import numpy as np
from yochi_bench.answers import Answers
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import JUDGED

KINDS = ("proceed", "caution", "stop")


def records(pack: Pack, count: int, seed: int = 0) -> list[Record]:
    """A third of each verdict; every slot known, one in four true, risks only in dangerous ones."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        verdict = KINDS[i % 3]
        slots = {slot.id: int(rng.random() < 0.25) for slot in pack.cue_slots if slot.category is None}
        for slot in (*pack.cue_slots, *pack.risk_slots):
            if slot.category is not None:
                severe = pack.category_of(slot.category).severity == "S2"
                fits = verdict == "stop" or (verdict == "caution" and not severe)
                slots[slot.id] = int(fits and rng.random() < 0.25)
        found.append(record(f"r{i}", slots, verdict, i))
    return found


def record(identity: str, slots: dict[str, int], verdict: str | None, number: int) -> Record:
    return Record.model_validate(
        {
            "id": identity,
            "image": f"images/{number % 6}.png",
            "note": "Oil all over the floor by press 3",
            "lang": "en",
            "kind": "risk",
            "slots": slots,
            "verdict": verdict,
            "picture_group": number % 6,
            "templates": (f"t{number % 50}",),
            "split": "val",
        }
    )


def answers(pack: Pack, asked: list[Record], strength: float = 6.0, seed: int = 1) -> Answers:
    """Logits whose margin is +-strength / 2 and noise of one; likewise the verdict's."""
    rng = np.random.default_rng(seed)

    def pairs(ids: list[str]) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        truth = np.array([[r.slots.get(i, 0) for i in ids] for r in asked])
        margin = (truth - 0.5) * strength + rng.standard_normal(truth.shape)
        return np.stack([-margin / 2, margin / 2], axis=-1).astype(np.float32)

    words = [str(v) for v in JUDGED]
    verdict = rng.standard_normal((len(asked), 3))
    for i, r in enumerate(asked):
        if r.verdict is not None:
            verdict[i, words.index(r.verdict)] += strength / 2
    cues, risks = [s.id for s in pack.cue_slots], [s.id for s in pack.risk_slots]
    return Answers(pairs(cues), pairs(risks), verdict.astype(np.float32))
