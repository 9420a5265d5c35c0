"""The service in its modes, and its rulebook while it changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime import rules_in_force as rules_module
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rules_in_force import RulesInForce
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.rulebooks import MINIMAL, PACK

from .conftest import Running, asked, opens, running, wait_until
from .test_live import Eye, events, eye
from .test_page import Tags, page

__all__ = ["eye"]


def no_verdict(text: str) -> bool:
    return not [
        word for word in (*(f'"{verdict}"' for verdict in Verdict), '"judgement"', "advice") if word in text
    ]


def test_in_shadow_no_verdict_leaves_the_box_but_through_the_log(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path
) -> None:
    assert eye.opened == 0
    with running(
        opens(module_tiny), tmp_path / "audit.db", camera="0", every=0.05, mode=Mode.SHADOW
    ) as server:
        wait_until(lambda: server.http.get("/v1/live").json()["id"] is not None)
        sent = server.http.post("/v1/judgements", json=asked())
        live = server.http.get("/v1/live")
        assert no_verdict(sent.text)
        assert no_verdict(live.text)
        found = [data for kind, data in events(server, 3) if kind == "judgement"]
        assert found
        assert all(no_verdict(json.dumps(data)) for data in found)
        assert sent.json()["recorded"] == {"mode": "shadow", "row": sent.json()["id"], "fault": None}
        entry = server.http.get(f"/v1/judgements/{sent.json()['id']}").json()["judgement"]
        assert (entry["verdict"], entry["mode"], entry["output"], entry["camera"]) == (
            "proceed",
            "shadow",
            None,
            None,
        )
        entry = server.http.get(f"/v1/judgements/{found[-1]['id']}").json()["judgement"]
        assert (entry["mode"], entry["camera"]) == ("shadow", "0")
        text = page(server)
        assert '<body data-verdict="shadow">' in text
        assert '<h1 id="word">RECORDING ONLY</h1>' in text
        assert '<h1 id="word">記録のみ</h1>' in page(server, "ja")
        assert json.loads(Tags(text).settings)["shadow"] is True


def test_in_shadow_what_cannot_be_recorded_is_said(module_tiny: TinyBundle, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    db.write_bytes(b"no log" * 200)
    with running(opens(module_tiny), db, mode=Mode.SHADOW) as server:
        found = server.http.post("/v1/judgements", json=asked()).json()
    assert (found["id"], found["recorded"]["row"]) == (None, None)
    assert "expected to add a row" in found["recorded"]["fault"]


def fails() -> Judge:
    raise EngineError(Reason.ENGINE_FAILED, "expected an engine, got none; restart Yochi")


def output(found: Any) -> tuple[str, str | None]:
    return found["judgement"]["verdict"], found["judgement"]["output"]


def test_in_enforce_every_judgement_says_release_or_hold(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path
) -> None:
    with running(
        opens(module_tiny), tmp_path / "audit.db", camera="0", every=0.05, mode=Mode.ENFORCE
    ) as server:
        wait_until(lambda: output(server.http.get("/v1/live").json()) == ("proceed", "release"))
        assert output(server.http.post("/v1/judgements", json=asked()).json()) == ("proceed", "release")
        assert output(server.http.post("/v1/judgements", json=asked(b"none")).json()) == (
            "cannot_judge",
            "hold",
        )
        eye.fault = "expected a frame, got none; check the cable"
        wait_until(lambda: output(server.http.get("/v1/live").json()) == ("cannot_judge", "hold"))
        recorded = server.http.get("/v1/judgements?limit=100").json()["entries"]
        for entry in recorded:
            assert (entry["judgement"]["output"] == "release") == (entry["judgement"]["verdict"] == "proceed")


@pytest.mark.parametrize("camera", [None, "0"])
def test_in_enforce_a_fault_before_the_first_row_holds(
    eye: type[Eye], tmp_path: Path, camera: str | None
) -> None:
    assert eye.opened == 0
    with running(
        fails, tmp_path / "audit.db", camera=camera, ready=False, mode=Mode.ENFORCE, deadline=0.001
    ) as server:
        late = server.http.post("/v1/judgements", json=asked()).json()
        assert (late["id"], output(late)) == (None, ("cannot_judge", "hold"))
        if camera is not None:
            assert output(server.http.get("/v1/live").json()) == ("cannot_judge", "hold")


def metric(server: Running, name: str) -> float:
    (line,) = [x for x in server.http.get("/metrics").text.splitlines() if x.startswith(f"{name} ")]
    return float(line.split()[1])


def test_a_changed_rulebook_is_taken_or_said(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert eye.opened == 0
    monkeypatch.setattr(rules_module, "SETTLED", 0.0)
    file, told = tmp_path / "rules.toml", list[str]()
    file.write_text(MINIMAL, encoding="utf-8")
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, told.append)

    def ruling() -> Any:
        return server.http.get("/v1/live").json()["judgement"]["rules"]

    with running(opens(module_tiny), tmp_path / "audit.db", camera="0", every=0.05, rules=rules) as server:
        wait_until(lambda: ruling() is not None)
        assert (ruling()["not_taken"], metric(server, "yochi_rules_not_taken")) == (None, 0.0)
        file.write_text(MINIMAL[:-30], encoding="utf-8")
        wait_until(lambda: len(told) == 1)
        wait_until(lambda: "expected TOML" in str(ruling()["not_taken"]))
        assert (ruling()["version"], metric(server, "yochi_rules_not_taken")) == ("1", 1.0)
        file.write_text(MINIMAL.replace('version = "1"', 'version = "2"'), encoding="utf-8")
        wait_until(lambda: ruling()["version"] == "2")
        assert (ruling()["not_taken"], metric(server, "yochi_rules_not_taken")) == (None, 0.0)
        assert len(told) == 2


def test_the_page_says_that_a_rulebook_is_not_taken(server: Running) -> None:
    code = server.http.get("/page/page.js").text
    assert "rules?.not_taken ? words().rules_not_taken" in code
    assert 'id="rules"' in page(server)
