"""`yochi-train rlaif`: from a settings file to the finished model, by way of `Rounds`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from ..feedback.pairs import PAIRS, read_pairs
from ..model_folder import MODEL, explains, write_explains
from ..policy import Policy
from ..positives import read_positives
from ..records import PACK_NOTES, read_records
from ..run_folder import CHECKPOINT, pin_run, room_on_disk
from ..run_page import write_run_page
from ..slot_model import SlotModel
from ..utility import Utility, check_instructions
from .assignment import Questions
from .critic import Critic, CriticError, TruthCritic
from .endpoint_critic import EndpointCritic, endpoint_of
from .grpo import group_step
from .held_out import HeldOut, Outcome, TrainedModel
from .lessons import Lesson, LessonRounds, supervised_step
from .observed import DisentangledCritic
from .rounds import Rounds
from .settings import RlaifSettings
from .telling import Telling

LESSONS: dict[str, Lesson] = {"grpo": group_step, "sft": supervised_step}


def improve(
    settings: RlaifSettings,
    model: SlotModel,
    out: Path,
) -> str:
    """All rounds, and the finished model in `out/model`; returns lines for the screen."""
    made = prepare(settings, model, out)
    utility = Utility(settings.utility, made.policy, out)
    utility.before(begun=(out / CHECKPOINT).exists())
    with room_on_disk(out):
        made.run()
        utility.after()
        write_run_page(out, settings.photos)
        made.policy.save(out / MODEL, made.trained.positives)
        if made.telling is not None:
            write_explains(out / MODEL, settings.explanation_tokens)
    return f"{told(made)}\nmodel: {out / MODEL}"


def prepare(
    settings: RlaifSettings,
    model: SlotModel,
    out: Path,
    held: Sequence[Record] | None = None,
) -> Rounds:
    """Reads what the run needs, pins it in `out`, and takes the weights of `settings.start`."""
    records, halves = read_data(settings, held)
    if settings.feedback:
        read_pairs(settings.records)  # told before anything is written
    check_instructions(settings, model)
    out.mkdir(parents=True, exist_ok=True)
    pin_run(settings, model, out, ("train.jsonl", "val.jsonl", *([PAIRS] if settings.feedback else [])))
    model.prepare(settings)
    return begin(settings, model, records, halves, out)


def read_data(settings: RlaifSettings, held: Sequence[Record] | None = None) -> tuple[list[Record], HeldOut]:
    """Training records and the halves of `held` (the validation split); UsageError where they are too few."""
    records = read_records(settings.records / "train.jsonl")
    held = read_records(settings.records / "val.jsonl") if held is None else held
    whole = len(records) // PACK_NOTES * PACK_NOTES
    if whole < settings.prompts:
        raise UsageError(
            f"expected at least as many training records as prompts a round, {settings.prompts}, got {whole} "
            "in whole packs; give more records, or lower prompts"
        )
    return records, HeldOut.of(held, settings.seed)


def begin(
    settings: RlaifSettings,
    model: SlotModel,
    records: Sequence[Record],
    halves: HeldOut,
    out: Path,
) -> Rounds:
    """Rounds that begin where `settings.start` ended; nothing is written."""
    torch.set_num_threads(settings.threads)
    policy = Policy(model, settings)
    policy.start_from(settings.start)
    if policy.projector is not None:
        policy.projector.requires_grad_(False)
    trained = TrainedModel(model.pack, read_positives(settings.start / MODEL))
    critic = critic_of(settings, policy, trained, halves, out)
    told = explains(settings.start / MODEL)
    telling = Telling(model.pack, model.words, settings.explanation_tokens) if told else None
    made = (policy, trained, critic, settings, records, halves, out, telling)
    return Rounds(*made) if settings.method == "dpo" else LessonRounds(LESSONS[settings.method], *made)


def critic_of(
    settings: RlaifSettings, policy: Policy, trained: TrainedModel, held: HeldOut, out: Path
) -> Critic:
    """The critic that the settings name; `policy` still holds the weights that the run starts from."""
    questions = Questions.of(trained)
    if settings.critic == "truth" or settings.method != "dpo":  # the others know it without a critic
        return TruthCritic(questions)
    if settings.critic == "endpoint":
        return EndpointCritic(
            endpoint_of(settings),
            trained.pack,
            questions,
            settings.photos,
            out,
            global_weight=settings.global_weight,
            workers=settings.critic_workers,
        )
    try:
        apart = settings.critic == "disentangled"
        return DisentangledCritic(policy, trained, questions, held.fit, settings.doubt, apart=apart)
    except CriticError as e:
        raise UsageError(f"{e}; start from another run than {settings.start}") from e


def told(made: Rounds) -> str:
    """What the start and every round reached."""
    lines = [f"start: {_words(made.report['start'])}"]
    for number, one in enumerate(made.report["rounds"], 1):
        lines.append(f"round {number}: {_words(one)}, {'kept' if one['kept'] else 'taken back'}")
    if made.report["ended"]:
        lines.append(made.report["ended"])
    if not made.helped():
        lines.append("no round helped: the model is the one that the run started from")
    return "\n".join(lines)


def _words(of: dict[str, Any]) -> str:
    words = Outcome(of["verdicts"], of["cells"]).words()
    if "explanations" in of:
        told = of["explanations"]
        median, true = f"{told['median_tokens']:g}", f"{told['true']}/{told['of']}"
        words += f", explanations {true} true, of {median} tokens at the median"
    return words
