"""The dry run: what it says is true of the run, and it leaves nothing."""

import re
from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.rlaif.plan import plan

from ..made import tiny_slots
from .rlaif_data import questions, settings_of

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

NOBODY = {"critic": "endpoint", "critic_url": "http://127.0.0.1:9/v1", "critic_model": "tiny"}


@pytest.mark.parametrize(
    ("changes", "teacher"),
    [
        ({"critic": "truth"}, "truth"),
        ({"critic": "disentangled"}, "disentangled"),
        ({"method": "grpo"}, "grpo"),
        (NOBODY, f"tiny at {NOBODY['critic_url']}"),
    ],
)
def test_what_is_told_is_what_the_run_would_do(
    data: Path, tmp_path: Path, pack: Pack, changes: dict[str, str], teacher: str
) -> None:
    text = plan(settings_of(data, **changes), tiny_slots(), tmp_path / "out")
    rows = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    asked = questions(pack)
    assert rows["rounds"] == "2, each of 16 prompts with 4 answers and 2 steps"
    assert rows["answers"] == (
        f"{asked.asked - 1} of {len(asked.ids)} slots, those that are trained, and the verdict"
    )
    assert rows["taught by"] == teacher
    assert rows["held out"] == "8 verdicts; thresholds from 8 other records"
    assert rows["features"].startswith("16 of 16 photos")
    said = (
        r"\d+ min: \d+\.\d\d s for the answers to a picture's notes, \d+\.\d\d s a step, "
        r"\d+ min an evaluation(; besides, what the endpoint takes)?"
    )
    assert re.fullmatch(said, rows["time"])
    assert not (tmp_path / "out").exists()


def test_what_would_stop_the_run_is_told_at_once(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a finished run"):
        plan(settings_of(data, start=tmp_path), tiny_slots(), tmp_path / "out")
    with pytest.raises(UsageError, match=r"train\.jsonl, found none"):
        plan(settings_of(data, records=tmp_path), tiny_slots(), tmp_path / "out")
