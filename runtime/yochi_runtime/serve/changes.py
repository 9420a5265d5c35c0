"""What may be changed while the service judges: mode, rulebook, bundle, and what is chosen at the first run.

All but the bundle is changed on the desk's thread, between two judgements. First everything that can be
found wrong, then the row `begun`, the kept file's rename, the row of what was done, and only then what
judges. Where a step fails the file goes back and nothing has changed. Killed anywhere, the next start has the
old or the new.

Another bundle's engines are started, and judge the built-in frame, beside those that go on judging; the desk
takes them between two judgements, once `current` names their bundle and the row says so.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

from ..audit.log import AuditLog
from ..audit.updates import Update
from ..errors import AuditError, EngineError, Reason, UsageError
from ..judge import Judge
from ..mode import Mode
from ..rules_in_force import KeptRules, RulesInForce
from ..run import camera_name
from ..update import roll_back
from .builtin import BuiltIn
from .desk import Desk
from .kept import KeptFile
from .live import Live
from .made_tokens import MadeTokens, TokensFile

ADMIN = "admin"  # who has the second token
FIRST_RUN = "first run"  # who stands before a box that has none yet
Chosen = Literal["camera", "note", "language"]


class Changes:
    """Of one service. `bundles` is None where the bundle was named, so that an installed one counts nothing.

    UsageError where a change is refused, AuditError where it cannot be recorded: then nothing was changed.
    """

    def __init__(
        self, desk: Desk, rules: RulesInForce | None, kept: KeptFile, bundles: Path | None, log: Path
    ) -> None:
        self._desk, self._rules, self._kept, self._log = desk, rules, kept, log
        self.bundles = bundles

    def change_mode(self, mode: Mode, live: Live | None) -> Update:
        """On the desk's thread. The row that was written."""
        desk, signals = self._desk, None if live is None else live.signals
        update = Update(did="changed", what="mode", before=desk.mode, after=mode, by=ADMIN)
        with self._refusing(update):
            judge = desk.opened
            if mode is Mode.ENFORCE and (judge is None or not judge.proved):
                found = "none that is open" if judge is None else judge.bundle.path
                raise UsageError(f"expected a proved bundle for mode enforce, got {found}; take another mode")
            self._kept.stage(self._kept.kept.model_copy(update={"mode": mode}))
        with self._recorded(update) as undo:
            if signals is not None:
                undo.callback(signals.change, desk.mode)
                # Until the mode is the desk's, too, nothing that is given moves anything.
                signals.change(mode)
        desk.mode = mode
        if live is not None:
            live.show_again()
        return update

    def roll_back_rules(self) -> Update:
        """On the desk's thread. The row that was written."""
        rules = self._rules
        if rules is None:
            raise UsageError("expected a rulebook in force, there is none; start with --rules FILE")
        after = None if rules.before is None else rules.before.file.sha256
        update = Update(
            did="rolled_back", what="rules", before=rules.rules.file.sha256, after=after, by=ADMIN
        )
        with self._refusing(update):
            kept = rules.earlier()
            self._kept.stage(self._kept.kept.model_copy(update={"rules": kept}))
        with self._recorded(update):
            pass
        rules.go_back(kept)
        return update

    def keep_rules(self, rules: KeptRules) -> None:
        """The file's rulebook is another one, which needs no token. UsageError where it cannot be kept."""
        self._kept.stage(self._kept.kept.model_copy(update={"rules": rules}))
        self._kept.put()

    def choose(self, what: Chosen, value: str | None, by: str) -> Update | None:
        """On the desk's thread. The row that was written, None where it is chosen already.

        A camera and its note count from the next start on.
        """
        kept = self._kept.kept
        before = kept.model_dump()[what]
        if value == before:
            return None
        said = [camera_name(one) if what == "camera" and one else one for one in (before, value)]
        update = Update(did="changed", what=what, before=said[0], after=said[1], by=by)
        with self._refusing(update):
            self._kept.stage(kept.model_copy(update={what: value}))
        with self._recorded(update):
            pass
        return update

    def keep_tokens(self, file: TokensFile, made: MadeTokens, by: str) -> Update:
        """On the desk's thread. The row that was written; the tokens themselves stand in no row."""
        update = Update(did="changed", what="tokens", before=None, after="made", by=by)
        with self._recorded(update, lambda: file.write(made), file.remove):
            pass
        return update

    def roll_back_bundle(self) -> Update:
        """On a thread of its own, one at a time. Errors as of `update.roll_back`, too.

        The old engines judge until the new ones have, in a judge as this service opens it.
        """
        if self.bundles is None:
            raise UsageError(
                "expected the box's bundle to judge, this service was started with --bundle; start it without"
            )
        with ExitStack() as opened:
            judges: list[Judge] = []

            def also() -> None:
                judges.append(opened.enter_context(self._desk.opens()))
                BuiltIn().check(judges[0])
                if self._rules is not None:
                    self._rules.fitting(judges[0].bundle.pack)

            with AuditLog(self._log) as log:
                roll_back(self.bundles, log, ADMIN, also)
            try:
                update = self._desk.run(lambda: self._take(judges[0])).result()
            except CancelledError as e:
                said = "expected to judge with the bundle before, the service is ending; the next start does"
                raise EngineError(Reason.ENGINE_FAILED, said) from e
            opened.pop_all()  # from here on the desk closes it
        return update

    def _take(self, judge: Judge) -> Update:
        """On the desk's thread."""
        opened = self._desk.opened
        before = None if opened is None else opened.bundle.sha256
        if self._rules is not None:
            self._rules.refit(judge.bundle.pack)
        self._desk.take(judge)
        return Update(did="rolled_back", before=before, after=judge.bundle.sha256, by=ADMIN)

    @contextmanager
    def _refusing(self, update: Update) -> Iterator[None]:
        """A refusal becomes a row, too."""
        try:
            yield
        except UsageError as e:
            self._desk.log.add_update(update.model_copy(update={"did": "refused", "why": str(e)}))
            raise

    @contextmanager
    def _recorded(
        self,
        update: Update,
        put: Callable[[], None] | None = None,
        put_back: Callable[[], None] | None = None,
    ) -> Iterator[ExitStack]:
        """What was staged, or what `put` puts, counts, between its rows.

        Whatever fails undoes it, and what the block names.
        """
        log = self._desk.log
        log.add_update(update.model_copy(update={"did": "begun"}))
        with ExitStack() as undo:
            undo.callback(put_back or self._kept.put_back)
            try:
                (put or self._kept.put)()
                yield undo
                log.add_update(update)
            except BaseException as e:
                why = str(e) or repr(e)
                with suppress(AuditError):  # then `begun` stands alone, which says that it was cut off
                    log.add_update(update.model_copy(update={"did": "undone", "why": why}))
                raise
            undo.pop_all()
