"""Everything that can go wrong, as one small tree.

YochiError
├── UsageError            exit 2: an option or a path that cannot be meant
└── CannotJudge           exit 3: no judgement can be given; carries its reason
    ├── FrameError        the picture
    ├── NoteError         the note
    ├── BundleError       the bundle or the base language model
    ├── EngineError       a model that failed while it ran
    └── AuditError        the audit log

Every message says what was expected, what came, and what to do. Nothing in this tree leads to `proceed`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why no judgement was given; stable names for logs and machines."""

    FRAME_UNREADABLE = "frame_unreadable"
    FRAME_TRUNCATED = "frame_truncated"
    FRAME_TOO_SMALL = "frame_too_small"
    FRAME_TOO_LARGE = "frame_too_large"
    FRAME_BLANK = "frame_blank"
    FRAME_DARK = "frame_dark"
    FRAME_OVEREXPOSED = "frame_overexposed"
    FRAME_COVERED = "frame_covered"
    FRAME_BLURRED = "frame_blurred"
    FRAME_STALE = "frame_stale"
    FRAME_FROZEN = "frame_frozen"
    FRAME_RESIZED = "frame_resized"
    FRAME_MOVED = "frame_moved"
    NOTE_EMPTY = "note_empty"
    NOTE_TOO_LONG = "note_too_long"
    NOTE_UNREADABLE = "note_unreadable"
    LANGUAGE_NOT_PROVED = "language_not_proved"
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_CHANGED = "bundle_changed"
    BUNDLE_INVALID = "bundle_invalid"
    BUNDLE_NEWER = "bundle_newer"
    BUNDLE_TOO_LARGE = "bundle_too_large"
    BUNDLE_UNSIGNED = "bundle_unsigned"
    BUNDLE_SIGNATURE = "bundle_signature"  # wrong, or by a key that the box does not trust
    TRUST_DAMAGED = "trust_damaged"
    BASE_MISSING = "base_missing"
    BASE_CHANGED = "base_changed"
    UNPROVED = "unproved"
    ENGINE_FAILED = "engine_failed"
    ENGINE_OUTPUT = "engine_output_invalid"
    ENGINE_TIMEOUT = "engine_timeout"
    EXPIRED = "expired"
    AUDIT_FAILED = "audit_failed"
    AUDIT_DAMAGED = "audit_damaged"


class Dropped(StrEnum):
    """Why a judgement has no explanation; as stable. It says nothing against the judgement."""

    INTERRUPTED = "interrupted"  # something else is to be judged
    LATE = "late"
    TOO_LONG = "too_long"  # nothing that may be said fits
    INVALID = "invalid"  # what was said is not of the form, or not of this judgement
    ENGINE_FAILED = Reason.ENGINE_FAILED.value
    ENGINE_OUTPUT = Reason.ENGINE_OUTPUT.value
    ENGINE_TIMEOUT = Reason.ENGINE_TIMEOUT.value
    RESTING = "resting"  # the engine failed in an earlier one, so it is not asked for a while
    FAILED = "failed"  # a fault of Yochi's own


class YochiError(Exception):
    """Root of Yochi's own errors; the message is one line for a person."""


class UsageError(YochiError):
    """The command was called wrongly: unknown value, or a path that does not exist (exit 2)."""


class CannotJudge(YochiError):
    """No judgement can be given (exit 3).

    `reason` is the machine-readable cause, `str(error)` the line for a person.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FrameError(CannotJudge):
    """The picture is missing, unreadable, outside the accepted sizes, or refused by a gate."""


class NoteError(CannotJudge):
    """The note is empty, too long, or in a language that this bundle is not proved for."""


class BundleError(CannotJudge):
    """The bundle or the base language model is missing, changed, invalid, or unproved."""


class EngineError(CannotJudge):
    """A model failed while it ran, was late, or gave something that is not a probability."""


class AuditError(CannotJudge):
    """The judgement's row could not be written: disk full, read-only, locked, or the log is damaged."""


def one_line(error: BaseException) -> str:
    """The first line of another library's message, at most 200 characters."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
