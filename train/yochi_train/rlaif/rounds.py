"""The run: rounds that draw, score, learn, are evaluated, and are kept or taken back.

A run folder holds what one of `sft` holds, `round-01.json` and so on (the pairs of a round, readable) and
`report.json`. A killed run goes on from its checkpoint and reaches the same weights as an undisturbed one
(CPU, same thread count): every draw is seeded by its round and place, and a round's pairs are on disk before
its first step.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from ..policy import Policy, check_finite, descend
from ..progress import Progress
from ..records import PACK_NOTES
from ..run_folder import CHECKPOINT, cut_log, save_checkpoint
from ..run_log import RunLog
from ..run_page import write_run_page
from ..speech import Text
from .assignment import Questions, draw, log_probability, of_prompts
from .critic import Critic, CriticError, check_scores
from .dpo import preference_loss
from .examples import sampled_answers
from .given import given_pairs
from .held_out import HeldOut, Outcome, TrainedModel, evaluate
from .preference import Preference, Preferences, Tally, as_assignments, pair_up
from .settings import RlaifSettings
from .telling import Telling

REPORT = "report.json"
RATES = ("safe_effective", "miss", "oversafety")  # of a round, for TensorBoard


class Rounds:
    """Everything a round needs. `policy` holds the weights that the first round starts from."""

    def __init__(
        self,
        policy: Policy,
        trained: TrainedModel,
        critic: Critic,
        settings: RlaifSettings,
        records: Sequence[Record],
        held: HeldOut,
        out: Path,
        telling: Telling | None = None,
    ) -> None:
        """`telling`: how an answer is explained, None where it is not."""
        self.telling = telling
        self.policy, self.trained, self.critic, self.settings = policy, trained, critic, settings
        self.records, self.held, self.out = records, held, out
        self.questions = Questions.of(trained)
        self.kept = policy.lora_weights()  # the reference of the round
        self.round, self.step = 0, 0  # finished rounds; steps done in the one after them
        self.fault = ""  # why the critic failed last
        self.optimizer = self._fresh_optimizer()
        taught_by = settings.critic if settings.method == "dpo" else settings.method
        self.report: dict[str, Any] = {"critic": taught_by, "start": None, "rounds": [], "ended": None}

    def run(self) -> None:
        """From the newest checkpoint to the last round. UsageError where there is nothing to learn from."""
        self._resume()
        if self.report["start"] is None:
            self.report["start"] = self.reached()
            self._save()
        while self.round < self.settings.rounds and self.report["ended"] is None:
            self._play()
            self._save()
            self._tell()
        self.policy.set_lora(self.kept)
        self._tell()

    def reached(self) -> dict[str, Any]:
        """What the weights reach on held-out records, for the report."""
        return {**asdict(evaluate(self.policy, self.trained, self.held)), **self._told()}

    def _play(self) -> None:
        """One round, or its end where it has nothing to learn from."""
        preferences = self._preferences()
        if preferences.pairs:
            self._learn(preferences.pairs)
            self._decide({**_told(preferences), "sampled": sampled_answers(preferences.pairs, self.records)})
        else:
            self._end(preferences.tally)

    def _tell(self) -> None:
        text = json.dumps(self.report, indent=1, ensure_ascii=False) + "\n"
        (self.out / REPORT).write_text(text, encoding="utf-8")
        write_run_page(self.out, self.settings.photos)

    def helped(self) -> int:
        """Rounds that were kept."""
        return sum(made["kept"] for made in self.report["rounds"])

    def _preferences(self) -> Preferences:
        """The round's pairs: those on disk, or drawn from the policy, which is then the reference."""
        file = self.out / f"round-{self.round + 1:02d}.json"
        if file.exists():
            return Preferences.load(file)
        packs = self.settings.prompts // PACK_NOTES
        progress = Progress(f"round {self.round + 1}, answers", packs)
        tally, pairs = Tally(), list[Preference]()
        for i in range(self.round * packs, (self.round + 1) * packs):
            made = self.pairs_of(place_of(i, len(self.records) // PACK_NOTES, self.settings.seed))
            tally, pairs = tally + made.tally, [*pairs, *made.pairs]
            self._check_critic(tally)
            progress.step(note=f"{len(pairs)} pairs")
        if self.settings.feedback:
            given = given_pairs(self.settings.records, self.records, self.policy, self.questions)
            tally, pairs = tally + Tally(given=len(given)), [*pairs, *given]
        whole = Preferences(tally=tally, pairs=tuple(pairs))
        whole.save(file)
        return whole

    def _check_critic(self, tally: Tally) -> None:
        s = self.settings
        if tally.failed > s.critic_failures * s.prompts:
            raise UsageError(
                f"expected the critic to score at least {1 - s.critic_failures:.0%} of {s.prompts} prompts, "
                f"it failed on {tally.failed} of the first {tally.prompts}, the last time: {self.fault}; "
                "mend that and give the same command again, or raise critic_failures"
            )

    def pairs_of(self, place: int) -> Preferences:
        """Draws answers to every note of the pack at `place`, has them scored, and pairs them."""
        first, s = place * PACK_NOTES, self.settings
        pack = self.records[first : first + PACK_NOTES]
        with torch.no_grad():
            slots, verdict = of_prompts(self.policy.read([pack], self.policy.images([pack])), [pack])
        generator = seeded(s.seed, "answers", self.round, place)
        answers = draw(slots, verdict, self.questions, s.answers, s.temperature, generator)
        try:
            scores = check_scores(self.critic.score(pack, answers), answers)
        except CriticError as e:
            self.fault = str(e)
            return Preferences(tally=Tally(prompts=len(pack), failed=len(pack)))
        self.fault = next(iter(scores.failed.values()), self.fault)
        if self.telling is None:
            explained = None
        else:
            drawn = self.telling.draw(
                self.policy, pack, answers.shown(self.questions), s.temperature, generator
            )
            explained = self.telling.explained(pack, drawn, scores, self.questions)
        return pair_up(
            range(first, first + len(pack)),
            [record.id for record in pack],
            answers,
            scores,
            log_probability(slots, verdict, self.questions, answers),
            self.questions,
            s.global_weight,
            s.margin,
            explained,
            s.told_weight,
            s.length_weight,
        )

    def _learn(self, pairs: Sequence[Preference]) -> None:
        """The steps of a round of pairs, each on those of some packs."""
        by_pack: dict[int, list[Preference]] = {}
        for pair in pairs:
            by_pack.setdefault(pair.record // PACK_NOTES, []).append(pair)
        groups = list(by_pack.values())
        self._walk(len(groups), lambda places: self.train_step([groups[place] for place in places]))

    def _walk(self, count: int, learn: Callable[[Sequence[int]], dict[str, Any]]) -> None:
        """The round's steps that are left, each on some of `count` things; a line of the log each."""
        steps, width = self.settings.steps, min(self.settings.packs, count)
        progress = Progress(f"round {self.round + 1}, steps", steps, self.step)
        with RunLog(self.out, self.round * steps + self.step) as log:
            while self.step < steps:
                at = range(self.step * width, (self.step + 1) * width)
                seed = f"{self.settings.seed}-{self.round}"
                line = learn([place_of(i, count, seed) for i in at])
                log.add(line)
                if self.step % self.settings.checkpoint_every == 0 or self.step == steps:
                    self._save()
                progress.step(note=f"loss {line['loss']:.3f}")

    def train_step(self, groups: Sequence[Sequence[Preference]]) -> dict[str, Any]:
        """One step on the pairs of some packs. UsageError for a loss that is no number."""
        packs = [[self.records[pair.record] for pair in group] for group in groups]
        answers, reference = as_assignments([p for group in groups for p in group], self.questions)
        with torch.no_grad():
            images = self.policy.images(packs)
        pairs = [pair for group in groups for pair in group]
        texts = [self._texts(pair) for pair in pairs]
        logits, logs = self.policy.read_on(packs, images, texts)
        slots, verdict = of_prompts(logits, packs)
        chosen = log_probability(slots, verdict, self.questions, answers)
        asked = torch.full((len(pairs),), self.questions.asked)
        if self.telling is not None:
            chosen = chosen + torch.stack([torch.stack([log.sum() for log in two]) for two in logs])
            asked = asked + torch.tensor([len(two[0]) for two in logs])
        s = self.settings
        loss = preference_loss(chosen, reference, asked, s.beta, s.sft_weight)
        return self.descend(
            loss.total, dpo=float(loss.dpo.detach()), sft=float(loss.sft.detach()), right=loss.right
        )

    def _texts(self, pair: Preference) -> list[Text]:
        """What best and worst say after the slots; nothing in a run without explanations."""
        if self.telling is None:
            return []
        record, two = self.records[pair.record], (pair.best, pair.worst)
        return [self.telling.text(record, one.shown, one.tokens) for one in two if one.tokens is not None]

    def descend(self, loss: Tensor, **parts: float) -> dict[str, Any]:
        """One step of the optimizer, and its line of the log. UsageError for a loss that is no number."""
        check_finite(loss, self.step)
        descend(loss, self.optimizer)
        self.step += 1
        return {"round": self.round + 1, "step": self.step, "loss": float(loss.detach()), **parts}

    def _decide(self, of_round: Mapping[str, object]) -> None:
        """Keep the round, or go back to its reference; `of_round` is told beside what it reached."""
        outcome = evaluate(self.policy, self.trained, self.held)
        kept = outcome.better_than(self._best())
        done = self.round * self.settings.steps + self.step
        reached = {name: _share(outcome.verdicts.get(name)) for name in RATES}
        with RunLog(self.out, done) as log:
            log.scalars(
                {f"round/{name}": share for name, share in reached.items() if share is not None}, done
            )
        self.report["rounds"].append({**of_round, **asdict(outcome), **self._told(), "kept": kept})
        if kept:
            self.kept = self.policy.lora_weights()
        self.policy.set_lora(self.kept)
        self.round, self.step, self.optimizer = self.round + 1, 0, self._fresh_optimizer()

    def _told(self) -> dict[str, object]:
        """What the weights say of held-out records, for the report."""
        if self.telling is None:
            return {}
        return {"explanations": self.telling.look(self.policy, self.held.count)}

    def _best(self) -> Outcome:
        """What the weights reach that the round began with."""
        kept = [made for made in self.report["rounds"] if made["kept"]]
        best = kept[-1] if kept else self.report["start"]
        return Outcome(best["verdicts"], best["cells"])

    def _end(self, tally: Tally) -> None:
        """A round without pairs ends the run; what earlier rounds gained stays."""
        said = f"round {self.round + 1} has no preferences, of {tally.words()}"
        if not self.helped():
            raise UsageError(f"expected pairs to learn from, but {said}; draw more answers, or lower margin")
        self.report["ended"] = said

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.policy.lora, lr=self.settings.lora_rate, weight_decay=0.0)

    def _save(self) -> None:
        state = {
            "round": self.round,
            "step": self.step,
            "lora": self.policy.lora_weights(),
            "kept": self.kept,
            "optimizer": self.optimizer.state_dict(),
            "report": json.dumps(self.report),
        }
        save_checkpoint(state, self.out)

    def _resume(self) -> None:
        file = self.out / CHECKPOINT
        if file.exists():
            state = torch.load(file, weights_only=True)
            self.round, self.step, self.kept = state["round"], state["step"], state["kept"]
            self.policy.set_lora(state["lora"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.report = json.loads(state["report"])
        cut_log(self.out, self.round * self.settings.steps + self.step)


def _share(of: Mapping[str, object] | None) -> float | None:
    value = of["value"] if of else None
    return value if isinstance(value, float) else None


def _told(preferences: Preferences) -> dict[str, object]:
    pairs = preferences.pairs
    means = {
        f"score_of_{which}": sum(getattr(pair, which).score for pair in pairs) / len(pairs)
        for which in ("best", "worst")
    }
    return {**preferences.tally.model_dump(), **means}


def seeded(*parts: object) -> torch.Generator:
    """A generator for what `parts` name: a draw does not depend on how many were made before it."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def place_of(i: int, count: int, seed: object) -> int:
    """Where to find the `i`-th of `count` things in passes over all of them, each in an order of its own."""
    number, place = divmod(i, count)
    return int(torch.randperm(count, generator=seeded(seed, "order", number))[place])
