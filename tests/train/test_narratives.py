"""Real narratives: labelled by code or by words that leave little doubt, silent on everything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.narratives import Narrative, as_note, read_narratives


def folder_of(root: Path, english: list[dict[str, Any]], japanese: list[dict[str, Any]]) -> Path:
    for lang, rows in (("en", english), ("ja", japanese)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (root / f"accidents.{lang}.jsonl").write_text(text, encoding="utf-8")
    return root


def test_labels_by_word_and_by_code(tmp_path: Path) -> None:
    english = [
        {"id": 1, "narrative": "Employee fell off  a ladder\nand bruised his hip."},
        {
            "id": 2,
            "narrative": "Employee slipped and his hand was caught in the door.",
        },  # two patterns: not used
        {"id": 3, "narrative": "Employee was stung by a wasp."},  # none
        {"id": 4, "narrative": "Employee fell off a ladder. " + "Nobody saw it. " * 20},  # too long
    ]
    japanese = [
        {"id": "j1", "text": "高温の作業場で熱中症になった。", "type_code": 11},
        {"id": "j2", "text": "蒸気が足にかかった。", "type_code": 11},
        {"id": "j3", "text": "ハチに刺された。", "type_code": 90},
    ]
    found, left_out = read_narratives(folder_of(tmp_path, english, japanese))
    assert left_out == {
        "narratives without one category": 3,
        "narratives too long": 1,
        "narratives that repeat one for validation": 0,
    }
    assert found == [
        Narrative("1", "en", "Employee fell off a ladder and bruised his hip.", "fall"),
        Narrative("j1", "ja", "高温の作業場で熱中症になった。", "ergonomic"),
        Narrative("j2", "ja", "蒸気が足にかかった。", "thermal_fire"),
    ]


def test_a_report_asks_for_nothing_and_leaves_other_reports_open(pack: Pack) -> None:
    note = as_note(Narrative("1", "en", "He fell.", "fall"), pack)
    assert note.risks == {"note_content:fall"}
    contents = {s.id for s in pack.risk_slots if s.id.startswith("note_content:")}
    assert note.maybe == contents - note.risks
    assert note.templates == ("narrative:1",)


def test_what_is_told_twice_is_not_trained_on_and_held_out(tmp_path: Path) -> None:
    """Eleven words of twelve are shared, a Jaccard of 11 / 13: those to train on go."""
    told = [f"Employee {i} fell off a ladder and bruised his left hip badly." for i in range(40)]
    english = [{"id": i, "narrative": text} for i, text in enumerate(told)]
    found, left_out = read_narratives(folder_of(tmp_path, english, []))
    held = [n for n in (Narrative(str(i), "en", t, "fall") for i, t in enumerate(told)) if n.validation]
    assert 0 < len(held) < 40
    assert found == held
    assert left_out["narratives that repeat one for validation"] == 40 - len(held)
    apart = [*english, {"id": 99, "narrative": "A painter fell off the scaffold near gate two."}]
    kept = read_narratives(folder_of(tmp_path, apart, []))
    assert sorted(n.id for n in kept.used) == sorted([*(n.id for n in held), "99"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"accidents\.en\.jsonl, found none; leave --narratives out"):
        read_narratives(tmp_path)
