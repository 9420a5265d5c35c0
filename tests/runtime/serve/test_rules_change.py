"""The rulebook before, by the second token: until the file changes, and over a restart."""

from pathlib import Path

import pytest
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rules_in_force import RulesInForce
from yochi_runtime.taxonomy import sha256_text

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.rulebooks import MINIMAL, PACK

from .conftest import opens, running
from .test_changes import ACCESS, ADMIN, judged, told, two_rulebooks, version


def test_the_rulebook_goes_back_and_the_file_is_followed_again(
    module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, said = tmp_path / "audit.db", list[str]()
    rules = two_rulebooks(tmp_path, monkeypatch, said.append)
    one, two = (sha256_text(version(number)) for number in (1, 2))
    with running(opens(module_tiny), log, access=ACCESS, rules=rules) as server:
        assert judged(server)["rules"]["version"] == "2"
        state = server.http.get("/v1/engineer/state").json()["rulebook"]
        assert state["before"] == {"name": "plant", "version": "1", "sha256": one}
        found = server.http.post("/v1/rules/rollback", headers=ADMIN)
        assert (found.status_code, found.json()["before"], found.json()["after"]) == (200, two, one)
        for _ in range(2):
            now = judged(server)
            assert (now["rules"]["version"], now["identities"]["rules"]) == ("1", one)
            assert "was rolled back" in now["rules"]["not_taken"]
    again = RulesInForce(PlantRules(read_rules(tmp_path / "rules.toml", PACK)), rules._path, said.append)
    with running(opens(module_tiny), log, access=ACCESS, rules=again) as server:
        assert judged(server)["rules"]["version"] == "1"
        (tmp_path / "rules.toml").write_text(version(3), encoding="utf-8")
        judged(server)
        now = judged(server)
        assert (now["rules"]["version"], now["rules"]["not_taken"]) == ("3", None)
        assert server.http.post("/v1/rules/rollback", headers=ADMIN).json()["after"] == one
        assert judged(server)["rules"]["version"] == "1"
        back = server.http.post("/v1/rules/rollback", headers=ADMIN)  # what was before that
        assert (back.status_code, judged(server)["rules"]["not_taken"]) == (200, None)
        assert judged(server)["rules"]["version"] == "3"
    assert [did for _, did, *_ in told(log)] == ["begun", "rolled_back"] * 3


def test_a_file_that_changed_while_nothing_ran_has_one_before_it(
    module_tiny: TinyBundle, tmp_path: Path
) -> None:
    log, file = tmp_path / "audit.db", tmp_path / "rules.toml"
    for number, before in ((1, None), (2, "1"), (2, "1"), (3, "2")):
        file.write_text(version(number), encoding="utf-8")
        rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, lambda _: None)
        with running(opens(module_tiny), log, rules=rules):
            assert rules.rules.file.book.version == str(number)
            assert (None if rules.before is None else rules.before.file.book.version) == before


def test_what_cannot_go_back_is_refused_and_recorded(module_tiny: TinyBundle, tmp_path: Path) -> None:
    file, log = tmp_path / "rules.toml", tmp_path / "audit.db"
    file.write_text(MINIMAL, encoding="utf-8")
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, lambda _: None)
    with running(opens(module_tiny), log, access=ACCESS, rules=rules) as server:
        found = server.http.post("/v1/rules/rollback", headers=ADMIN)
        assert (found.status_code, "none is kept" in found.json()["detail"]) == (409, True)
    assert told(log) == [("rules", "refused", rules.rules.file.sha256, "")]
    with running(opens(module_tiny), log, access=ACCESS) as server:
        found = server.http.post("/v1/rules/rollback", headers=ADMIN)
        assert (found.status_code, "there is none" in found.json()["detail"]) == (409, True)
        found = server.http.post("/v1/bundle/rollback", headers=ADMIN)
        assert (found.status_code, "started with --bundle" in found.json()["detail"]) == (409, True)
