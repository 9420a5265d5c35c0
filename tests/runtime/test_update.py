"""Another bundle for a box: judged first, swapped at once, back by itself, every step in the log."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from yochi_runtime import trust, update
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.signing import create_key, read_key
from yochi_runtime.audit.updates import Update
from yochi_runtime.audit.verifier import verify
from yochi_runtime.bundle import MANIFEST, VISION, open_bundle
from yochi_runtime.errors import AuditError, BundleError, EngineError, Reason, UsageError
from yochi_runtime.installed import default_bundle
from yochi_runtime.opening import read_bundle
from yochi_runtime.serve.builtin import BuiltIn
from yochi_runtime.signature import write_signature
from yochi_runtime.trust_store import add_key

from tests.fixtures.tiny_bundle import TinyBundle, write_manifest

from . import killed_update
from .audit.test_verify_log import check_log
from .conftest import Yochi, the_judgement

SHIPPED = trust.SHIPPED_MANIFEST_SHA256


@dataclass
class Shelf:
    """Signed bundles by name, and their identities; the box trusts who signed them."""

    folders: dict[str, Path]
    sha256: dict[str, str]


@pytest.fixture(scope="module")
def shelf(shared_tiny: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """`broken` is signed and whole, and its vision model is no model."""
    root = tmp_path_factory.mktemp("shelf")
    create_key(root / "plant")
    key, shelf = read_key(root / "plant"), Shelf({}, {})
    for name in ("one", "two", "three", "broken"):
        folder = Path(shutil.copytree(shared_tiny.folder, root / name))
        if name == "broken":
            (folder / VISION).write_bytes(b"no model")
        fields = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        shelf.sha256[name] = write_manifest(folder, {**fields, "version": name})
        write_signature(open_bundle(folder), key)
        shelf.folders[name] = folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_TRUST", str(root / "trust"))
        add_key(root / "plant.pub", None)
        yield shelf


@pytest.fixture
def box(shelf: Shelf, shared_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Box":
    """A box of its own, whose shipped bundle is the tiny one."""
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", shared_tiny.sha256)
    monkeypatch.setattr(trust, "shipped_bundle", lambda: shared_tiny.folder)
    monkeypatch.setenv("YOCHI_BASE", str(shared_tiny.base))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Box(shelf, shared_tiny.sha256, tmp_path / "state" / "yochi")


@dataclass
class Box:
    shelf: Shelf
    shipped: str
    state: Path

    @property
    def root(self) -> Path:
        return self.state / "bundles"

    @property
    def log(self) -> Path:
        return self.state / "audit.db"

    def install(self, name: str) -> update.Updated:
        self.state.mkdir(parents=True, exist_ok=True)
        with AuditLog(self.log) as log:
            return update.install(self.shelf.folders[name], self.root, log)

    def roll_back(self) -> update.Updated:
        with AuditLog(self.log) as log:
            return update.roll_back(self.root, log)

    def judges_by(self) -> str:
        """Name of the bundle that a judge would open now, every byte of it checked."""
        found = read_bundle(None).sha256
        return {sha256: name for name, sha256 in self.shelf.sha256.items()}.get(found, "shipped")

    def told(self) -> list[tuple[str, str, str]]:
        """What the log says of updates, the newest last; both verifiers find it whole."""
        verify(self.log)
        check_log(self.log)
        names = {sha256: name for name, sha256 in self.shelf.sha256.items()}
        names |= dict.fromkeys((self.shipped, SHIPPED), "shipped")  # here, and in a process of its own
        held = (json.loads(row.judgement) for row in rows(self.log))
        of = [entry["update"] for entry in held if "update" in entry]
        return [(one["did"], names[one["before"]], names[one["after"]]) for one in of]

    def kept(self) -> list[str]:
        """Numbers of the generations on the disk."""
        return sorted(path.name.split("-")[0] for path in self.root.iterdir() if path.name[0].isdigit())


class Check:
    """Stands for the judgement of the built-in frame; fails at the given turns."""

    def __init__(self, *fails: int, error: BaseException | None = None) -> None:
        self.seen: list[Path] = []
        self._fails = fails
        self._error = error or EngineError(Reason.ENGINE_OUTPUT, "expected the same numbers, got others; no")

    def __call__(self, folder: Path, _: BuiltIn) -> None:
        self.seen.append(folder)
        if len(self.seen) in self._fails:
            raise self._error


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Check]:
    def put(*fails: int, error: BaseException | None = None) -> Check:
        made = Check(*fails, error=error)
        monkeypatch.setattr(update, "_check", made)
        return made

    return put


def test_by_the_real_engines(box: Box, yochi: Yochi, picture: Path) -> None:
    code, out, err = yochi("bundle", "install", box.shelf.folders["one"])
    assert (code, err) == (0, "")
    assert out.startswith(str(box.root / f"1-{box.shelf.sha256['one']}"))
    code, out, _ = yochi("judge", picture, "--note", "Sweep the floor.", "--json")
    assert (code, the_judgement(out).identities.bundle) == (0, box.shelf.sha256["one"])
    code, _, err = yochi("bundle", "install", box.shelf.folders["broken"])
    assert (code, len(err.splitlines())) == (3, 1)
    assert box.judges_by() == "one"
    assert box.told() == [
        ("begun", "shipped", "one"),
        ("installed", "shipped", "one"),
        ("refused", "one", "broken"),
    ]
    assert box.kept() == ["1"]
    code, out, _ = yochi("audit", "show", box.log)
    assert "update        refused" in out


def test_up_and_down_again(box: Box, check: Callable[..., Check]) -> None:
    """What is there: the current bundle, and the one before it."""
    check()
    for name in ("one", "two", "three"):
        assert box.install(name).changed
        assert box.judges_by() == name
    assert box.kept() == ["2", "3"]
    assert box.roll_back().folder.name.startswith("2-")
    assert box.judges_by() == "two"
    assert box.roll_back().folder == trust.shipped_bundle()
    assert box.judges_by() == "shipped"
    with pytest.raises(UsageError, match="expected an installed bundle"):
        box.roll_back()
    box.install("one")  # what was rolled back is cleared away
    assert (box.kept(), box.judges_by()) == (["1"], "one")
    assert [told for told in box.told() if told[0] != "begun"][-4:] == [
        ("installed", "two", "three"),
        ("rolled_back", "three", "two"),
        ("rolled_back", "two", "shipped"),
        ("installed", "shipped", "one"),
    ]


def test_installed_twice_changes_nothing(box: Box, check: Callable[..., Check]) -> None:
    seen = check()
    box.install("one")
    before = sorted(box.root.rglob("*"))
    assert not box.install("one").changed
    assert (sorted(box.root.rglob("*")), len(seen.seen), len(box.told())) == (before, 2, 2)
    (default_bundle(box.root) / VISION).write_bytes(b"spoiled")  # a new copy mends it
    assert box.install("one").changed
    assert box.judges_by() == "one"


def test_what_does_not_judge_never_counts(box: Box, check: Callable[..., Check]) -> None:
    check()
    box.install("one")
    check(1)
    with pytest.raises(EngineError, match="the same numbers"):
        box.install("two")
    assert (box.judges_by(), box.kept(), box.told()[-1]) == ("one", ["1"], ("refused", "one", "two"))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), MemoryError("none left")], ids=repr)
def test_what_no_longer_judges_goes_back_by_itself(
    box: Box, check: Callable[..., Check], error: BaseException | None
) -> None:
    check()
    box.install("one")
    seen = check(2, error=error)
    with pytest.raises(BundleError if error is None else type(error)):
        box.install("two")
    assert [path.name[:2] for path in seen.seen] == ["2-", "2-"]
    assert (box.judges_by(), box.kept()) == ("one", ["1"])
    assert box.told()[-2:] == [("begun", "one", "two"), ("rolled_back", "two", "one")]


def test_a_roll_back_to_what_does_not_judge_is_refused(box: Box, check: Callable[..., Check]) -> None:
    check()
    box.install("one")
    check(1)
    with pytest.raises(EngineError):
        box.roll_back()
    assert (box.judges_by(), box.told()[-1]) == ("one", ("refused", "one", "shipped"))


def test_without_its_row_nothing_is_changed(
    box: Box, check: Callable[..., Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log fills up before `begun`, and before `installed`."""
    check()
    box.install("one")
    write, left = AuditLog.add_update, 0

    def full(log: AuditLog, row: Update) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise AuditError(Reason.AUDIT_FAILED, "expected to add a row, got: disk full; make room")
        return write(log, row)

    monkeypatch.setattr(AuditLog, "add_update", full)
    for left in (0, 1):  # noqa: B007 -- `full` counts it down
        with pytest.raises(AuditError):
            box.install("two")
        assert (box.judges_by(), box.kept()) == ("one", ["1"])


def test_who_is_not_let_in_is_refused_and_recorded(box: Box, tmp_path: Path) -> None:
    spoiled = Path(shutil.copytree(box.shelf.folders["one"], tmp_path / "spoiled"))
    with (spoiled / VISION).open("ab") as file:
        file.write(b"more")
    box.shelf.folders["spoiled"] = spoiled
    with pytest.raises(BundleError, match=f"expected {VISION} to have"):
        box.install("spoiled")
    assert (box.judges_by(), box.told()) == ("shipped", [("refused", "shipped", "one")])


def test_the_shipped_bundle_is_not_installed(box: Box) -> None:
    box.shelf.folders["shipped"] = trust.shipped_bundle()
    with pytest.raises(UsageError, match="comes with Yochi"):
        box.install("shipped")


@pytest.mark.parametrize("lost", ["target", "link"])
def test_an_installed_bundle_that_is_lost_is_not_replaced_in_silence(
    box: Box, check: Callable[..., Check], yochi: Yochi, picture: Path, lost: str
) -> None:
    check()
    box.install("one")
    current = box.root / "current"
    if lost == "target":
        shutil.rmtree(default_bundle(box.root))
    else:
        current.unlink()
        current.symlink_to("../elsewhere")
    code, out, _ = yochi("judge", picture, "--note", "Sweep the floor.", "--json")
    assert (code, the_judgement(out).reasons) == (3, (Reason.BUNDLE_MISSING,))


def test_one_update_at_a_time(box: Box, check: Callable[..., Check]) -> None:
    check()
    box.root.mkdir(parents=True)
    with update._alone(box.root), pytest.raises(UsageError, match="one is under way"):
        box.install("one")


def test_wrong_calls(box: Box, yochi: Yochi, tmp_path: Path) -> None:
    for arguments, said in (
        (("install", tmp_path / "none"), "expected a bundle folder"),
        (("install", box.shelf.folders["one"], "--audit", "none"), "expected an audit log"),
        (("rollback", "--root", tmp_path / "empty"), "expected an installed bundle"),
    ):
        code, _, err = yochi("bundle", *arguments)
        assert (code, len(err.splitlines())) == (2, 1)
        assert said in err


@pytest.mark.parametrize("what", ["first", "third", "rollback"])
def test_killed_anywhere_it_has_the_old_or_the_new_one(
    box: Box, check: Callable[..., Check], tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check()
    before = {"first": [], "third": ["one", "two"], "rollback": ["one", "two"]}[what]
    for name in before:
        box.install(name)
    box.root.mkdir(parents=True, exist_ok=True)
    old, new = (before[-1] if before else "shipped"), {"first": "one", "third": "three"}.get(what, "one")
    order = ["rollback"] if what == "rollback" else ["install", str(box.shelf.folders[new])]
    work = tmp_path / "work"
    command = [sys.executable, killed_update.__file__, str(box.state), str(work), *order]
    subprocess.run(command, check=True, env=dict(os.environ))
    states = set()
    attempts = sorted(work.iterdir(), key=lambda path: int(path.name))
    for folder in attempts:
        monkeypatch.setenv("XDG_STATE_HOME", str(folder))
        monkeypatch.setenv("YOCHI_BUNDLES", str(folder / "bundles"))
        copy = Box(box.shelf, box.shipped, folder)
        judges, told = copy.judges_by(), copy.told() if copy.log.exists() else []
        left = (judges, told[-1][0] if len(told) > 2 * len(before) else "nothing", tuple(copy.kept()))
        if what != "rollback" and left not in states:
            copy.install(new)
            assert copy.judges_by() == new
            assert copy.kept() == (["1"] if what == "first" else ["2", "3"])
        states.add(left)
    done = "rolled_back" if what == "rollback" else "installed"
    assert {left[:2] for left in states} == {(old, "nothing"), (old, "begun"), (new, "begun"), (new, done)}
    assert len(attempts) > 15
