"""Reports made by hand, for every test that reads, shows or compares one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
from yochi_bench.report import (
    BundleIdentity,
    Column,
    Machine,
    Number,
    Plot,
    Report,
    Row,
    Series,
    Table,
    Workload,
    published_schema,
    read_report,
)

SCHEMA = jsonschema.Draft202012Validator(json.loads(published_schema()))
WORDS = "expected a meter, got <none> & no other"


def valid_report(file: Path) -> Report:
    """One that a command wrote, valid by another reader of the published schema."""
    SCHEMA.validate(json.loads(file.read_text(encoding="utf-8")))
    return read_report(file)


def report(**changed: Any) -> Report:
    """A small one with everything a report can hold."""
    p50 = Number(value=12.5, high=20.0, n=64)
    tables = (
        Table(
            id="new_frame",
            title="A new frame <b>",
            columns=(
                Column(id="p50", unit="ms", better="lower"),
                Column(id="score", unit="1", better="higher"),
                Column(id="peak", unit="bytes"),
            ),
            rows=(
                Row(id="whole call", cells={"p50": p50, "peak": Number(value=2_500_000.0)}),
                Row(id="F1", cells={"score": Number(value=0.75, low=0.7, high=0.8)}),
                Row(id="energy", cells={"p50": Number(value=None, reason=WORDS)}),
            ),
            caption="Made & by hand.",
        ),
    )
    points = Series(name="line <i>", x=(0.0, 1.0, 2.0), y=(0.0, 0.5, 1.0))
    marks = Series(name="marks", x=(1.0,), y=(1.0,), marks=True)
    facts: dict[str, Any] = {
        "kind": "latency",
        "command": "yochi-bench latency OUT --note 'a <b>'",
        "date": datetime(2026, 11, 28, 12, 0, tzinfo=UTC),
        "yochi": "0.1.0",
        "machine": MACHINE,
        "bundle": BundleIdentity(name="tiny", version="1", sha256="b" * 64, base="c" * 64),
        "workload": Workload(name="frame.jpg", frames=1, notes=2, sha256="d" * 64),
        "threads": 2,
        "settings": {"count": 64, "rules": False},
        "tables": tables,
        "plots": (Plot(title="Ready", x="ms", y="share", series=(points, marks)),),
        "notes": ("64 judgements do not carry p99.",),
    }
    return Report.model_validate({**facts, **changed})


MACHINE = Machine(
    architecture="x86_64",
    cpu="A processor",
    cores=2,
    memory_bytes=2**33,
    system="Linux 6",
    python="3.11.7",
    engines={"onnxruntime": "1.22"},
    governor=None,
    sha256="a" * 64,
)
