"""Replaces the key that signs for a log: one row, and nothing else on the disk."""

from contextlib import closing
from pathlib import Path

from ..errors import UsageError
from .chain import canonical
from .keys import rotation_text
from .log import draft, insert
from .reading import Reader, alone, writable
from .signing import PublicKey, SigningKey
from .store import connect


def rotate(log: Path, old: SigningKey | PublicKey, new: SigningKey) -> int:
    """From the row whose number this is, `new` signs for `log`; `old` is a public key where it is lost.

    Broken where the log is, UsageError where `old` is not in force, or nothing can be written.
    """
    if old.public == new.public:
        raise UsageError("expected another key than the old one, got the same; make one: yochi audit keygen")
    reader = Reader(log)
    with writable(log), closing(connect(log)) as db, alone(db):
        reader.catch_up(db)
        reader.ledger.keys.check_signer(old.public)
        row = draft(db)
        insert(db, row._replace(judgement=canonical(rotation_text(old, new, row.previous))))
        db.execute("COMMIT")
    return row.sequence
