"""What is shown of a camera: a judgement, how old it is by now, and its explanation."""

import time
from typing import NamedTuple

from ..explainer import Explained
from ..image import Frame
from ..mode import Mode
from .given import Given, Told, Withheld


class Shown(NamedTuple):
    """A judgement of the camera, since when it counts, its frame and its explanation where there are any."""

    given: Given
    since: float  # time.monotonic() of its frame
    frame: Frame | None
    explained: Explained | None = None

    def now(self, mode: Mode) -> Given | Withheld:
        """As it is to be shown now, in `mode`: with its age, or as expired."""
        return self.aged(mode).shown()

    def told(self, mode: Mode) -> Told | None:
        """Its explanation, as far as it is; None where what is shown now is not what it explains."""
        now, explained = self.now(mode), self.explained
        if not isinstance(now, Given) or now.id is None or explained is None:
            return None
        if now.judgement.verdict is not self.given.judgement.verdict:
            return None
        return Told(id=now.id, explanation=explained)

    def aged(self, mode: Mode) -> Given:
        """The same with all of the judgement, in shadow, too: for who looks after the box."""
        return self.given.under(mode).at(max(0.0, time.monotonic() - self.since))
