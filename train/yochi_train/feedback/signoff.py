"""The signed table, read back: what a person took, against the log that it was made from.

Note, picture and judgement come from the log alone; of the table only what a person fills in counts.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from yochi_runtime.errors import UsageError
from yochi_runtime.record import Truth
from yochi_runtime.spelling import did_you_mean
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import JUDGED, Verdict, highest, of_severity

from .collect import Case
from .review import FILLED

KEYS = ("row", "given", "hash")
TRUTHS: tuple[Truth, ...] = get_args(Truth)


@dataclass(frozen=True)
class Signed:
    """A case that a person takes: what is true of it, and who says so. `slots` as of a Record."""

    case: Case
    verdict: Truth | None
    slots: dict[str, Literal[0, 1]]
    by: str


class _Fault(ValueError):
    """What is wrong with a line: "expected ..., got ...; ..."."""


def read_signed(file: Path, cases: Sequence[Case], pack: Pack) -> tuple[list[Signed], int]:
    """What was taken, and how many lines were not. UsageError names the first line that cannot be meant."""
    by_row = {case.row: case for case in cases}
    signed: dict[int, Signed] = {}
    left = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            table = csv.DictReader(text)
            missing = [name for name in (*FILLED, *KEYS) if name not in (table.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{file}: expected a column {missing[0]!r}, got "
                    f"{', '.join(table.fieldnames or ['nothing'])}; save it with commas between the columns"
                )
            for line in table:
                one = _line({name: (line[name] or "").strip() for name in (*FILLED, *KEYS)}, by_row, pack)
                if one is None:
                    left += 1
                elif one.case.row in signed:
                    raise _Fault(f"expected every row once, got {one.case.row} again; delete one")
                else:
                    signed[one.case.row] = one
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected the signed table (CSV, UTF-8) at {file}, got: {e}; save it so") from e
    except (_Fault, csv.Error) as e:
        raise UsageError(f"{file}:{table.line_num}: {e}") from e
    if not signed:
        raise UsageError(f"expected lines with take = yes in {file}, got none; sign what is to be learned")
    return list(signed.values()), left


def _line(line: dict[str, str], by_row: dict[int, Case], pack: Pack) -> Signed | None:
    take = line["take"].lower()
    if take in ("", "no"):
        return None
    if take != "yes":
        raise _Fault(f"expected take = yes, no or nothing, got {line['take']!r}")
    case = by_row.get(int(line["row"])) if line["row"].isdecimal() else None
    if case is None or line["hash"] != case.hash:
        raise _Fault(f"expected a row of this log, got {line['row']!r}; make the review of this log again")
    if line["given"] != str(case.given):
        raise _Fault(
            f"expected the last feedback on row {case.row}, there is a newer one; make the review again"
        )
    if not line["by"]:
        raise _Fault("expected who signs it in `by`, got nothing")
    verdict = next((truth for truth in TRUTHS if truth == line["verdict"].lower()), None)
    if line["verdict"] and verdict is None:
        raise _Fault(f"expected verdict = {', '.join(TRUTHS)} or nothing, got {line['verdict']!r}")
    slots = _slots(line, verdict, pack)
    if verdict is None and not slots:
        raise _Fault("expected a verdict, or slots that hold or do not, got nothing; fill in one of them")
    return Signed(case, verdict, slots, line["by"])


def _slots(line: dict[str, str], verdict: Truth | None, pack: Pack) -> dict[str, Literal[0, 1]]:
    """What holds and what does not; where the verdict is proceed, no risk does."""
    holds, holds_not = (_ids(line[name], pack) for name in ("holds", "holds_not"))
    both = sorted(set(holds) & set(holds_not))
    if both:
        raise _Fault(f"expected a slot to hold or not, got {both[0]} as both")
    risks = {s.id: of_severity(pack.category_of(s.category).severity) for s in pack.slots if s.category}
    worst = highest(risks[slot] for slot in holds if slot in risks)
    if verdict is not None and JUDGED.index(worst) > JUDGED.index(Verdict(verdict)):
        what = next(slot for slot in holds if risks.get(slot) == worst)
        raise _Fault(f"expected at least {worst} where {what} holds, got {verdict}; mend one of them")
    slots: dict[str, Literal[0, 1]] = dict.fromkeys(risks, 0) if verdict == "proceed" else {}
    return {**slots, **dict.fromkeys(holds_not, 0), **dict.fromkeys(holds, 1)}


def _ids(words: str, pack: Pack) -> list[str]:
    ids = [word for word in re.split(r"[\s,;]+", words) if word]
    known = [slot.id for slot in pack.slots if slot.id != "verdict"]
    for name in ids:
        if name not in known:
            raise _Fault(f"expected slots of the pack, got {name!r}{did_you_mean(name, known)}")
    return ids
