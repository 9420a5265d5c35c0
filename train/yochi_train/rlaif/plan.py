"""`yochi-train rlaif --dry-run`: what the rounds would do and cost. Nothing is written.

As `..plan` does for `sft`: the parts of a round are made on the real records, with noise for what the encoder
sees, and timed.
"""

import time
from pathlib import Path

from yochi_runtime.verdict import Verdict

from ..plan import encoded_photos, peak_gib, seconds_of
from ..records import PACK_NOTES
from ..slot_model import SlotModel
from ..utility import check_instructions
from .critic import TruthCritic
from .endpoint_critic import EndpointCritic
from .held_out import in_packs, read_answers
from .lessons import LessonRounds
from .preference import Answer, Preference
from .rounds import Rounds
from .run import begin, read_data
from .settings import RlaifSettings

SAYS_NO = Answer(
    said=(), drawn=Verdict.PROCEED, shown=Verdict.PROCEED, gs=None, os=None, score=0.0, reference=0.0
)


def plan(
    settings: RlaifSettings,
    model: SlotModel,
    out: Path,
) -> str:
    """Lines for the screen. UsageError for what would stop the run: records, photos, features, start."""
    records, halves = read_data(settings)
    check_instructions(settings, model)
    features = encoded_photos(settings)
    images = sorted({record.image for record in (*records, *halves.fit, *halves.count)})
    model.pretend(settings, images)
    begun = time.monotonic()
    made = begin(settings, model, records, halves, out)
    ready = time.monotonic() - begun
    asks = isinstance(made.critic, EndpointCritic)
    if asks:  # nobody is asked for a plan
        made.critic = TruthCritic(made.questions)
    packs = settings.prompts // PACK_NOTES
    held = [*halves.fit, *halves.count]
    draw = 0.0 if isinstance(made, LessonRounds) else seconds_of(lambda: made.pairs_of(0))
    look = seconds_of(lambda: read_answers(made.policy, in_packs(held)[0]))
    step = seconds_of(lambda: _step(made))
    evaluation = len(in_packs(held)) * look
    a_round = packs * draw + settings.steps * step + evaluation
    minutes = (ready + evaluation + settings.rounds * a_round) / 60
    asked = made.questions
    rows = [
        ("goes on from", str(settings.start)),
        (
            "rounds",
            f"{settings.rounds}, each of {packs * PACK_NOTES:,} prompts with {settings.answers} answers and "
            f"{settings.steps} steps",
        ),
        (
            "answers",
            f"{asked.asked - 1} of {len(asked.ids)} slots, those that are trained, and the verdict",
        ),
        *_explained(made),
        ("taught by", f"{settings.critic_model} at {settings.critic_url}" if asks else made.report["critic"]),
        ("held out", f"{len(halves.count):,} verdicts; thresholds from {len(halves.fit):,} other records"),
        ("trained", f"{sum(p.numel() for p in made.policy.lora):,} of LoRA"),
        *features,
        ("memory", f"{peak_gib():.1f} GiB so far at its peak; longer notes take more"),
        (
            "time",
            f"{minutes:.0f} min: {draw:.2f} s for the answers to a picture's notes, {step:.2f} s a step, "
            f"{evaluation / 60:.0f} min an evaluation{'; besides, what the endpoint takes' if asks else ''}",
        ),
    ]
    return "\n".join(f"{name + ':':14}{value}" for name, value in rows)


def _explained(made: Rounds) -> list[tuple[str, str]]:
    if made.telling is None:
        return []
    return [("explanations", f"of at most {made.telling.limit} tokens, one an answer")]


def _step(made: Rounds) -> None:
    """A step with a pair for every note of its pictures: the most that one can cost."""
    width = min(made.settings.packs, len(made.records) // PACK_NOTES)
    if isinstance(made, LessonRounds):
        made.learn(range(width))
        return
    tokens = None if made.telling is None else (0,) * made.telling.limit
    says_no = SAYS_NO.model_copy(update={"tokens": tokens})
    pairs = [
        [
            Preference(record=i, id=made.records[i].id, best=says_no, worst=says_no)
            for i in range(pack * PACK_NOTES, (pack + 1) * PACK_NOTES)
        ]
        for pack in range(width)
    ]
    made.train_step(pairs)
