"""A key is replaced by a row that both keys signed; both verifiers follow it, and nothing else."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.audit.chain import Broken, Row, canonical, row_hash, rows
from yochi_runtime.audit.checkpoint import Checkpoint, take_checkpoint
from yochi_runtime.audit.keys import rotation_text
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.retention import retain
from yochi_runtime.audit.rotation import rotate
from yochi_runtime.audit.signing import PublicKey, SigningKey, create_key, read_key, read_public_key
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import UsageError
from yochi_runtime.verdict import Verdict

from tests.runtime.conftest import Yochi

from . import killed_rotation
from .conftest import PROCEED, ROWS, fill, forge
from .test_retention import FUTURE, frame
from .test_verify_log import ALONE, alone, check_log, raw

TIME = "2027-02-03T04:05:06.789Z"
NAMES = ("old", "new", "other")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A folder with the keys NAMES and a log of five rows."""
    for name in NAMES:
        create_key(tmp_path / name)
    fill(tmp_path / "audit.db", ROWS)
    return tmp_path


@pytest.fixture
def log(box: Path) -> Path:
    return box / "audit.db"


@pytest.fixture
def old(box: Path) -> SigningKey:
    return read_key(box / "old")


@pytest.fixture
def new(box: Path) -> SigningKey:
    return read_key(box / "new")


def public(box: Path, *names: str) -> list[PublicKey]:
    return [read_public_key(box / f"{name}.pub") for name in names]


def said(log: Path, keys: Sequence[PublicKey] = (), checkpoint: Checkpoint | None = None) -> tuple[bool, str]:
    """Whether the log holds, and what our verifier says; the other one must agree, and name the same rows."""
    try:
        ours = True, verify(log, checkpoint, keys).partition("; head ")[0]
    except Broken as e:
        ours = False, str(e)
    fields = checkpoint.fields() if checkpoint else None
    try:
        theirs = True, check_log(log, fields, raw(keys)).partition("; head ")[0]
    except ALONE["Wrong"] as e:
        theirs = False, str(e)
    assert ours[0] == theirs[0], (ours, theirs)
    places = [re.findall(r"row \d+", words) for _, words in (ours, theirs)]
    assert places[0] == places[1], (ours, theirs)
    return ours


def append(log: Path, text: dict[str, Any]) -> None:
    """A row of anything, by somebody who can write to the log and compute hashes."""
    (head,) = rows(log, last=1)
    row = Row(head.sequence + 1, TIME, 0, None, None, None, canonical(text), head.hash, "")
    marks = ", ".join("?" * len(row))
    forge(log, f"INSERT INTO judgements VALUES ({marks})", *row._replace(hash=row_hash(row)))


def head(log: Path) -> str:
    return next(rows(log, last=1)).hash


def test_the_first_public_key_goes_on_over_two_rotations(
    box: Path, log: Path, old: SigningKey, new: SigningKey
) -> None:
    early = take_checkpoint(log, TIME, old)
    assert rotate(log, old, new) == ROWS + 1
    middle = take_checkpoint(log, TIME, new)
    assert rotate(log, new, read_key(box / "other")) == ROWS + 2
    with AuditLog(log, keep_frames=True) as writer:
        writer.record(PROCEED, "after", frame(1))
    assert retain(log, FUTURE, read_key(box / "other")).pictures == 1
    late = take_checkpoint(log, TIME, read_key(box / "other"))
    for checkpoint in (None, early, middle, late):
        whole, words = said(log, public(box, "old"), checkpoint)
        assert whole, words
        named = [f" names the key {read_key(box / key).public[:16]}" for key in ("new", "other")]
        assert words.endswith(f", row {ROWS + 1}{named[0]}, row {ROWS + 2}{named[1]}")
    assert late.sequence == ROWS + 4
    assert f"(signed by {read_key(box / 'other').public[:16]}...)" in said(log, public(box, "old"), late)[1]
    for name in ("new", "other"):  # a later key alone does not speak for what came before it
        whole, words = said(log, public(box, name))
        assert (whole, f"the rotation in row {ROWS + 1} is not signed by the key" in words) == (False, True)


def test_only_the_key_in_force_signs(box: Path, log: Path, old: SigningKey, new: SigningKey) -> None:
    """What the old key signs after it was replaced counts no more, nor what the new one signs before."""
    before = take_checkpoint(log, TIME, new)  # the log does not know any key yet
    assert not said(log, public(box, "old"), before)[0]
    rotate(log, old, new)
    for act in (
        lambda: take_checkpoint(log, TIME, old),
        lambda: retain(log, FUTURE, old),
        lambda: rotate(log, old, read_key(box / "other")),
    ):
        with pytest.raises(UsageError, match=rf"expected the key in force, {new.public[:16]}\.\.\., got"):
            act()
    stale = Checkpoint(ROWS + 1, head(log), TIME, old.public)
    stale = stale._replace(signature=old.sign("yochi audit checkpoint 1", stale.fields()))
    assert not said(log, public(box, "old"), stale)[0]
    assert not said(log, public(box, "old"), before)[0]


def test_a_rotation_that_only_the_new_key_signed_is_refused(
    box: Path, log: Path, old: SigningKey, new: SigningKey
) -> None:
    fields = {"old": old.public, "new": new.public, "lost": False}
    place = {"previous": head(log)}
    by_new = new.sign("yochi audit rotation 1", fields | place)
    whole = log.read_bytes()
    for signatures in ([by_new], [by_new, by_new], ["", by_new], [None, by_new], [], 7):
        log.write_bytes(whole)
        append(log, {"rotation": fields | {"signatures": signatures}})
        assert not said(log, public(box, "old"))[0]
        assert not said(log, public(box, "old", "new"))[0]  # nor does it help to give the new one, too
    assert said(log, public(box, "old"))[1] == f"row {ROWS + 1} holds no judgement"


def test_a_lost_key_is_a_break_of_trust(box: Path, log: Path, new: SigningKey) -> None:
    (old,) = public(box, "old")
    assert rotate(log, old, new) == ROWS + 1
    words = (
        f"the rotation in row {ROWS + 1} is a break of trust: the old key was lost, and the new one is not"
    )
    for names in (["old"], ["old", "other"], ["other"]):
        whole, found = said(log, public(box, *names))
        assert (whole, found) == (False, f"{words} given too")
    broken = f", row {ROWS + 1} names the key {new.public[:16]}, a break of trust"
    checkpoint = take_checkpoint(log, TIME, new)
    assert said(log, public(box, "old", "new"))[1].endswith(broken)
    assert said(log, public(box, "old", "other", "new"), checkpoint)[0]
    assert said(log)[1].endswith(broken)  # also where no key is given
    with AuditLog(log) as writer:
        assert writer.record(PROCEED, "after").verdict is Verdict.PROCEED


def test_a_rotation_counts_at_its_place_only(box: Path, log: Path, old: SigningKey, new: SigningKey) -> None:
    """The row of another log, or of another place, whoever copies it."""
    other = fill(box / "other.db", 2)
    rotate(other, old, new)
    append(log, json.loads(next(rows(other, last=1)).judgement))
    assert not said(log, public(box, "old"))[0]


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "another new key": lambda it: it.update(new="0" * 64),
    "another old key": lambda it: it.update(old="0" * 64),
    "as lost": lambda it: it.update(lost=True),
    "as lost, the old signature gone": lambda it: (it.update(lost=True), it["signatures"].pop(0)),
    "one field more": lambda it: it.update(more=1),
    "swapped": lambda it: it["signatures"].reverse(),
    "one signature": lambda it: it["signatures"].pop(),
    "three signatures": lambda it: it["signatures"].append("00"),
    "no signatures": lambda it: it.pop("signatures"),
    "a short key": lambda it: it.update(new="00"),
    "no key": lambda it: it.update(new=None),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_rotation_is_not_followed(
    box: Path, log: Path, old: SigningKey, new: SigningKey, how: str
) -> None:
    text: dict[str, Any] = rotation_text(old, new, head(log))
    FORGED[how](text["rotation"])
    append(log, text)
    for names in (["old"], ["old", "new"]):
        assert not said(log, public(box, *names))[0]


FIELDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "old": st.sampled_from(["0" * 64, "", None, 3, "zz"]),
        "new": st.sampled_from(["0" * 64, "", None, 3, "zz"]),
        "lost": st.sampled_from([True, False, None, 0, "yes"]),
        "signatures": st.sampled_from([[], ["00"], ["00", "00"], "0", None, {}]),
    },
)
ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


def test_whatever_calls_itself_a_rotation_the_two_agree(box: Path, log: Path) -> None:
    whole, keys = log.read_bytes(), public(box, "old")

    @settings(max_examples=80)
    @given(ANYTHING | FIELDS, st.booleans())
    def read(held: Any, known: bool) -> None:
        log.write_bytes(whole)
        append(log, {"rotation": held})
        assert not (said(log, keys if known else [])[0] and known)

    read()


def test_a_cut_before_the_rotation_shows_against_a_checkpoint(
    box: Path, log: Path, old: SigningKey, new: SigningKey
) -> None:
    rotate(log, old, new)
    checkpoint = take_checkpoint(log, TIME, new)
    forge(log, f"DELETE FROM judgements WHERE sequence = {ROWS + 1}")
    assert said(log, public(box, "old"))[0]
    whole, words = said(log, public(box, "old"), checkpoint)
    assert (whole, words.startswith(f"row {ROWS + 1} is missing, the checkpoint")) == (False, True)


def test_the_command_and_the_script(yochi: Yochi, box: Path, log: Path) -> None:
    key = ["--key", box / "old"]
    code, out, err = yochi("audit", "rotate", log, *key, "--new", box / "new")
    named = [read_key(box / name).public for name in ("new", "old")]
    assert (code, err) == (0, "")
    assert out == f"{log}: from row {ROWS + 1} on {named[0]} signs, no longer {named[1]}\n"
    assert (
        f"  rotation      key {named[1][:16]}... replaced by {named[0][:16]}..., signed by both"
        in (yochi("audit", "show", log, "--last", 1)[1])
    )
    kept = box / "kept"
    assert yochi("audit", "checkpoint", log, *key, "--out", kept)[0] == 2
    assert yochi("audit", "checkpoint", log, "--key", box / "new", "--out", kept)[0] == 0
    asked = ["--checkpoint", kept, "--public-key", box / "old.pub"]
    code, out, _ = yochi("audit", "verify", log, *asked)
    assert (code, f", row {ROWS + 1} names the key " in out) == (0, True)
    done = alone(log, *asked, site=True)
    assert (done.returncode, done.stderr, f", row {ROWS + 1} names the key " in done.stdout) == (
        0,
        "",
        True,
    )

    code, out, err = yochi("audit", "rotate", log, "--lost-key", box / "new.pub", "--new", box / "other")
    assert (code, "a break of trust" in err) == (0, True)
    for words, code in ((asked, 1), ([*asked, "--public-key", box / "other.pub"], 0)):
        assert yochi("audit", "verify", log, *words)[0] == code
        assert alone(log, *words, site=True).returncode == code


@pytest.mark.parametrize(
    "words",
    [
        ["--new", "new"],
        ["--key", "old", "--lost-key", "old.pub", "--new", "new"],
        ["--key", "old", "--new", "old"],
        ["--key", "old.pub", "--new", "new"],
        ["--lost-key", "old", "--new", "new"],
        ["--key", "old", "--new", "none"],
        ["--key", "old"],
    ],
    ids=" ".join,
)
def test_misuse_changes_nothing(yochi: Yochi, box: Path, log: Path, words: list[str]) -> None:
    given = [word if word.startswith("-") else str(box / word) for word in words]
    code, out, err = yochi("audit", "rotate", log, *given)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert len(list(rows(log))) == ROWS


def test_a_broken_log_gets_no_rotation(log: Path, old: SigningKey, new: SigningKey) -> None:
    forge(log, "UPDATE judgements SET note = 'x' WHERE sequence = 1")
    with pytest.raises(Broken, match="row 1 was changed"):
        rotate(log, old, new)


def test_killed_before_any_change_it_is_the_old_log_or_the_new(box: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (box / "kept").mkdir()
    for name in ("audit.db", "old", "new", "old.pub", "new.pub"):
        (box / name).rename(box / "kept" / name)
    command = [sys.executable, killed_rotation.__file__, str(box / "kept"), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    attempts = sorted(work.iterdir(), key=lambda folder: int(folder.name))
    assert len(attempts) > 3  # BEGIN, INSERT, COMMIT, and the one that was let be
    found = []
    for folder in attempts:
        log = folder / "audit.db"
        whole, words = said(log, public(folder, "old"))
        assert whole, words
        found.append(" names the key " in words)
        in_force = read_key(folder / ("new" if found[-1] else "old"))
        assert take_checkpoint(log, TIME, in_force).key == in_force.public
        if not found[-1]:
            assert rotate(log, read_key(folder / "old"), read_key(folder / "new")) == ROWS + 1
        with AuditLog(log) as writer:
            assert writer.record(PROCEED, "after").verdict is Verdict.PROCEED
    assert found == [False] * (len(found) - 1) + [True]
