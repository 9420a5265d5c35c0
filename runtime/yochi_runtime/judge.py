"""The judge: a checked bundle, its engines in processes of their own, and one judgement after another.

Every fault becomes `cannot_judge` with its reason; nothing that goes wrong leads to `proceed`. The last
frame's reading is kept, so a new note on the same frame costs only what comes after the picture. The last
judgement can be explained; that comes after it, and no later one has another bit for it.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .admission import Standing
from .bundle import PACK, Bundle
from .engine_process import SILENCE_LIMIT
from .engines import Logits
from .errors import CannotJudge, Dropped, EngineError, NoteError, Reason, one_line
from .evidence import Box, cue_box, note_spans
from .explainer import SECONDS, Ended, Explained, Explainer
from .factors import NOTE_SOURCES, advice_of, flagged, risk_factors, trigger_cue, verdict_of_risks
from .fitting import check_fits, find_place
from .gates import check_content
from .heads import HeadMask, head_mask
from .image import Frame
from .inspection import Inspection, Note
from .judgement import Identities, Judgement, NoteSpan, NotKept, cannot_judge
from .judging_engines import Engines, open_engines
from .limits import gates_of
from .opening import admitted, prompt_of
from .prompt import Prompt
from .reader import SlotLogits
from .readout import Readout, read_out, yes_margins
from .scene import Seen, Stages
from .sign_reading import SignReading
from .supervision import WINDOW
from .taxonomy import Slot, Source
from .verdict import Verdict

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Judged:
    """What the last judgement was of: ids of the note, words in the picture, and its identities."""

    note: Note
    ids: Sequence[int]
    sign: str | None
    identities: Identities


class Judge:
    """Made by `Judge.open`. A context manager; not for several threads at once."""

    def __init__(
        self,
        bundle: Bundle,
        prompt: Prompt,
        engines: Engines,
        *,
        standing: Standing,
        signs: SignReading,
    ) -> None:
        self.bundle, self.standing, self._signs = bundle, standing, signs
        self._prompt, self._engines, self._scene = prompt, engines, engines.scene
        self._loading = Stages()
        self._explainer = Explainer.of(bundle, prompt)
        self._rests_until = 0.0  # time.monotonic() from which on there are explanations again
        self._last: _Judged | None = None  # None as well where it came to no judgement
        self._computed: dict[str, float] = {}

    @classmethod
    def open(
        cls,
        bundle_path: Path | None = None,
        *,
        trust: frozenset[str] = frozenset(),
        threads: int | None = None,
    ) -> "Judge":
        """Check bundle and base model byte by byte, then load them.

        `trust` are sha256 of further manifests to believe. Where neither they, this source nor a key of the
        box answer for it, every judgement is `cannot_judge: unproved`, or on a box that enforces
        (`admission`) it is refused before anything is loaded. `threads` defaults to the board's. BundleError
        or EngineError where it cannot be opened or does not fit, UsageError where no such folder or board
        exists.
        """
        loading = Stages()
        with loading.timed("load"), ExitStack() as opened:
            bundle, standing = admitted(bundle_path, trust)
            prompt = prompt_of(bundle)
            place = find_place()
            check_fits(bundle, place)
            count = threads or place.threads
            engines = open_engines(bundle, prompt, count)
            opened.callback(engines.close)
            signs = SignReading.open(bundle, count)
            opened.callback(signs.close)
            judge = cls(bundle, prompt, engines, standing=standing, signs=signs)
            opened.pop_all()  # from here on the judge closes them
        judge._loading = loading
        return judge

    @property
    def proved(self) -> bool:
        """Whether a verdict may be given: a trusted bundle whose exporter's checks all passed."""
        return self.standing.trusted and self.bundle.manifest.proof.passed

    @property
    def explains(self) -> bool:
        """Whether its bundle learned to, in a form that this version knows."""
        return self._explainer is not None

    @property
    def versions(self) -> str:
        """Of the engines' libraries."""
        return " / ".join(filter(None, (self._engines.version, self._signs.version)))

    @property
    def starts(self) -> Mapping[str, int]:
        """How often each engine was started."""
        return self._engines.starts

    @property
    def computed_ms(self) -> Mapping[str, float]:
        """Of the last judgement's stages `judge` and `evidence` the time in which an engine computed.

        As each engine's process measures it: without the wire, and without waking up.
        """
        return dict(self._computed)

    def judge(self, inspection: Inspection) -> Judgement:
        """One judgement; what goes wrong with the inspection or the engines is in it, never raised."""
        stages, self._loading = self._loading, Stages()
        self._last, self._computed = None, {}
        identities = self._identities(inspection)
        try:
            return self._guarded(inspection, identities, stages)
        except CannotJudge as e:
            _LOG.debug("cannot judge", exc_info=e)
            self._scene.forget()
            failed = cannot_judge(e.reason, str(e), identities, gates_of(e))
            return failed.model_copy(
                update={"timings_ms": dict(stages), "language": _language(inspection.note)}
            )

    def heads(self, frame: Frame) -> HeadMask | NotKept:
        """Where heads may be in the frame that was judged last; why nobody knows where it is another."""
        seen = self._scene.seen(frame)
        if seen is None:
            return NotKept.NOT_LOOKED
        untrained, cells = self.bundle.not_trained(), seen.cells
        found = None if cells is None else head_mask(self.bundle.pack, untrained, cells)
        return NotKept.NO_CUES if found is None else found

    def explain(
        self, shown: Judgement, *, seconds: float = SECONDS, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Explained]:
        """Words about the last judgement, as it is `shown` (after the rules), as far as they are.

        The last of them has the text, or why it was dropped. Nothing comes of another judgement, or where
        there is nothing to explain. `stop` and the `seconds` are looked at before each pass of the model;
        judging meanwhile ends it, too. No later judgement has another bit for it.
        """
        last = self._last
        if self._explainer is None or last is None or shown.identities.frame != last.identities.frame:
            return
        if shown.identities.note != last.identities.note:
            return
        begun = False

        def ask(ids: Sequence[int], following: Sequence[int], left: float) -> Logits:
            nonlocal begun
            if self._last is not last or stop():
                raise Ended(Dropped.INTERRUPTED)
            if time.monotonic() < self._rests_until:
                raise Ended(Dropped.RESTING)
            # A pass that is late by more than a dead engine's silence ends the engine.
            self._engines.be_patient(left + SILENCE_LIMIT)
            try:
                if not begun:
                    self._scene.return_to(last.ids, last.sign)
                    begun = True
                return self._scene.go_on(ids, following)
            except BaseException:
                self._scene.forget()
                # An engine that fails often is started later and later; judging must not come to that.
                self._rests_until = time.monotonic() + WINDOW
                raise
            finally:
                self._engines.be_patient(None)

        yield from self._explainer.explain(shown, last.note, ask, seconds)

    def _guarded(self, inspection: Inspection, identities: Identities, stages: Stages) -> Judgement:
        try:
            return self._judge(inspection, identities, stages)
        except CannotJudge:
            raise
        except Exception as e:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected a judgement, got {type(e).__name__}: {one_line(e)}; restart Yochi, report it",
            ) from e

    def _judge(self, inspection: Inspection, identities: Identities, stages: Stages) -> Judgement:
        note, pack = inspection.note, self.bundle.pack
        with self._timed(stages, "judge"):
            if self.proved:  # otherwise that is the reason, and the numbers are shown for engineers
                self._check_language(note)
            self._prompt.note(note.text)  # one that is too long costs no look at the picture
            with stages.timed("gates"):
                gates = check_content(inspection.frame)
            self._engines.ping()  # also where the frame is kept and nothing else is asked of it
            seen = self._scene.look(inspection.frame, stages)
            sign = self._signs.read(inspection.frame, stages)
            ids = self._prompt.note(note.text, sign.text)
            answers = self._scene.read(ids, stages, sign.text)
            with stages.timed("verdict"):
                signs_read = sign.text is not None
                readout = read_out(self.bundle, seen.look, answers, signs_read=signs_read).unlooked(sign.why)
                risks = flagged(pack, readout)
                verdict = (
                    verdict_of_risks(self.bundle, readout, risks) if self.proved else Verdict.CANNOT_JUDGE
                )
        with self._timed(stages, "evidence"):
            spans = self._spans(note, sign.text, risks, answers)
            factors = risk_factors(pack, readout, spans, self._boxes(risks, readout, seen), sign.text or "")
        self._last = _Judged(note, ids, sign.text, identities)
        return Judgement(
            verdict=verdict,
            reasons=() if self.proved else (Reason.UNPROVED,),
            message=None if self.proved else self._unproved(),
            factors=factors,
            slots=readout.slots,
            gates=gates,
            advice=advice_of(pack, verdict, factors),
            language=_language(note),
            timings_ms=dict(stages),
            identities=identities,
        )

    @contextmanager
    def _timed(self, stages: Stages, stage: str) -> Iterator[None]:
        """And what engines computed in it. One thread, one request at a time: their times add up."""
        before = self._engines.computed_ms + self._signs.computed_ms
        with stages.timed(stage):
            yield
        self._computed[stage] = self._engines.computed_ms + self._signs.computed_ms - before

    def _check_language(self, note: Note) -> None:
        proved = self.bundle.manifest.languages
        if note.language not in proved:
            raise NoteError(
                Reason.LANGUAGE_NOT_PROVED,
                f"expected a note in a language proved for this bundle ({', '.join(proved) or 'none'}), "
                f"got {note.language}; write it in one of them or call the supervisor",
            )

    def _spans(
        self, note: Note, sign: str | None, risks: tuple[Slot, ...], whole: SlotLogits
    ) -> dict[str, NoteSpan]:
        """Reads the note again without each of its clauses, on the frame that is still in the cache."""
        place = {slot.id: i for i, slot in enumerate(self.bundle.pack.risk_slots)}
        asked = {place[slot.id]: slot.id for slot in risks if slot.source in NOTE_SOURCES}
        margins = partial(self._margins, sign)
        spans = note_spans(note.raw, list(asked), yes_margins(whole.risks), margins)
        return {asked[i]: span for i, span in spans.items()}

    def _margins(self, sign: str | None, text: str) -> NDArray[np.float64] | None:
        try:
            ids = self._prompt.note(Note(text).text, sign)
        except NoteError:
            return None  # what is left may be no note at all; that says nothing against the whole one
        return yes_margins(self._scene.read(ids, Stages(), sign).risks)

    def _boxes(self, risks: tuple[Slot, ...], readout: Readout, seen: Seen) -> dict[str, Box | None]:
        column = {slot.id: i for i, slot in enumerate(self.bundle.pack.cue_slots)}
        boxes: dict[str, Box | None] = {}
        for slot in risks:
            cue = slot.id if slot.source is Source.IMAGE_CONTENT else None
            if slot.source is Source.COMBINATION and slot.category is not None:
                trigger = trigger_cue(self.bundle.pack, slot.category, readout)
                cue = trigger.id if trigger else None
            if cue is not None and seen.cells is not None:
                boxes[slot.id] = cue_box(seen.cells[:, column[cue]])
        return boxes

    def _identities(self, inspection: Inspection) -> Identities:
        manifest = self.bundle.manifest
        return Identities(
            bundle=self.bundle.sha256,
            base=manifest.base.sha256,
            pack=manifest.files[PACK].sha256,
            prompt=manifest.prompt.sha256,
            frame=inspection.frame.sha256,
            note=inspection.note.sha256,
            engine=self.versions,
        )

    def _unproved(self) -> str:
        if not self.standing.trusted:
            return (
                f"expected a bundle that this Yochi trusts, got manifest {self.bundle.sha256[:12]}..., "
                f"{self.standing.said}; use the shipped bundle and do not act on these numbers"
            )
        return "expected a bundle whose proof passed, got one that failed it; do not act on these numbers"

    def close(self) -> None:
        """Ends the engines."""
        self._signs.close()
        self._engines.close()

    def __enter__(self) -> "Judge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()


def _language(note: Note) -> Literal["en", "ja"] | None:
    return None if note.language == "other" else note.language
