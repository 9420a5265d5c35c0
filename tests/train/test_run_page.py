"""The page of a run: its curves and what its rounds reached, in one file that loads nothing."""

import json
import math
import re
from pathlib import Path
from typing import Any

from PIL import Image
from yochi_train.run_page import POINTS, curve, run_page, write_run_page


def rate(hits: int, of: int) -> dict[str, Any]:
    return {"value": None, "hits": hits, "of": of}


REPORT: dict[str, Any] = {
    "critic": "truth",
    "start": {
        "cells": {"U_I U_T": rate(1, 4), "S_I S_T -> safe": rate(0, 0)},
        "verdicts": {"miss": rate(2, 8)},
    },
    "rounds": [{"cells": {"U_I U_T": rate(3, 4)}, "verdicts": {"miss": rate(1, 8)}, "kept": True}],
    "ended": "no <preferences>",
}


def test_curves_and_cells_are_there(tmp_path: Path) -> None:
    rows = [{"round": 1, "step": i, "loss": 2.0 - i, "reward": None if i else 0.5} for i in range(2)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "report.json").write_text(json.dumps(REPORT), "utf-8")
    write_run_page(tmp_path, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Judged rightly, by cell",
        "Verdicts",
        "loss",
        "reward",
        "Worst misses",
        "Worst false alarms",
    ]
    assert "<td>25.0 % (1/4)</td><td>75.0 % (3/4)</td>" in page
    assert "<td>-</td><td>-</td>" in page
    assert "S_I S_T -&gt; safe" in page
    assert "no &lt;preferences&gt;" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_a_run_without_rounds_or_steps_has_a_page() -> None:
    assert "<h2>" not in run_page("empty", [], Path(), None)


def test_a_curve_is_on_its_scale() -> None:
    (line,) = re.findall('points="(.*?)"', curve([3.0, 1.0]))
    assert line == "70.0,10.0 770.0,120.0"
    assert "<text" in curve([1.0])
    assert curve([math.nan]) == "<p>No number.</p>"
    assert len(re.findall("<polyline", curve([1.0, math.nan, 2.0, 3.0]))) == 1


def test_a_long_run_has_a_short_curve() -> None:
    drawn = re.findall("<polyline", curve([float(i % 7) for i in range(10 * POINTS)]))
    assert len(drawn) == POINTS - 1


def test_mistakes_and_answers_are_shown_with_their_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / "a.jpg")
    mistake = {
        "kind": "miss",
        "id": "r1",
        "image": "a.jpg",
        "note": "Guide <him> in.",
        "lang": "en",
        "truth": "stop",
        "shown": "proceed",
        "slot": "combination:vehicle",
        "probability": 0.125,
        "threshold": 0.2,
        "margin": -0.56,
    }
    answer = {"shown": "stop", "score": 0.75, "gs": 8.0, "os": None, "told": None, "said": [], "text": None}
    sampled = {
        "image": "gone.jpg",
        "note": "掃く。",
        "lang": "ja",
        "truth": None,
        "best": {**answer, "said": ["cue:fire"], "text": " <b>picture: fire\n"},
        "worst": {**answer, "shown": "proceed", "score": 0.25},
    }
    report = {
        **REPORT,
        "start": {**REPORT["start"], "mistakes": [mistake]},
        "rounds": [
            {
                **REPORT["rounds"][0],
                "kept": False,
                "mistakes": [{**mistake, "id": "r2"}],
                "sampled": [sampled],
            }
        ],
    }
    page = run_page("run", [], tmp_path, report)
    assert page.count('<img src="data:image/jpeg;base64,') == 1
    assert "Guide &lt;him&gt; in." in page
    assert "truth stop, shown proceed; combination:vehicle 0.12 (threshold 0.20)" in page
    assert "r1" in page
    assert "r2" not in page  # the round was taken back: its weights do not stand
    assert "gone.jpg: not there any more" in page
    assert "<b>best: stop</b> (score 0.75, GS 8.00)<br>cue:fire<br><q>&lt;b&gt;picture: fire</q>" in page
    assert "<b>worst: proceed</b> (score 0.25, GS 8.00)<br>no slot</p>" in page
