"""The engineer's routes: the state now, the last judgements over time, what enforce would have done."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from yochi_devices.plant.line import Line
from yochi_runtime.audit import log as log_module
from yochi_runtime.audit.history import make_history
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import Judgement, cannot_judge
from yochi_runtime.mode import Mode
from yochi_runtime.rules_in_force import rules_in_force
from yochi_runtime.signalling import Signals
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.audit.conftest import PROCEED
from tests.runtime.processes import pid_of
from tests.runtime.test_judgement import factor

from .conftest import Running, asked, opens, running, wait_until
from .test_audit_routes import EXAMPLE
from .test_live import Eye, eye

__all__ = ["eye"]  # a fixture


def state(server: Running) -> Any:
    return server.http.get("/v1/engineer/state").json()


def test_the_state_names_what_judges(module_tiny: TinyBundle, tmp_path: Path) -> None:
    rules = rules_in_force(EXAMPLE, None, module_tiny.folder, lambda _: None)
    with running(opens(module_tiny), tmp_path / "audit.db", rules=rules) as server:
        found = state(server)
        assert (found["newest"], found["signals"], found["camera"]) == (None, [], None)
        assert (found["bundle"]["sha256"], found["bundle"]["proof_passed"]) == (module_tiny.sha256, True)
        assert rules is not None
        assert found["rulebook"]["sha256"] == rules.rules.file.sha256
        assert found["engines"] == [{"name": "vision", "restarts": 0}, {"name": "language", "restarts": 0}]
        server.http.post("/v1/judgements", json=asked())
        server.http.post("/v1/judgements/1/feedback", json={"says": "right"})
        found = state(server)
        assert (found["newest_id"], found["newest"]["verdict"], found["age_s"]) == (1, "proceed", None)
        os.kill(pid_of("vision"), signal.SIGKILL)
        for _ in range(2):  # the first notices, the second starts another
            server.http.post("/v1/judgements", json=asked())
        assert state(server)["engines"][0] == {"name": "vision", "restarts": 1}


def test_a_reopened_judge_counts_on(module_tiny: TinyBundle, tmp_path: Path) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db", check_every=0.05) as server:
        os.kill(pid_of("language"), signal.SIGKILL)
        wait_until(lambda: server.service.desk.starts["language"] > 1)
        wait_until(lambda: server.service.desk.readiness().ready)


def test_with_a_camera_the_newest_is_what_it_shows(
    eye: type[Eye],
    module_tiny: TinyBundle,
    tmp_path: Path,
) -> None:
    assert eye.opened == 0
    line = Line([], [], None, lambda _: None)
    log, signals = tmp_path / "audit.db", Signals(Mode.ADVISE, 1.0, lambda _: line)
    with running(opens(module_tiny), log, camera="0", every=0.05, signals=signals) as server:
        wait_until(lambda: state(server)["newest_id"] is not None)
        found = state(server)
        assert (found["camera"], found["newest"]["camera"], found["age_s"] >= 0) == ("0", "0", True)
        assert found["newest"]["gates"]


def flagged(*slots: str) -> Judgement:
    own = tuple(factor(slot=slot) for slot in slots)
    return PROCEED.model_copy(
        update={"verdict": Verdict.STOP, "factors": own, "timings_ms": {"vision": 10.0}}
    )


def test_history_counts_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16 judgements a minute apart are two slices of eight: fire in all of the second, none of the first."""
    path, minute = tmp_path / "audit.db", iter(range(60))
    monkeypatch.setattr(log_module, "now", lambda: f"2026-11-29T06:{next(minute):02}:00.000Z")
    with AuditLog(path) as log:
        for i in range(16):
            made = flagged("cue:fire") if i >= 8 else PROCEED
            log.record(made.model_copy(update={"timings_ms": {"vision": float(i)}}), None)
        log.record(cannot_judge(Reason.FRAME_DARK, "expected light, got none; switch it on"), None)
    found = make_history(path, 17)
    assert (found.judgements, found.since, found.until) == (
        17, "2026-11-29T06:00:00.000Z", "2026-11-29T06:16:00.000Z",
    )  # fmt: skip
    assert found.slices == (8, 9)  # the middle, 06:08, belongs to the second
    (fire,) = found.factors
    assert (fire.id, fire.count, fire.shares) == ("cue:fire", 8, (0.0, 8 / 9))
    assert {plot.id: plot.count for plot in found.verdicts} == {"proceed": 8, "stop": 8, "cannot_judge": 1}
    assert [(plot.id, plot.shares) for plot in found.reasons] == [("frame_dark", (0.0, 1 / 9))]
    (vision,) = found.stages
    assert (vision.count, vision.median, vision.p95, vision.largest) == (16, 8.0, 15.0, 15.0)
    assert make_history(path, 1).judgements == 1
    assert make_history(tmp_path / "none.db", 5).judgements == 0


def test_the_report_is_that_of_the_command_line(module_tiny: TinyBundle, tmp_path: Path) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db") as server:
        http = server.http
        assert http.get("/v1/engineer/report").json()["lines"] == []
        http.post("/v1/judgements", json=asked())
        http.post("/v1/judgements", json=asked(b"no picture"))
        found = http.get("/v1/engineer/report").json()
        assert (found["judgements"], found["modes"]) == (2, {"advise": 2})
        total = found["lines"][0]
        assert (total["by"], total["numbers"]["judgements"], total["numbers"]["held"]) == ("total", 2, 1)
        assert [line["value"] for line in found["lines"] if line["by"] == "reason"] == ["frame_unreadable"]
        late = {"since": "2026-01-02", "until": "2026-01-01"}
        assert http.get("/v1/engineer/report", params=late).status_code == 422
        history = http.get("/v1/engineer/history", params={"last": 20}).json()
        assert history["judgements"] == 2
