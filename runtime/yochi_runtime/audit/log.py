"""Writing the audit log: a verdict is given only when its row is on the disk.

SQLite in WAL mode with `synchronous=FULL`: a row that was acknowledged survives a kill and a power cut. What
the rows are and how they are chained stands in `chain`.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from ..errors import AuditError, Reason, UsageError
from ..heads import HeadMask, blurred
from ..image import Frame
from ..judgement import CALL_SUPERVISOR, Judgement, NotKept
from ..state_folder import state_folder
from ..verdict import Verdict
from .chain import COLUMNS, GENESIS, Broken, Row, canonical, check, row_hash
from .feedback import Feedback, feedback_text, judged_row
from .pictures import PictureStore
from .store import connect
from .updates import Update, update_text

NONE = "none"
_LOG = logging.getLogger(__name__)

_LAST = f"SELECT {COLUMNS} FROM judgements ORDER BY sequence DESC LIMIT 1"
_INSERT = f"INSERT INTO judgements VALUES ({', '.join('?' * len(Row._fields))})"


def now(ago: timedelta = timedelta()) -> str:
    """UTC, ISO 8601, milliseconds; of the moment `ago` before."""
    return (datetime.now(UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def default_log() -> Path:
    """`audit.db` in the box's state folder; UsageError where there is no home."""
    return state_folder() / "audit.db"


def open_log(option: str | None, *, keep_frames: bool = False, blur_faces: bool = False) -> "AuditLog":
    """The log that `--audit` means: a file, "none", or the default for None.

    UsageError for a path that cannot be a log. What else is wrong is found with the first row.
    """
    if blur_faces and not keep_frames:
        raise UsageError("expected pictures that are kept, to blur them before, got none; give --keep-frames")
    if option == NONE:
        if keep_frames:
            raise UsageError('expected a log to keep frames beside, got --audit none; give "--audit DB"')
        return AuditLog(None)
    if option is None:
        path = default_log()
        with suppress(OSError):  # writing the row says why
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return AuditLog(path, keep_frames=keep_frames, blur_faces=blur_faces)
    path = Path(option)
    if path.is_dir() or not path.parent.is_dir():
        found = "a folder" if path.is_dir() else "no folder to put it in"
        raise UsageError(f"expected a file for the audit log at {path}, got {found}; check --audit")
    return AuditLog(path, keep_frames=keep_frames, blur_faces=blur_faces)


class AuditLog:
    """Appends rows to the log at `path`; None keeps no log. A context manager; not for several threads.

    Opened with the first row, and again after a fault: what heals is used again without a person. With
    `keep_frames` the picture is kept before its row is written, and without it there is no verdict either.
    With `blur_faces` it is kept with its heads blurred, or not at all: the judgement then says why.
    """

    def __init__(self, path: Path | None, *, keep_frames: bool = False, blur_faces: bool = False) -> None:
        self._path, self._blur = path, blur_faces
        self._store = PictureStore(path) if path and keep_frames else None
        self._db: sqlite3.Connection | None = None
        self._file = (0, 0)  # device and inode of what is open
        self._missed = 0
        self.last: int | None = None  # number of the row that the last `record` wrote, None where it did not

    def record(
        self,
        judgement: Judgement,
        note: str | None,
        frame: Frame | None = None,
        heads: HeadMask | NotKept = NotKept.NOT_LOOKED,
    ) -> Judgement:
        """`judgement` once its row is durable; otherwise a `cannot_judge` that says why it is not.

        `note` as it was given and `frame`, None where they could not be read. A kept frame is named in the
        judgement's identities; `heads`: what is blurred in it. What the judge found stays to be seen.
        """
        self.last = None
        if self._path is None:
            return judgement
        try:
            judgement = self._append(self._path, judgement, note, frame, heads)
        except Exception as e:  # noqa: BLE001 -- fail closed: no fault may lead to an unrecorded verdict
            _LOG.debug("cannot record", exc_info=e)
            self.close()
            self._missed += 1
            return _unrecorded(judgement, _as_audit_error(e, self._path))
        self._missed = 0
        return judgement

    def _append(
        self,
        path: Path,
        judgement: Judgement,
        note: str | None,
        frame: Frame | None,
        heads: HeadMask | NotKept,
    ) -> Judgement:
        db, picture = self._connection(path), None
        if self._store and frame:
            judgement, shown = self._to_keep(judgement, frame, heads)
            picture = shown.encoded() if shown else None
        db.execute("BEGIN IMMEDIATE")  # from here on nobody else appends, and retention deletes nothing
        if self._store and picture:
            judgement = with_picture(judgement, self._store.keep(picture))
        row = draft(db)._replace(
            missed=self._missed,
            note=note,
            frame=judgement.identities.frame,
            bundle=judgement.identities.bundle,
            judgement=canonical(judgement.model_dump(mode="json")),
        )
        insert(db, row)
        # Where this fails the row may still be found later: a verdict that nobody was shown.
        db.execute("COMMIT")
        self.last = row.sequence
        return judgement

    def _to_keep(
        self, judgement: Judgement, frame: Frame, heads: HeadMask | NotKept
    ) -> tuple[Judgement, Frame | None]:
        """The frame as it may be kept, None where it may not, and the judgement that says so."""
        if not self._blur:
            return judgement, frame
        if isinstance(heads, NotKept):
            return judgement.model_copy(update={"not_kept": heads}), None
        covered = blurred(frame, heads)
        identities = judgement.identities.model_copy(update={"blurred": covered.sha256})
        return judgement.model_copy(update={"identities": identities}), covered

    def add_feedback(self, number: int, feedback: Feedback) -> int:
        """The row that says of row `number` what a person said, once it is durable; its number.

        UsageError where row `number` is no judgement, AuditError where nothing can be written.
        """
        return self._add(lambda db: feedback_text(judged_row(db, number), feedback))

    def add_update(self, update: Update) -> int:
        """The row that says what became of bundle, rules or mode, as `add_feedback`."""
        return self._add(lambda _: update_text(update))

    def _add(self, text: Callable[[sqlite3.Connection], str]) -> int:
        """A row that is no judgement, with what `text` says while nobody else may append."""
        if self._path is None:
            raise UsageError("expected an audit log to keep this in, there is none; give --audit DB")
        try:
            db = self._connection(self._path)
            db.execute("BEGIN IMMEDIATE")
            row = draft(db)._replace(judgement=text(db))
            insert(db, row)
            db.execute("COMMIT")
        except UsageError:
            self.close()  # undoes what was begun
            raise
        except Exception as e:
            self.close()
            raise _as_audit_error(e, self._path) from e
        return row.sequence

    def _connection(self, path: Path) -> sqlite3.Connection:
        if self._db is not None:
            if self._file != _identity(path):  # rows in a deleted file would be lost with it
                raise AuditError(
                    Reason.AUDIT_FAILED,
                    f"expected the audit log {path} to stay, it was moved or deleted; bring it back",
                )
            return self._db
        self._db = connect(path)
        self._file = _identity(path)
        return self._db

    def close(self) -> None:
        """Lets go of the file; the next `record` opens it again."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):  # the rows are on the disk; what is tidied here is tidied later
                db.close()

    def __enter__(self) -> "AuditLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()


def draft(db: sqlite3.Connection) -> Row:
    """The next row, of now, still empty; call it where nobody else may append."""
    last = _last(db)
    return Row(
        sequence=last.sequence + 1 if last else 1,
        time=now(),
        missed=0,
        note=None,
        frame=None,
        bundle=None,
        judgement="",
        previous=last.hash if last else GENESIS,
        hash="",
    )


def insert(db: sqlite3.Connection, row: Row) -> None:
    """Append `row` with its hash."""
    db.execute(_INSERT, row._replace(hash=row_hash(row)))


def with_picture(judgement: Judgement, sha256: str) -> Judgement:
    """The judgement that names its kept picture."""
    identities = judgement.identities.model_copy(update={"picture": sha256})
    return judgement.model_copy(update={"identities": identities})


def _last(db: sqlite3.Connection) -> Row | None:
    """Broken where it is not as it was written: nothing may be chained to it."""
    for values in db.execute(_LAST):
        row = Row(*values)
        check(row, row.sequence, None)
        return row
    return None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _as_audit_error(error: Exception, path: Path) -> AuditError:
    if isinstance(error, AuditError):
        return error
    # OperationalError is about the surroundings (full, locked, read-only), the rest of DatabaseError about
    # what stands in the file.
    if isinstance(error, Broken | sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        reason, advice = Reason.AUDIT_DAMAGED, "keep the file as evidence and give another with --audit"
    else:
        reason, advice = Reason.AUDIT_FAILED, "make room, allow writing, or give another with --audit"
    found = str(error).partition(" with text ")[0]  # after it SQLite repeats what it could not read
    return AuditError(reason, f"expected to add a row to {path}, got: {found}; {advice}")


def _unrecorded(judgement: Judgement, error: AuditError) -> Judgement:
    message = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    return judgement.model_copy(
        update={
            "verdict": Verdict.CANNOT_JUDGE,
            "reasons": (*judgement.reasons, error.reason),
            "message": f"{judgement.message}; and {message}" if judgement.message else message,
            "advice": CALL_SUPERVISOR,
        }
    )
