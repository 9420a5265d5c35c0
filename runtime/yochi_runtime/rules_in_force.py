"""The rulebook that judges while its file may change: the new one is taken whole and right, or not at all.

Before every judgement the file's text is read and compared with the one in force. Reading 10 kB costs less
than a thousandth of a judgement; a time of change can lie (copies keep it, clocks jump), and a signal reaches
neither a file that somebody copies nor a thread of the service. What was read once is what is checked and
what judges, so nothing can change in between.

A service also keeps the rulebook that was in force before, and may be told to go back to it: then that one
judges until the file holds something else than it did at that moment.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .bundle import Sha256
from .errors import UsageError, one_line
from .inspection import Note
from .judgement import Judgement
from .plant_rules import PlantRules, plant_rules
from .rule_file import rules_of, rules_text
from .taxonomy import Frozen, Pack, sha256_text

# Seconds that another text must stay the same before it is looked at. The beginning of a rulebook may be a
# right one with fewer rules, and a file that is written in place is its own beginning for a while.
SETTLED = 2.0
Tell = Callable[[str], object]
Keep = Callable[["KeptRules"], object]


class KeptRules(Frozen):
    """What outlives a restart: the texts of the rulebook in force and of the one before it.

    `put_aside`: sha256 of the file's text that a roll-back overruled, None while the file is followed.
    """

    now: str
    before: str | None
    put_aside: Sha256 | None = None


class _Seen(NamedTuple):
    """What the file held: its text, or why there is none."""

    text: str | None
    fault: str


class RulesInForce:
    """Begins with `rules`. `tell` gets one line when the file is taken, refused, or back; from one thread.

    `before` is what `earlier` goes back to. What `keep` raises is told: the next start finds what it can.
    """

    def __init__(
        self, rules: PlantRules, path: Path, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rules = rules
        self.before: PlantRules | None = None
        self.not_taken: str | None = None  # what the file holds by now, and why it does not judge
        self._put_aside: str | None = None  # as in `KeptRules`
        self._keep: Keep = lambda _: None
        self._path, self._tell, self._clock = path, tell, clock
        self._seen: _Seen | None = None  # what is not in force, where something is seen that is not
        self._since = 0.0
        self._refused = False

    def resume(self, kept: KeptRules | None, keep: Keep) -> None:
        """Go on where the service ended whose `kept` it is, None: there was none; `keep` from now on."""
        self._keep = keep
        if kept is not None:
            self._resume(kept)
        self._kept()

    def _resume(self, kept: KeptRules) -> None:
        file = self.rules
        if kept.now == file.file.text:
            self.before = self._of(kept.before)
        elif kept.put_aside == file.file.sha256 and (rolled_back := self._of(kept.now)) is not None:
            self.rules, self.before, self._put_aside = rolled_back, self._of(kept.before), kept.put_aside
            self._stay()
            self._tell(f"rulebook {_title(rolled_back)} is in force: {self.not_taken}")
        else:  # changed while nothing ran
            self.before = self._of(kept.now)

    def _of(self, text: str | None) -> PlantRules | None:
        """A kept rulebook, None where it is none for this pack and zone any more."""
        if text is None:
            return None
        try:
            return self._checked(text, self.rules.file.pack)
        except Exception as e:  # noqa: BLE001 -- only what may be gone back to is lost, and that is said
            self._tell(f"a rulebook of before is given up: {_plain(one_line(e))}")
            return None

    def earlier(self) -> KeptRules:
        """What is to be kept once the rulebook before is in force; UsageError where there is none."""
        if self.before is None:
            raise UsageError(
                f"expected a rulebook that was in force before {_title(self.rules)}, none is kept; "
                "change the file instead"
            )
        held = self._look().text
        return KeptRules(
            now=self.before.file.text,
            before=self.rules.file.text,
            put_aside=None if held is None else sha256_text(held),
        )

    def go_back(self, kept: KeptRules) -> None:
        """The rulebook before is in force, until the file changes; `kept` is what `earlier` said."""
        assert self.before is not None
        self.rules, self.before, self._put_aside = self.before, self.rules, kept.put_aside
        self._seen, self._refused = None, False
        self.not_taken = None
        self.current()  # says what the file holds
        self._tell(f"rulebook {_title(self.rules)} is in force again; before it {_title(self.before)}")

    def fitting(self, pack: Pack) -> PlantRules:
        """The rules in force for another pack; UsageError where they are none for it."""
        return self._checked(self.rules.file.text, pack)

    def refit(self, pack: Pack) -> None:
        """Speak of another pack's slots from now on.

        A rulebook that is none for it stays with the old one's: it may leave more open, and lowers nothing.
        """
        try:
            self.rules = self.fitting(pack)
        except UsageError as e:
            self._tell(
                f"rulebook {_title(self.rules)} stays as it was for the bundle before: {_plain(str(e))}"
            )
        self.before = None if self.before is None else self._of(self.before.file.text)

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
        held = None if seen.text is None else sha256_text(seen.text)
        if held == self.rules.file.sha256:
            self._back()
        elif held is not None and held == self._put_aside:
            self._stay()
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
            if seen.text is None:
                raise UsageError(seen.fault)
            self.rules = self._checked(seen.text, before.file.pack)
        except Exception as e:  # noqa: BLE001 -- whatever is wrong with the new one, the old one is right
            self.not_taken = _plain(
                str(e) if isinstance(e, UsageError) else f"{type(e).__name__}: {one_line(e)}"
            )
            self._refused = True
            self._tell(f"rulebook {_title(before)} stays in force: {self.not_taken}")
        else:
            self._seen = self.not_taken = self._put_aside = None
            self.before = before
            self._kept()
            self._tell(
                f"rulebook {_title(self.rules)} is in force with {len(self.rules.file.book.rule)} rules; "
                f"before it {_title(before)} with {len(before.file.book.rule)}"
            )

    def _back(self) -> None:
        """The file holds what is in force."""
        refused, self._refused = self._refused, False
        self._seen = self.not_taken = None
        if self._put_aside is not None:  # it is followed again
            self._put_aside = None
            self._kept()
        if refused:
            self._tell(f"rulebook {_title(self.rules)} stays in force: the file holds it again")

    def _stay(self) -> None:
        """The file holds what was rolled back."""
        self._seen, self._refused = None, False
        self.not_taken = _plain(
            f"{self._path} holds a rulebook that was rolled back; change it to be followed"
        )

    def _checked(self, text: str, pack: Pack) -> PlantRules:
        return PlantRules(rules_of(text, str(self._path), pack), self.rules.zone)

    def _kept(self) -> None:
        before = None if self.before is None else self.before.file.text
        try:
            self._keep(KeptRules(now=self.rules.file.text, before=before, put_aside=self._put_aside))
        except UsageError as e:
            self._tell(f"what rulebook is in force could not be kept: {_plain(str(e))}")


def rules_in_force(
    path: Path | None, zone: str | None, bundle: Path | None, tell: Tell
) -> RulesInForce | None:
    """For a command that goes on judging; otherwise as `plant_rules`."""
    rules = plant_rules(path, zone, bundle)
    return None if rules is None or path is None else RulesInForce(rules, path, tell)


def _plain(line: str) -> str:
    """One line. A path may hold bytes that are no UTF-8, and JSON cannot."""
    return " ".join(line.split()).encode("utf-8", "backslashreplace").decode()


def _title(rules: PlantRules) -> str:
    book = rules.file.book
    return f"{book.id} {book.version} ({rules.file.sha256[:12]})"
