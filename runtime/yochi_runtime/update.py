"""Another bundle for this box, and back again: judged before it counts, one rename, all of it in the log.

Killed between any two steps, a box has the old bundle or the new one, whole. The steps: who answers for it,
a checked copy beside the others, a judgement of the built-in frame by it, the row `begun`, the rename of
`current`, the same judgement again by what a service would open now, the row `installed`. Where that second
judgement fails, or differs from the first in any number, or its row cannot be written, `current` goes back.
A judge that is running keeps the bundle that it opened.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import trust as shipped
from .admission import admit
from .audit.log import AuditLog
from .audit.pictures import sync_folder
from .audit.updates import Update
from .bundle import MANIFEST, Bundle, read_manifest
from .errors import BundleError, CannotJudge, Reason, UsageError, YochiError
from .installed import CURRENT, default_bundle
from .judge import Judge
from .serve.builtin import BuiltIn
from .signature import SIGNATURE

_GENERATION = re.compile(r"([1-9][0-9]{0,8})-[0-9a-f]{64}")
_ARRIVING, _NEXT, _LOCK = ".arriving", ".next", ".lock"
SHIPPED = 0  # stands for the shipped bundle where others have the number of their generation


class Updated(NamedTuple):
    """Which folder judges from the next start on, and whether it did already."""

    folder: Path
    changed: bool


def install(source: Path, root: Path, log: AuditLog) -> Updated:
    """Make the bundle in `source` the one that judges on the box whose bundles lie in `root`.

    BundleError or EngineError where it is not let in or does not judge, AuditError where that cannot be
    recorded: then the one before judges on. UsageError where nothing can be written, or for the shipped one.
    """
    with _alone(root):
        now, before = _current(root), _sha256(default_bundle(root))
        done = Update(did="installed", before=before, after=_sha256(source))
        with _recorded(log, done):
            bundle, _ = admit(source)
        done = done.model_copy(update={"after": bundle.sha256})
        if bundle.sha256 == shipped.SHIPPED_MANIFEST_SHA256:
            raise UsageError(
                f"expected another bundle than the one that comes with Yochi, got {source}; "
                "it judges where none is installed: yochi bundle rollback"
            )
        _clear(root, now)
        if bundle.sha256 == before and _whole(default_bundle(root)):
            return Updated(default_bundle(root), changed=False)
        builtin = BuiltIn()
        try:
            with _recorded(log, done):
                folder = _bring(root, bundle, now + 1)
                _check(folder, builtin)
            _move(root, log, folder, builtin, done)
        except BaseException:
            _clear(root, _current(root))
            raise
        _clear(root, now + 1)
        return Updated(folder, changed=True)


def roll_back(
    root: Path, log: AuditLog, by: str | None = None, also: Callable[[], None] = lambda: None
) -> Updated:
    """Make the bundle that judged before the installed one, at last the shipped one, judge again.

    `by`: whose token asked for it. What `also` raises is one more reason to go back, before it counts.
    Errors as of `install`; UsageError where none is installed.
    """
    with _alone(root):
        now = _current(root)
        if now == SHIPPED:
            raise UsageError(f"expected an installed bundle in {root}, found none; there is nothing to undo")
        earlier = _before(root, now)
        folder = _generations(root)[earlier] if earlier else shipped.shipped_bundle()
        before, after, builtin = _sha256(default_bundle(root)), _sha256(folder), BuiltIn()
        done = Update(did="rolled_back", before=before, after=after, by=by)
        with _recorded(log, done):
            _check(folder, builtin)
        _move(root, log, folder if earlier else None, builtin, done, also)
        return Updated(folder, changed=True)


def earlier_bundle(root: Path) -> Path | None:
    """What `roll_back` would go back to, None where nothing is installed; BundleError, OSError as found."""
    now = _current(root)
    if now == SHIPPED:
        return None
    earlier = _before(root, now)
    return _generations(root)[earlier] if earlier else shipped.shipped_bundle()


def _move(
    root: Path,
    log: AuditLog,
    to: Path | None,
    builtin: BuiltIn,
    done: Update,
    also: Callable[[], None] = lambda: None,
) -> None:
    """Point `current` to the folder `to`, None: to nothing, and back where that does not judge."""
    number = _current(root)
    back = _generations(root)[number] if number else None
    log.add_update(done.model_copy(update={"did": "begun"}))
    try:
        _point(root, to)
        _check(default_bundle(root), builtin)
        also()
        log.add_update(done)
    except BaseException as e:
        _point(root, back)
        why = str(e) or repr(e)
        log.add_update(Update(did="rolled_back", before=done.after, after=done.before, by=done.by, why=why))
        if isinstance(e, CannotJudge):
            raise BundleError(e.reason, f"{e}; rolled back to {default_bundle(root)}") from e
        raise


def _check(folder: Path, builtin: BuiltIn) -> None:
    """A fresh judge judges the built-in frame: a verdict, of finite numbers, the same as `builtin` knows."""
    with Judge.open(folder) as judge:
        builtin.check(judge)


@contextmanager
def _recorded(log: AuditLog, wanted: Update) -> Iterator[None]:
    """A refusal becomes a row, too."""
    try:
        yield
    except CannotJudge as e:
        log.add_update(wanted.model_copy(update={"did": "refused", "why": str(e)}))
        raise


def _bring(root: Path, bundle: Bundle, number: int) -> Path:
    """A copy that is checked, on the disk, and complete as soon as it has its name."""
    part, target = root / _ARRIVING, root / f"{number}-{bundle.sha256}"
    with _writing(root):
        part.mkdir()
        signed = [SIGNATURE] if (bundle.path / SIGNATURE).exists() else []
        for name in (MANIFEST, *signed, *bundle.manifest.files):
            shutil.copyfile(bundle.path / name, part / name)
            with (part / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(part)
    if admit(part)[0].sha256 != bundle.sha256:
        raise BundleError(
            Reason.BUNDLE_CHANGED, f"expected {bundle.path} at rest, it changed; install it again"
        )
    with _writing(root):
        part.rename(target)
        sync_folder(root)
    return target


def _point(root: Path, to: Path | None) -> None:
    link, beside = root / CURRENT, root / _NEXT
    with _writing(root):
        if to is None:
            link.unlink(missing_ok=True)
        else:
            beside.unlink(missing_ok=True)
            beside.symlink_to(to.name)
            beside.replace(link)
        sync_folder(root)


def _current(root: Path) -> int:
    """Number of the generation that `current` names, SHIPPED without one; BundleError where it names none."""
    link = root / CURRENT
    if not link.is_symlink() and not link.exists():
        return SHIPPED
    name = os.readlink(link) if link.is_symlink() else link.name  # noqa: PTH115 -- Path would be normalised
    found = _GENERATION.fullmatch(name)
    if found is None:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected {link} to be a link that `yochi bundle install` made, got {name}; remove it, then the "
            "bundle that comes with Yochi judges",
        )
    return int(found[1])


def _generations(root: Path) -> dict[int, Path]:
    found = ((_GENERATION.fullmatch(path.name), path) for path in root.iterdir())
    return {int(match[1]): path for match, path in found if match}


def _before(root: Path, number: int) -> int:
    return max((other for other in _generations(root) if other < number), default=SHIPPED)


def _clear(root: Path, current: int) -> None:
    """Keep the current generation and the one before; what was cut off, rolled back or is older goes."""
    with _writing(root):
        kept = (current, _before(root, current))
        for number, path in _generations(root).items():
            if number not in kept:
                shutil.rmtree(path)
        if (root / _ARRIVING).exists():
            shutil.rmtree(root / _ARRIVING)
        (root / _NEXT).unlink(missing_ok=True)


def _sha256(folder: Path) -> str | None:
    try:
        return hashlib.sha256(read_manifest(folder)).hexdigest()
    except YochiError:
        return None  # what reads it next says why


def _whole(folder: Path) -> bool:
    try:
        admit(folder)
    except CannotJudge:
        return False  # installing it again mends it
    return True


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """No other update of this box meanwhile; a killed one's lock ends with it."""
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / _LOCK).open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise UsageError(
                f"expected no other update of {root}, one is under way; wait until it has ended"
            ) from e
        yield


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise UsageError(
            f"expected to write in {root}, got: {e.strerror or e}; make room there, or run this as its owner"
        ) from e
