"""Is a log whole, and is it the one that a checkpoint speaks of?"""

from pathlib import Path

from .chain import rows
from .checkpoint import Checkpoint
from .pictures import PictureLedger, PictureStore
from .signing import PublicKey


def verify(
    path: Path, checkpoint: Checkpoint | None = None, key: PublicKey | None = None, *, pictures: bool = True
) -> str:
    """One line about a log that is whole; Broken otherwise.

    `key` must have signed the checkpoint and every tombstone. Without `pictures` only the rows are checked.
    """
    ledger = PictureLedger(key)
    if checkpoint and key:
        checkpoint.check_signature(key)
    count, missed, head = 0, 0, "none"
    for row in rows(path):
        count, missed, head = row.sequence, missed + row.missed, row.hash
        ledger.see(row)
        if checkpoint:
            checkpoint.check_row(row)
    if checkpoint:
        checkpoint.check_end(count)
    agrees = f", as in {_kept(checkpoint, key)}" if checkpoint else ""
    lost = f", {missed} judgements could not be recorded" if missed else ""
    held = ledger.compare(PictureStore(path)) if pictures else "pictures not checked"
    kept = f"; {held}" if held else ""
    return f"{count} rows, none changed or missing{agrees}{lost}; head {head}{kept}"


def _kept(checkpoint: Checkpoint, key: PublicKey | None) -> str:
    if key:
        said = f"signed by {key.public[:16]}..."
    else:
        said = "its signature not checked" if checkpoint.signature else "not signed"
    return f"the checkpoint of {checkpoint.time} ({said})"
