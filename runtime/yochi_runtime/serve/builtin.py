"""The frame and note that come with Yochi, judged again and again: does it judge, and still the same?

`builtin.jpg` is `docs/sample/frame.jpg`, 640 pixels wide.
"""

from importlib import resources

from ..bundle import Bundle
from ..errors import CannotJudge, EngineError, Reason
from ..image import Frame, decode_frame
from ..inspection import Inspection, Note
from ..judge import Judge
from ..judgement import SlotResult
from ..verdict import Verdict

NOTES = {"en": "Sweep the floor by press 3.", "ja": "プレス3号機のそばの床を掃く。"}


class Refused(CannotJudge):
    """The judge's own `cannot_judge` of the built-in frame."""


class BuiltIn:
    """Remembers the numbers of the first judgement by each bundle and engine."""

    def __init__(self) -> None:
        data = (resources.files(__package__) / "builtin.jpg").read_bytes()
        self._frame: Frame = decode_frame(data, "the built-in picture")
        self._known: dict[tuple[str | None, str | None], tuple[SlotResult, ...]] = {}

    def check(self, judge: Judge) -> None:
        """Refused where the judge gives no verdict, EngineError where it gives other numbers than before.

        Other numbers from the same files mean memory or files that changed under the running box.
        """
        found = judge.judge(Inspection(self._frame, Note(_note(judge.bundle))))
        if found.verdict is Verdict.CANNOT_JUDGE:
            raise Refused(found.reasons[0], found.message or str(found.reasons[0]))
        by = (found.identities.bundle, found.identities.engine)
        if self._known.setdefault(by, found.slots) != found.slots:
            raise EngineError(
                Reason.ENGINE_OUTPUT,
                "expected the same numbers for the built-in picture as before, got others; "
                "the engines are started again",
            )


def _note(bundle: Bundle) -> str:
    return next((NOTES[lang] for lang in bundle.manifest.languages if lang in NOTES), NOTES["en"])
