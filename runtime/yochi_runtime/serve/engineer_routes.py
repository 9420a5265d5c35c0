"""The engineer's routes: what judges now and how well it runs, the last judgements as plots, the report."""

import hashlib
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..audit.history import History, make_history
from ..audit.report import FIRST, LAST, Span, make_report, parse_time
from ..audit.report_table import in_order
from ..audit.search import newest_first, parsed
from ..bundle import parse_manifest, read_manifest
from ..errors import UsageError, YochiError
from ..judge import Judge
from ..judgement import Judgement
from ..plant_rules import PlantRules
from ..rules_in_force import RulesInForce
from ..update import earlier_bundle
from .answers import described
from .engineer_given import (
    BundleInUse,
    Earlier,
    Engine,
    ReportLine,
    RulebookInForce,
    ShadowReport,
    State,
)
from .seats import Seats
from .service import Service
from .signal_states import signal_states

MAX_HISTORY = 20_000  # rows
NEAR = 20  # rows among which the last judgement is looked for; the others are what people said
Time = Annotated[str | None, Query(max_length=40)]


def engineer_routes(service: Service) -> APIRouter:
    """For the page at /engineer. All of it reads; what changes stands in `change_routes`."""
    routes, log = APIRouter(prefix="/v1/engineer", tags=["engineer"]), service.settings.log
    passes = Seats(1, "passes over the log")

    @routes.get("/state")
    def state() -> State:
        """The service now: readiness, engines, bundle, rulebook, signals, the newest judgement."""
        return _state(service)

    @routes.get("/history", responses=described(429))
    async def history(last: Annotated[int, Query(ge=1, le=MAX_HISTORY)] = 2_000) -> History:
        """The last rows of the log as numbers over time."""
        with passes.take():
            return await run_in_threadpool(make_history, log, last)

    @routes.get("/report", responses=described(422, 429))
    async def report(since: Time = None, until: Time = None) -> ShadowReport:
        """What `enforce` would have done with the judgements of a time, as `yochi audit report` says it."""
        span = _span(since, until)
        with passes.take():
            return await run_in_threadpool(_report, service, span)

    return routes


def _state(service: Service) -> State:
    desk, live, judge = service.desk, service.live, service.desk.opened
    newest, number, age = _newest(service)
    return State(
        mode=desk.mode,
        changes=service.settings.access.admin is not None,
        camera=None if live is None else live.shown.given.judgement.camera,
        readiness=desk.readiness(),
        seats_taken=service.seats.taken,
        engines=tuple(Engine(name=name, restarts=starts - 1) for name, starts in desk.starts.items()),
        engine_versions=None if judge is None else judge.versions,
        bundle=None if judge is None else bundle_in_use(judge),
        bundle_before=_bundle_before(service.changes.bundles),
        rulebook=None if service.settings.rules is None else _rulebook(service.settings.rules),
        signals=signal_states(None if live is None else live.line),
        newest=newest,
        newest_id=number,
        age_s=age,
    )


def _newest(service: Service) -> tuple[Judgement | None, int | None, float | None]:
    if service.live is not None:
        now = service.live.shown.aged(service.desk.mode)
        return now.judgement, now.id, now.age_s
    if service.settings.log.exists():
        for row in islice(newest_first(service.settings.log), NEAR):
            if "verdict" in parsed(row):
                return Judgement.model_validate_json(row.judgement), row.sequence, None
    return None, None, None


def bundle_in_use(judge: Judge) -> BundleInUse:
    bundle, standing = judge.bundle, judge.standing
    return BundleInUse(
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        sha256=bundle.sha256,
        base=bundle.manifest.base.file,
        pack=f"{bundle.pack.id} {bundle.pack.version}",
        languages=bundle.manifest.languages,
        proof_passed=bundle.manifest.proof.passed,
        trusted=standing.trusted,
        standing=standing.said,
    )


def _bundle_before(root: Path | None) -> Earlier | None:
    try:
        folder = None if root is None else earlier_bundle(root)
        if folder is None:
            return None
        data = read_manifest(folder)
        manifest = parse_manifest(data)
    except (YochiError, OSError):
        return None  # rolling back says why
    return Earlier(name=manifest.name, version=manifest.version, sha256=hashlib.sha256(data).hexdigest())


def _rules_before(rules: PlantRules | None) -> Earlier | None:
    if rules is None:
        return None
    return Earlier(name=rules.file.book.id, version=rules.file.book.version, sha256=rules.file.sha256)


def _rulebook(in_force: RulesInForce) -> RulebookInForce:
    rules = in_force.rules
    return RulebookInForce(
        id=rules.file.book.id,
        version=rules.file.book.version,
        sha256=rules.file.sha256,
        clauses=len(rules.file.book.rule),
        zone=rules.zone,
        not_taken=in_force.not_taken,
        before=_rules_before(in_force.before),
    )


def _span(since: str | None, until: str | None) -> Span:
    try:
        span = Span(parse_time(since, FIRST), parse_time(until, LAST))
    except UsageError as e:
        raise HTTPException(422, str(e)) from e
    if span.since >= span.until:
        raise HTTPException(422, f"expected since before until, got {since} and {until}; mend one of them")
    return span


def _report(service: Service, span: Span) -> ShadowReport:
    valid, log = service.settings.valid_s, service.settings.log
    if not log.exists():
        return ShadowReport(judgements=0, modes={}, missed=0, clock_back=0, valid_s=valid, lines=())
    found = make_report(log, span, valid)
    lines = [
        ReportLine(by=key.by, value=key.value, zone=key.zone, numbers=asdict(tally))
        for key, tally in in_order(found)
    ]
    return ShadowReport(
        judgements=sum(found.modes.values()),
        modes=dict(found.modes),
        missed=found.missed,
        clock_back=found.clock_back,
        valid_s=valid,
        lines=tuple(lines),
    )
