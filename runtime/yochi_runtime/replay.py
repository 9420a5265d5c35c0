"""Judge a row of the audit log again, from its kept picture, its note, its bundle and its rules.

On the same engine the judgement must be the very same; on another one numbers may differ by ELSEWHERE. Not
repeated are the times, and what a camera's gates measured from one frame to the next. Where heads were
blurred before the picture was kept, the one that was judged is gone: slots that ask about the note alone may
differ by BLURRED, and all that the picture has a part in by anything.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .audit.chain import Broken, Row, row_at, rows
from .audit.pictures import PictureLedger, PictureStore
from .errors import CannotJudge, UsageError
from .image import Frame, decode_frame
from .inspection import Inspection, Note
from .judge import Judge
from .judgement import Judgement
from .limits import Gate
from .opening import read_bundle
from .plant_rules import PlantRules, plant_rules
from .run import attempt
from .wording import NOT_KEPT

ELSEWHERE = 0.02  # how far a number of 0..1 may differ on another engine
BLURRED = 0.1  # the same for the slots of the note, judged with a blurred picture (`yochi-bench blur`)
NOTE_SLOTS = ("note_instruction:", "note_content:")  # how their ids begin
# What a blurred picture must not change, by the beginnings of paths; of cues and combinations not the number.
_KEPT = ("schema_version", "language", "camera", "mode", "identities.", "slots.")
_NAMES = ("slot", "id", "clause", "reason")  # what an entry of a list is called by


@dataclass(frozen=True)
class Replay:
    """What came of judging again. `differences` are lines, none where nothing differs beyond `tolerance`."""

    differences: tuple[str, ...]
    tolerance: float
    largest: float  # difference of two numbers that was allowed
    engines: tuple[str | None, str | None]  # recorded, now
    skipped: tuple[str, ...]  # reasons of the camera's gates
    blurred: bool = False  # whether the picture was
    loose: tuple[str, ...] = ()  # lines: what differs by more and may, because it was

    def text(self) -> str:
        """For the terminal."""
        lines = [*self.differences] or [self._same()]
        if self.blurred:
            lines.append(
                "judged again with the blurred picture that was kept, not the one that was judged: what the "
                f"note alone says may differ by {self.tolerance:g}, what the picture is part of by anything"
            )
            lines += [f"may differ: {line}" for line in self.loose]
        if self.engines[0] != self.engines[1]:
            lines.append("another engine: " + ", now ".join(name or "none" for name in self.engines))
        if self.skipped:
            lines.append(f"not judged again, the camera's: {', '.join(self.skipped)}")
        return "\n".join(lines)

    def _same(self) -> str:
        if self.blurred:
            return f"what the note alone says is the same; the largest difference is {self.largest:.2g}"
        if not self.largest:
            return "identical"
        return f"the same within {self.tolerance:g}; the largest difference is {self.largest:.2g}"


def replay(
    log: Path, number: int, bundle: Path | None, rules: Path | None, threads: int | None = None
) -> Replay:
    """Row `number` of `log`, judged again.

    UsageError where it cannot be: another bundle or rulebook than its own (a bundle that is given is taken,
    whichever it is), no kept picture, or a refusal by the camera's gates. Broken where row or picture are.
    """
    row, recorded = _judged_row(log, number)
    _check_bundle(row, bundle)
    plant = _rules(row, recorded, rules, bundle)
    inspection = _inspection(log, row, recorded)
    with Judge.open(bundle, threads=threads) as judge:
        return _again(recorded, inspection, judge, plant)


def replay_with(log: Path, number: int, judge: Judge, rules: PlantRules | None) -> Replay:
    """As `replay`, by an open judge and rules in force, which both must be the row's."""
    row, recorded = _judged_row(log, number)
    if judge.bundle.sha256 != row.bundle:
        raise UsageError(
            f"expected the bundle {str(row.bundle)[:12]}... of row {number}, the one in use is "
            f"{judge.bundle.sha256[:12]}...; run `yochi replay {number} --bundle DIR`"
        )
    plant = None
    if (ruling := recorded.rules) is not None:
        if rules is None or rules.file.sha256 != recorded.identities.rules:
            raise _other_rules(row, recorded, rules)
        plant = PlantRules(rules.file, ruling.zone)
    return _again(recorded, _inspection(log, row, recorded), judge, plant)


def _judged_row(log: Path, number: int) -> tuple[Row, Judgement]:
    row = row_at(log, number)
    recorded = _recorded(row)
    if recorded.identities.bundle is None or row.note is None:
        raise UsageError(
            f"expected a row that was judged, got one that was not: {recorded.message}; give another row"
        )
    return row, recorded


def _again(recorded: Judgement, inspection: Inspection, judge: Judge, plant: PlantRules | None) -> Replay:
    """By the time the row's rulebook was asked for: what held at night holds when it is looked into."""
    found, ruling = attempt(lambda: judge.judge(inspection)), recorded.rules
    if plant is not None and ruling is not None:
        ruled, time = plant, ruling.time
        found = attempt(lambda: ruled.apply(found, inspection.note, time))
    return compare(recorded, found.model_copy(update={"camera": recorded.camera, "mode": recorded.mode}))


def _recorded(row: Row) -> Judgement:
    try:
        return Judgement.model_validate_json(row.judgement)
    except ValueError as e:
        raise UsageError(
            f"expected row {row.sequence} to hold a judgement that this Yochi knows, got something else; "
            "see `yochi audit show`"
        ) from e


def _check_bundle(row: Row, bundle: Path | None) -> None:
    found = read_bundle(bundle).sha256
    if bundle is None and found != row.bundle:
        raise UsageError(
            f"expected the bundle {str(row.bundle)[:12]}... of row {row.sequence}, this box has "
            f"{found[:12]}...; give that one, or the one to compare with, by --bundle DIR"
        )


def _rules(row: Row, recorded: Judgement, rules: Path | None, bundle: Path | None) -> PlantRules | None:
    ruling = recorded.rules
    if ruling is None:
        if rules is not None:
            raise UsageError(f"expected no --rules, as row {row.sequence} was judged without; leave them out")
        return None
    plant = plant_rules(rules, ruling.zone if rules else None, bundle)
    if plant is None or plant.file.sha256 != recorded.identities.rules:
        raise _other_rules(row, recorded, plant)
    return plant


def _other_rules(row: Row, recorded: Judgement, plant: PlantRules | None) -> UsageError:
    ruling, known = recorded.rules, recorded.identities.rules
    title = f"{ruling.rulebook} {ruling.version} " if ruling else ""
    found = f"{plant.file.sha256[:12]}..." if plant else "none"
    return UsageError(
        f"expected the rulebook {title}({str(known)[:12]}...) of row {row.sequence}, got {found}; "
        "give it by --rules FILE"
    )


def _inspection(log: Path, row: Row, recorded: Judgement) -> Inspection:
    return Inspection(_frame(log, row, recorded), Note(row.note or ""))


def _frame(log: Path, row: Row, recorded: Judgement) -> Frame:
    store, name = PictureStore(log), recorded.identities.picture
    if name is None:
        why = recorded.not_kept and NOT_KEPT[recorded.not_kept].en
        raise UsageError(
            f"expected a picture kept with row {row.sequence}, found none; {why or 'judge --keep-frames'}"
        )
    if not store.path(name).is_file():
        ledger = PictureLedger()
        for each in rows(log):
            ledger.see(each)
        tombstone = ledger.tombstone(name)
        if tombstone is None:
            raise Broken(f"the picture of row {row.sequence} is missing, and no tombstone says why")
        raise UsageError(
            f"expected the picture of row {row.sequence}, it was deleted by retention (row {tombstone}); "
            "give a row that is younger"
        )
    try:
        frame = decode_frame(store.read(name))
    except (OSError, CannotJudge) as e:
        raise UsageError(f"expected to read the picture of row {row.sequence}, got: {e}; check it") from e
    pixels = recorded.identities.blurred or row.frame
    if frame.sha256 != pixels:
        raise UsageError(
            f"expected the pixels {str(pixels)[:12]}... of row {row.sequence}, this Yochi decodes "
            f"its picture to {frame.sha256[:12]}...; replay it with the Yochi that judged it"
        )
    return frame


def compare(recorded: Judgement, now: Judgement) -> Replay:
    """Field by field. UsageError where the camera's gates refused it: no single frame shows that again."""
    again = {(gate.reason, gate.threshold) for gate in now.gates}
    camera = [gate for gate in recorded.gates if (gate.reason, gate.threshold) not in again]
    refused = next((gate.reason for gate in camera if not gate.passed), None)
    if refused and refused not in now.reasons:
        raise UsageError(
            f"expected a frame that can be judged by itself, the camera's gate {refused} refused it; "
            "give another row"
        )
    engines = recorded.identities.engine, now.identities.engine
    tolerance = 0.0 if engines[0] == engines[1] else ELSEWHERE
    blurred = recorded.identities.blurred is not None
    if blurred:
        tolerance = max(tolerance, BLURRED)
        if recorded.slots and not now.slots:
            raise UsageError(
                f"expected a picture that can be judged again, the blurred one cannot: {now.message}"
            )
    gates = [] if blurred else [*now.gates]  # the blur is measured, too
    before, after = _fields(recorded, gates, blurred), _fields(now, gates, blurred)
    differences, loose, largest = list[str](), list[str](), 0.0
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        apart = _apart(old, new)
        free = blurred and _is_free(name)
        if apart is not None and apart <= tolerance:
            largest = largest if free else max(largest, apart)
        elif old != new:
            (loose if free else differences).append(_line(name, old, new))
    skipped = tuple(gate.reason for gate in camera)
    return Replay(tuple(differences), tolerance, largest, engines, skipped, blurred, tuple(loose))


def _is_free(name: str) -> bool:
    """Whether a blurred picture may change what stands at this path."""
    if not name.startswith(_KEPT):
        return True
    return name.endswith(".probability") and not name.removeprefix("slots.").startswith(NOTE_SLOTS)


def _fields(judgement: Judgement, gates: list[Gate], blurred: bool) -> dict[str, Any]:
    """Every value under its path, without what is not repeated."""
    held = judgement.model_dump(mode="json", exclude={"timings_ms": True, "gates": True})
    held.pop("not_kept", None)  # what became of the picture, as its name
    for own in ("picture", "engine", *(("frame",) if blurred else ())):
        del held["identities"][own]
    held["identities"].pop("blurred", None)
    if held["rules"] is not None:
        del held["rules"]["not_taken"]  # speaks of the file, which is another day's
    kept = {(gate.reason, gate.threshold) for gate in gates}
    held["gates"] = [
        gate.model_dump(mode="json") for gate in judgement.gates if (gate.reason, gate.threshold) in kept
    ]
    return dict(_leaves(held, ""))


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            names = [inner[name] for name in _NAMES if name in inner] if isinstance(inner, dict) else []
            yield from _leaves(inner, f"{path}.{names[0] if names else i}")
    else:
        yield path, value


def _apart(old: object, new: object) -> float | None:
    """How far two numbers are apart; None for what are none."""
    if isinstance(old, float) and isinstance(new, float) and math.isfinite(old) and math.isfinite(new):
        return abs(old - new)
    return None


def _line(name: str, old: object, new: object) -> str:
    by = f" ({new - old:+.3g})" if isinstance(old, float) and isinstance(new, float) else ""
    return f"{name}: {_said(old)}, now {_said(new)}{by}"


def _said(value: object) -> str:
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
