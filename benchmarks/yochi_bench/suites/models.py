"""The models that a suite is asked of, besides the box: one that answers and up to two that judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yochi_runtime.errors import UsageError

from .chat import ChatModel
from .items import Item, Suite
from .replies import Replies
from .rules import Rule, Score, rules_of
from .run import Said, ask_model

KEYS = ("YOCHI_ANSWERS_KEY", "YOCHI_JUDGE_KEY", "YOCHI_SECOND_JUDGE_KEY")


@dataclass(frozen=True)
class Models:
    """Each MODEL@URL or None. UsageError for answers that nobody judges, and judges of nothing."""

    answers: str | None
    judge: str | None
    second: str | None

    def __post_init__(self) -> None:
        if (self.answers is None) != (self.judge is None) or (self.second and not self.judge):
            raise UsageError(
                "expected --answers and --judge, and --second-judge only beside them, got some of them"
            )
        if self.second == self.judge is not None:
            raise UsageError("expected a second judge that is another, got the first one again")

    def rules(self, suite: Suite, folder: Path) -> Mapping[Score, Rule]:
        """None without answers to judge: then the clone needs no scoring script."""
        return rules_of(suite, folder) if self.answers else {}

    def ask(self, items: Sequence[Item], rules: Mapping[Score, Rule], out: Path) -> list[Said]:
        """One `Said` a judge; replies are kept in `out`, and taken from there."""
        if self.answers is None:
            return []
        replies = Replies(out)
        named = zip((self.answers, self.judge, self.second), KEYS, strict=True)
        model, *judges = (ChatModel(name, key, replies) for name, key in named if name)
        return ask_model(model, judges, items, rules)
