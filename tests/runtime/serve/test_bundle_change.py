"""A running service goes back to the bundle before: the old engines judge until the new ones have."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime import update
from yochi_runtime.errors import EngineError, Reason, UsageError
from yochi_runtime.judge import Judge
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rules_in_force import RulesInForce
from yochi_runtime.serve import changes as changes_module
from yochi_runtime.serve.builtin import BuiltIn

from tests.runtime.processes import held
from tests.runtime.rulebooks import MINIMAL, PACK
from tests.runtime.test_update import Box, Shelf, box, shelf

from .conftest import Running, running, wait_until
from .test_changes import ACCESS, ADMIN, judged

__all__ = ["Shelf", "box", "shelf"]  # fixtures


@contextmanager
def on(box: Box, **more: Any) -> Iterator[Running]:
    """A service that opens the box's bundle."""
    with running(lambda: Judge.open(threads=1), box.log, access=ACCESS, bundles=box.root, **more) as server:
        yield server


def roll_back(server: Running) -> Any:
    return server.http.post("/v1/bundle/rollback", headers=ADMIN)


def before(server: Running) -> Any:
    return server.http.get("/v1/engineer/state").json()["bundle_before"]


def judges_by(server: Running) -> str:
    found = judged(server)
    assert found["verdict"] == "proceed"
    sha256: str = found["identities"]["bundle"]
    return sha256


def nothing(*_: object) -> None:
    """Stands for the two judgements of `update`, which have tests of their own."""


@pytest.fixture
def installed(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """`one` is installed, over the shipped one."""
    with monkeypatch.context() as patch:
        patch.setattr(update, "_check", nothing)
        box.install("one")
    return box


def test_the_new_engines_have_judged_before_the_old_ones_stop(
    installed: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held at its last step it judges by the old one, and then by the new one."""
    monkeypatch.setattr(update, "_check", nothing)
    one, reached, go_on = installed.shelf.sha256["one"], threading.Event(), threading.Event()

    class Held(BuiltIn):
        def check(self, judge: Judge) -> None:
            super().check(judge)
            reached.set()
            assert go_on.wait(60)

    monkeypatch.setattr(changes_module, "BuiltIn", Held)
    with on(installed) as server:
        assert (judges_by(server), before(server)["sha256"]) == (one, installed.shipped)
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(roll_back(server)))
        asking.start()
        assert reached.wait(60)
        assert roll_back(server).status_code == 429
        assert judges_by(server) == one
        go_on.set()
        asking.join()
        (found,) = answers
        assert (found.status_code, found.json()["before"], found.json()["after"]) == (
            200,
            one,
            installed.shipped,
        )
        assert (judges_by(server), before(server)) == (installed.shipped, None)
        assert server.http.get("/readyz").json()["ready"]
        assert server.http.get("/v1/engineer/state").json()["bundle"]["sha256"] == installed.shipped
        assert held()[0] == ["language", "vision"]
        again = roll_back(server)
        assert (again.status_code, "nothing to undo" in again.json()["detail"]) == (409, True)
    assert installed.told()[-2:] == [("begun", "one", "shipped"), ("rolled_back", "one", "shipped")]
    assert installed.judges_by() == "shipped"


def fails(*_: object) -> None:
    raise EngineError(Reason.ENGINE_OUTPUT, "expected the same numbers, got others; no")


def at_first_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(update, "_check", fails)


def at_second_check(patch: pytest.MonkeyPatch) -> None:
    turns = iter([nothing, fails])
    patch.setattr(update, "_check", lambda *given: next(turns)(*given))


def in_the_service(patch: pytest.MonkeyPatch) -> None:
    class Failing(BuiltIn):
        def check(self, judge: Judge) -> None:
            fails(judge)

    patch.setattr(update, "_check", nothing)
    patch.setattr(changes_module, "BuiltIn", Failing)


def by_the_rules(patch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise UsageError("expected a slot that the pack knows, got another; mend the rules")

    patch.setattr(update, "_check", nothing)
    patch.setattr(RulesInForce, "fitting", none)


@pytest.mark.parametrize(
    ("spoil", "status", "did"),
    [
        (at_first_check, 503, ["refused"]),
        (at_second_check, 503, ["begun", "rolled_back"]),
        (in_the_service, 503, ["begun", "rolled_back"]),
        (by_the_rules, 409, ["begun", "rolled_back"]),
    ],
)
def test_where_it_fails_the_old_one_judges_on(
    installed: Box,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    spoil: Callable[[pytest.MonkeyPatch], None],
    status: int,
    did: list[str],
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(MINIMAL, encoding="utf-8")
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, lambda _: None)
    with on(installed, rules=rules) as server:
        with monkeypatch.context() as patch:
            spoil(patch)
            found = roll_back(server)
            assert (found.status_code, len(found.json()["detail"].splitlines())) == (status, 1)
        assert judges_by(server) == installed.shelf.sha256["one"]
        assert held()[0] == ["language", "vision"]
    assert installed.judges_by() == "one"
    assert [told[0] for told in installed.told()[2:]] == did


def test_the_rules_go_along(installed: Box, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(MINIMAL, encoding="utf-8")
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, lambda _: None)
    with on(installed, rules=rules) as server:
        assert roll_back(server).status_code == 200
        found = judged(server)
        assert (found["rules"]["version"], found["rules"]["not_taken"]) == ("1", None)
        assert server.service.desk.pack is not None
        assert rules.rules.file.pack == server.service.desk.pack


def test_a_service_that_ends_meanwhile_begins_with_the_new_one(
    installed: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    class Held(BuiltIn):
        def check(self, _: Judge) -> None:
            reached.set()
            assert go_on.wait(60)

    monkeypatch.setattr(update, "_check", nothing)
    monkeypatch.setattr(changes_module, "BuiltIn", Held)
    said: list[Exception] = []
    with on(installed) as server:

        def ask() -> None:
            try:
                server.service.changes.roll_back_bundle()
            except EngineError as e:
                said.append(e)

        asking = threading.Thread(target=ask)
        asking.start()
        assert reached.wait(60)
        server.service.desk.close()
        go_on.set()
        asking.join()
        wait_until(lambda: bool(server.ended))
        assert held()[0] == []
    assert "the service is ending" in str(said[0])
    assert installed.judges_by() == "shipped"
