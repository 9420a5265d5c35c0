"""From slots above their thresholds to risk factors in words, and from factors to verdict and advice."""

import unicodedata
from collections.abc import Mapping, Sequence

from .bundle import Bundle
from .evidence import Box
from .judgement import CALL_SUPERVISOR, GO_ON, Coverage, Evidence, NoteSpan, RiskFactor, SlotResult
from .readout import Readout
from .taxonomy import Pack, Slot, Source, Text
from .verdict import Verdict, highest, of_severity, of_slot

MAX_QUOTE = 80  # characters of a note in one line of `why`
NOTE_SOURCES = (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT, Source.COMBINATION)
_ZERO_WIDTH_JOINER = "\u200d"  # holds emoji together


def flagged(pack: Pack, readout: Readout) -> tuple[Slot, ...]:
    """The risk slots and risk cues at or above their thresholds, in the pack's order."""
    return tuple(
        slot
        for slot, result in zip(pack.slots, readout.slots, strict=True)
        if slot.category is not None and result.flagged
    )


def trigger_cue(pack: Pack, category: str, readout: Readout) -> SlotResult | None:
    """The most probable cue of the combination that makes `category`; None where none of them is judged."""
    cues = [cue for pair in pack.combination if pair.category == category for cue in pair.cues]
    judged = [r for r in (readout.of(f"cue:{cue}") for cue in cues) if r.coverage is Coverage.JUDGED]
    return max(judged, key=lambda r: r.probability or 0.0, default=None)


def risk_factors(
    pack: Pack,
    readout: Readout,
    spans: Mapping[str, NoteSpan],
    boxes: Mapping[str, Box | None],
    sign: str = "",
) -> tuple[RiskFactor, ...]:
    """The most severe first, then the most probable. `spans` and `boxes` are by slot id.

    `sign` are the words that were read in the picture.
    """
    factors = [
        _factor(pack, slot, readout, Evidence(note=spans.get(slot.id), box=boxes.get(slot.id)), sign)
        for slot in flagged(pack, readout)
    ]
    return tuple(sorted(factors, key=lambda f: (f.severity != "S2", -f.probability)))


def _factor(pack: Pack, slot: Slot, readout: Readout, evidence: Evidence, sign: str) -> RiskFactor:
    if slot.source is None or slot.category is None:
        raise ValueError(f"{slot.id} is no risk")
    result, category = readout.of(slot.id), pack.category_of(slot.category)
    return RiskFactor(
        slot=slot.id,
        source=slot.source,
        category=category.id,
        name=category.name,
        probability=result.probability or 0.0,
        threshold=result.threshold or 0.0,
        severity=category.severity,
        evidence=evidence,
        why=_why(pack, slot, readout, evidence, sign),
    )


def _why(pack: Pack, slot: Slot, readout: Readout, evidence: Evidence, sign: str) -> Text:
    """One line that claims no more than the slots say."""
    en = f'"{quote(evidence.note.text)}"' if evidence.note else "(the whole note)"
    ja = f"「{quote(evidence.note.text)}」" if evidence.note else "（メモ全体）"
    if slot.source is Source.NOTE_INSTRUCTION:
        return Text(en=f"The note asks for it: {en}", ja=f"メモの指示に危険があります：{ja}")
    if slot.source is Source.NOTE_CONTENT:
        return Text(en=f"The note reports it: {en}", ja=f"メモが危険な状態を伝えています：{ja}")
    if slot.source is Source.IMAGE_CONTENT:
        name = next(cue.name for cue in pack.cue if cue.id == slot.cue)
        return Text(en=f"In the picture: {name.en}", ja=f"画像に写っています：{name.ja}")
    if slot.source is Source.IMAGE_TEXT:
        said = quote(sign)
        return Text(en=f'The picture has these words: "{said}"', ja=f"画像に次の文言があります：「{said}」")
    seen = _seen(pack, slot, readout)
    if seen is None:
        return Text(en=f"The note and the picture together: {en}", ja=f"メモと画像が重なると危険です：{ja}")
    return Text(
        en=f"The note together with what the picture shows ({seen.en}): {en}",
        ja=f"画像の{seen.ja}とメモの作業が重なると危険です：{ja}",
    )


def _seen(pack: Pack, slot: Slot, readout: Readout) -> Text | None:
    """The name of the combination's cue if that cue itself is above its threshold."""
    cue = trigger_cue(pack, slot.category or "", readout)
    if cue is None or not cue.flagged:
        return None
    return next(c.name for c in pack.cue if f"cue:{c.id}" == cue.id)


def quote(text: str, length: int = MAX_QUOTE) -> str:
    """One line of at most `length` characters that cannot steer a terminal or turn the writing direction."""
    line = " ".join(text.split())
    visible = "".join(c for c in line if c == _ZERO_WIDTH_JOINER or unicodedata.category(c)[0] != "C")
    return visible if len(visible) <= length else visible[: length - 1] + "…"


def verdict_of_risks(bundle: Bundle, readout: Readout, risks: Sequence[Slot]) -> Verdict:
    """The highest of the verdict slot and of every risk's severity."""
    own = bundle.calibration.verdict
    slot = of_slot(readout.caution, readout.stop, own.threshold_caution, own.threshold_stop)
    severities = (bundle.pack.category_of(risk.category or "").severity for risk in risks)
    return highest([slot, *map(of_severity, severities)])


def advice_of(pack: Pack, verdict: Verdict, factors: Sequence[RiskFactor]) -> Text:
    """What to do: of the first (worst) factor; without one, the supervisor decides anything but `proceed`."""
    if verdict is Verdict.CANNOT_JUDGE:
        return CALL_SUPERVISOR
    if factors:
        return pack.category_of(factors[0].category).advice
    return GO_ON if verdict is Verdict.PROCEED else CALL_SUPERVISOR
