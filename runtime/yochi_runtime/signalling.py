"""From a judgement to the plant's signal: what leaves the box, and what it may move, in each mode.

| mode    | messages (MQTT, webhook, CSV) | lamp and PLC                                            |
|---------|-------------------------------|---------------------------------------------------------|
| shadow  | none                          | not even connected                                      |
| advise  | every judgement               | idle; a PLC is told the verdict for its display         |
| enforce | every judgement               | `Judgement.output`; hold, too, where none comes in time |
"""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from yochi_devices.plant.line import Line, open_line
from yochi_devices.plant.settings import SignalSettings, read_settings
from yochi_devices.plant.signal import Colour, SettingsError, Signal

from .audit.log import default_log, now
from .errors import UsageError
from .judgement import Judgement
from .mode import Mode, Output
from .verdict import Verdict

COLOURS: dict[Verdict, Colour] = {Verdict.PROCEED: "green", Verdict.CAUTION: "amber"}  # others: red
CODES = {Verdict.PROCEED: 1, Verdict.CAUTION: 2, Verdict.STOP: 3, Verdict.CANNOT_JUDGE: 4}
COLUMNS = (
    *("test", "seen", "expires", "camera", "mode", "row", "verdict", "output", "reasons", "factors", "words"),
)
Tell = Callable[[str], object]
Opens = Callable[[Mode], Line | None]


def signal_of(judgement: Judgement, row: int | None, seen: float, release_s: float) -> Signal:
    """`row`: its number in the log; `seen`: time.monotonic() of its frame; `release_s`: seconds from then."""
    age = time.monotonic() - seen
    words = f"{judgement.verdict}: {judgement.message or judgement.advice.en}"
    payload: dict[str, Any] = {
        "test": False,
        "seen": now(timedelta(seconds=age)),
        "expires": now(timedelta(seconds=age - release_s)),
        "camera": judgement.camera,
        "mode": judgement.mode,
        "row": row,
        "verdict": judgement.verdict,
        "output": judgement.output,
        "reasons": list(judgement.reasons),
        "factors": [
            {"slot": f.slot, "probability": f.probability, "severity": f.severity} for f in judgement.factors
        ],
        "words": words,
    }
    return Signal(
        id=uuid.uuid4().hex,
        words=words,
        issued=seen,
        expires=seen + release_s,
        payload=payload,
        release=None if judgement.output is None else judgement.output is Output.RELEASE,
        colour=COLOURS.get(judgement.verdict, "red"),
        code=CODES[judgement.verdict],
    )


class Signals(AbstractContextManager["Signals"]):
    """What a command gives its judgements to; without a settings file, or in shadow, nothing leaves.

    `opens` gives the line for a mode, not started yet, or None; UsageError where it cannot be opened.
    """

    def __init__(self, mode: Mode, release_s: float, opens: Opens) -> None:
        self.line = opens(mode)
        self._mode, self._release_s, self._opens = mode, release_s, opens
        self._guard = threading.Lock()  # of line and mode

    def give(self, judgement: Judgement, row: int | None, seen: float | None) -> None:
        """Once the judgement's row is durable. Raises nothing. `seen` None: now.

        One that was made in another mode moves nothing.
        """
        with self._guard:
            if self.line is None or judgement.mode is not self._mode:
                return
            since = time.monotonic() if seen is None else seen
            self.line.give(signal_of(judgement, row, since, self._release_s))

    def change(self, mode: Mode) -> None:
        """Outputs hold, and then follow what is given in `mode`.

        UsageError where its line cannot be opened: then outputs hold and nothing leaves.
        """
        with self._guard:
            before, self.line, self._mode = self.line, None, mode
        if before is not None:
            before.close()  # first: the outbox is of one line alone, and so are the plant's connections
        after = self._opens(mode)
        if after is not None:
            after.start()
        with self._guard:
            self.line = after

    def __enter__(self) -> "Signals":
        if self.line is not None:
            self.line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        if self.line is not None:
            self.line.close()


def settings_of(file: Path) -> SignalSettings:
    """UsageError where it cannot be meant."""
    try:
        return read_settings(file)
    except SettingsError as e:
        raise UsageError(str(e)) from e


def default_outbox() -> Path:
    return default_log().with_name("outbox.db")


def open_signals(
    file: Path | None, mode: Mode, tell: Tell, *, every: float, valid: float | None = None
) -> Signals:
    """Of the settings in `file`. `every`: seconds from judgement to judgement; `valid`: that one is shown.

    UsageError where they, or what they name, cannot be meant.
    """
    if file is None:
        return Signals(mode, 0.0, lambda _: None)
    settings = settings_of(file)
    limit = settings.release_s
    if limit <= every or (valid is not None and limit > valid):
        bound = f"more than the {every:g} s between judgements"
        bound += "" if valid is None else f" and at most the {valid:g} s that one is shown"
        raise UsageError(f"{file}: expected release_s of {bound}, got {limit:g}; change one of them")

    def opens(mode: Mode) -> Line | None:
        if mode is Mode.SHADOW:
            tell("in shadow no signal leaves the box; the settings are right")
            return None
        try:
            return open_line(settings, default_outbox(), COLUMNS, tell, driving=mode is Mode.ENFORCE)
        except SettingsError as e:
            raise UsageError(f"{file}: {e}") from e

    return Signals(mode, limit, opens)
