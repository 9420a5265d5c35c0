"""The rulebook that judges while its file may change: the new one is taken whole and right, or not at all.

Before every judgement the file's text is read and compared with the one in force. Reading 10 kB costs less
than a thousandth of a judgement; a time of change can lie (copies keep it, clocks jump), and a signal reaches
neither a file that somebody copies nor a thread of the service. What was read once is what is checked and
what judges, so nothing can change in between.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .errors import UsageError, one_line
from .inspection import Note
from .judgement import Judgement
from .plant_rules import PlantRules, plant_rules
from .rule_file import rules_of, rules_text
from .taxonomy import Pack, sha256_text

# Seconds that another text must stay the same before it is looked at. The beginning of a rulebook may be a
# right one with fewer rules, and a file that is written in place is its own beginning for a while.
SETTLED = 2.0
Tell = Callable[[str], object]


class _Seen(NamedTuple):
    """What the file held: its text, or why there is none."""

    text: str | None
    fault: str


class RulesInForce:
    """Begins with `rules`. `tell` gets one line when the file is taken, refused, or back; from one thread."""

    def __init__(
        self, rules: PlantRules, path: Path, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rules = rules
        self.not_taken: str | None = None  # what the file holds by now, and why it does not judge
        self._path, self._tell, self._clock = path, tell, clock
        self._seen: _Seen | None = None  # what is not in force, where something is seen that is not
        self._since = 0.0
        self._refused = False

    def apply(self, judgement: Judgement, note: Note | None) -> Judgement:
        """As `PlantRules.apply`, by the rules in force; the judgement says where the file holds others."""
        ruled = self.current().apply(judgement, note)
        if ruled.rules is None or self.not_taken is None:
            return ruled
        return ruled.model_copy(
            update={"rules": ruled.rules.model_copy(update={"not_taken": self.not_taken})}
        )

    def current(self) -> PlantRules:
        """The rules to judge with now. No fault of the file is raised: the old ones stay."""
        seen = self._look()
        if seen.text is not None and sha256_text(seen.text) == self.rules.file.sha256:
            self._back()
        elif seen != self._seen:
            self._seen, self._since, self._refused = seen, self._clock(), False
            self.not_taken = seen.fault or _plain(
                f"{self._path} holds another rulebook, which has not stayed the same for {SETTLED:g} s yet"
            )
        elif not self._refused and self._clock() - self._since >= SETTLED:
            self._decide(seen)
        return self.rules

    def _look(self) -> _Seen:
        try:
            return _Seen(rules_text(self._path), "")
        except UsageError as e:
            return _Seen(None, _plain(str(e)))

    def _decide(self, seen: _Seen) -> None:
        before = self.rules
        try:
            self.rules = _checked(seen, str(self._path), before.file.pack, before.zone)
        except Exception as e:  # noqa: BLE001 -- whatever is wrong with the new one, the old one is right
            self.not_taken = _plain(
                str(e) if isinstance(e, UsageError) else f"{type(e).__name__}: {one_line(e)}"
            )
            self._refused = True
            self._tell(f"rulebook {_title(before)} stays in force: {self.not_taken}")
        else:
            self._seen = self.not_taken = None
            self._tell(
                f"rulebook {_title(self.rules)} is in force with {len(self.rules.file.book.rule)} rules; "
                f"before it {_title(before)} with {len(before.file.book.rule)}"
            )

    def _back(self) -> None:
        """The file holds what is in force."""
        refused, self._refused = self._refused, False
        self._seen = self.not_taken = None
        if refused:
            self._tell(f"rulebook {_title(self.rules)} stays in force: the file holds it again")


def rules_in_force(
    path: Path | None, zone: str | None, bundle: Path | None, tell: Tell
) -> RulesInForce | None:
    """For a command that goes on judging; otherwise as `plant_rules`."""
    rules = plant_rules(path, zone, bundle)
    return None if rules is None or path is None else RulesInForce(rules, path, tell)


def _checked(seen: _Seen, name: str, pack: Pack, zone: str | None) -> PlantRules:
    if seen.text is None:
        raise UsageError(seen.fault)
    return PlantRules(rules_of(seen.text, name, pack), zone)


def _plain(line: str) -> str:
    """One line. A path may hold bytes that are no UTF-8, and JSON cannot."""
    return " ".join(line.split()).encode("utf-8", "backslashreplace").decode()


def _title(rules: PlantRules) -> str:
    book = rules.file.book
    return f"{book.id} {book.version} ({rules.file.sha256[:12]})"
