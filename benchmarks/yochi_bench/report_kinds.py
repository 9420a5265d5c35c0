"""What the report of each kind holds, whatever was measured: its tables, and their columns.

Others read reports by these names, so they are part of the published schema (`report.schema.json`) and a
report without one of them is not written. Columns beside them, and tables that need an option, may be there
or not. A name that changes or goes makes another format. A table that came later is missing in the reports
from before, which stay valid; where it stands it has its columns.
"""

from collections.abc import Iterator
from typing import Any

_TIMES = ("p50", "p90", "p99", "max")
_SCORES = ("AUROC", "AP", "F1", "positives", "negatives")
_FRAMES = {"camera_frames": ("frames", "rate")}
_CONDITIONS = {"conditions": ("before", "after")}

TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "latency": {
        "cold": ("once",),
        "new_frame": _TIMES,
        "new_note": _TIMES,
        "same_again": _TIMES,
        "camera": _TIMES,
        **_FRAMES,
        "memory": ("peak",),
        "energy": ("joules",),
        **_CONDITIONS,
    },
    "quality": {
        "verdicts": (
            "safe_effective",
            "miss",
            "oversafety",
            "stop_recall",
            "proceed_recall",
            "cannot_judge",
        ),
        "cells": ("judged rightly", "records"),
        "sources": _SCORES,
        "categories": _SCORES,
        "cues": _SCORES,
        "calibration": ("ECE", "answers"),
        "selective": ("risk",),
        "minimal_pairs": ("both right", "order right", "pairs"),
    },
    "roofline": {
        "roofline": ("operations", "moved", "p50", "rate", "intensity", "limit", "attained"),
        "ceiling": ("G operations/s", "GB/s"),
    },
    "peers": {"peers": (*_TIMES, "peak", "tokens written", "valid", "agreement")},
    "seeing-peers": dict.fromkeys(
        ("new_frame", "new_note"), (*_TIMES, "to the verdict", "tokens written", "times yochi", "peak")
    ),
    "suite": {
        "suite": (
            "safe",
            "effective",
            "safe and effective",
            "refused",
            "cannot_judge",
            "refusal words",
            "unreadable replies",
        ),
        "judges": ("kappa", "agreement"),
    },
    "sweep": {
        "ladder": ("graph", "size", "peak memory", "latency", "flips", "factor error", "miss", "oversafety"),
    },
    "quantization": {"fronts": ("latency", "size")},
    "endurance": {
        "growth": (
            "memory after a tenth",
            "memory at the end",
            "growth",
            "descriptors after a tenth",
            "descriptors at the end",
        ),
        "heat": ("first", "last", "highest"),
        "drift": ("p50", "p90"),
        "faults": ("made", "missed", "false cannot_judge"),
        **_FRAMES,
        **_CONDITIONS,
    },
    "live": {
        "live": _TIMES,
        "cuts": ("median", "max", "count"),
        "held": ("memory", "descriptors", "threads"),
        "page": ("bytes",),
    },
}

LATER: dict[str, dict[str, tuple[str, ...]]] = {
    "latency": {"compute": ("of judging", "of the whole call", "computed", "other", "audit")},
}


def schema_rules() -> list[dict[str, Any]]:
    """The same as JSON schema: one `if` of the kind and `then` its tables, for each kind."""
    rules: list[dict[str, Any]] = []
    for kind, tables in TABLES.items():
        held = {
            "allOf": [
                *(_has(table, columns) for table, columns in tables.items()),
                *(_whole(table, columns) for table, columns in LATER.get(kind, {}).items()),
            ]
        }
        then = {"properties": {"tables": held}}
        rules.append({"if": {"properties": {"kind": {"const": kind}}}, "then": then})
    return rules


def _has(table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    return {"contains": {"properties": {"id": {"const": table}, "columns": _named(columns)}}}


def _whole(table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    is_it = {"properties": {"id": {"const": table}}}
    return {"items": {"if": is_it, "then": {"properties": {"columns": _named(columns)}}}}


def _named(columns: tuple[str, ...]) -> dict[str, Any]:
    return {"allOf": [{"contains": {"properties": {"id": {"const": column}}}} for column in columns]}


def missing(kind: str, tables: dict[str, set[str]]) -> Iterator[str]:
    """What a report with these tables (columns by table) lacks of its kind."""
    yield from (f"the table {table}" for table in TABLES[kind] if table not in tables)
    for table, columns in (TABLES[kind] | LATER.get(kind, {})).items():
        found = tables.get(table, set(columns))
        yield from (f"the column {name} of {table}" for name in columns if name not in found)
