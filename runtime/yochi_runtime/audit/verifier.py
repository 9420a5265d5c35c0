"""Is a log whole, and is it the one that a checkpoint speaks of?"""

from collections.abc import Sequence
from pathlib import Path

from .chain import rows
from .checkpoint import Checkpoint
from .keys import KeyLedger
from .pictures import PictureLedger, PictureStore
from .signing import PublicKey


def verify(
    path: Path,
    checkpoint: Checkpoint | None = None,
    given: Sequence[PublicKey] = (),
    *,
    pictures: bool = True,
) -> str:
    """One line about a log that is whole; Broken otherwise.

    The first key of `given` must have signed checkpoint and tombstones, or the one that replaced it by then;
    the others are believed after a break of trust. Without `pictures` only the rows are checked.
    """
    ledger = PictureLedger(KeyLedger(given))
    count, missed, head, agrees = 0, 0, "none", ""
    for row in rows(path):
        count, missed, head = row.sequence, missed + row.missed, row.hash
        ledger.see(row)
        if checkpoint and count == checkpoint.sequence:
            agrees = f", as in {_kept(checkpoint, ledger.keys.in_force)}"
            checkpoint.check_row(row)
    if checkpoint:
        checkpoint.check_end(count)
    lost = f", {missed} judgements could not be recorded" if missed else ""
    held = ledger.compare(PictureStore(path)) if pictures else "pictures not checked"
    kept = f"; {held}" if held else ""
    return f"{count} rows, none changed or missing{agrees}{lost}{ledger.keys.said}; head {head}{kept}"


def _kept(checkpoint: Checkpoint, key: PublicKey | None) -> str:
    """In words; Broken where `key` has not signed it."""
    if key:
        checkpoint.check_signature(key)
        said = f"signed by {key.public[:16]}..."
    else:
        said = "its signature not checked" if checkpoint.signature else "not signed"
    return f"the checkpoint of {checkpoint.time} ({said})"
