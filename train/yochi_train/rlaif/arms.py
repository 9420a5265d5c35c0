"""`yochi-train arms`: ways to learn from the same start, records, steps and seeds, in one table.

Half of the validation split's picture groups is kept from every run and judged at the end alone: rounds are
kept or taken back by the other half, so a table of that one would praise whoever had most to choose from.
What the arms of a seed begin with is judged once.
"""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_bench.intervals import Interval, Resamples, linked, paired_difference, resample
from yochi_bench.scores import Weighted, value, weighted_ratio
from yochi_bench.verdicts import indicators
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from ..convert.written import written
from ..model_folder import MODEL
from ..records import read_records
from ..slot_model import SlotModel
from .held_out import judge
from .rounds import Rounds
from .run import prepare
from .settings import RlaifSettings

ARMS: Mapping[str, Mapping[str, object]] = {
    "self-feedback": {"method": "dpo", "critic": "disentangled"},
    "no-disentangling": {"method": "dpo", "critic": "joint"},
    "os-only": {"method": "dpo", "critic": "disentangled", "global_weight": 0.0},
    "gs-only": {"method": "dpo", "critic": "disentangled", "global_weight": 1.0},
    "truth": {"method": "dpo", "critic": "truth"},
    "grpo": {"method": "grpo"},
    "sft": {"method": "sft"},
}
START, BASELINE = "start", "sft"  # what all go on from; what the others are compared with
RATES = ("safe_effective", "miss", "oversafety")
VERDICTS, TABLE = "verdicts.json", "arms.json"
Judged = dict[str, list[list[str]]]  # by arm: for each seed the verdicts on the records of the table


def read_seeds(words: str) -> list[int]:
    """ "0,1,2" -> different numbers; UsageError for anything else."""
    seeds = [int(word) for word in words.split(",") if word.strip().isdecimal()]
    if len(seeds) != len(words.split(",")) or len(set(seeds)) != len(seeds):
        raise UsageError(f"expected --seeds as different numbers, such as 0,1,2, got {words!r}")
    return seeds


def compare(
    settings: RlaifSettings,
    open_model: Callable[[RlaifSettings], SlotModel],
    seeds: Sequence[int],
    resamples: int,
    out: Path,
) -> str:
    """Every arm with every seed; `arms.json` in `out`, and its table for the screen. Finished arms stay."""
    held, shown = halves(read_records(settings.records / "val.jsonl"))
    judged: Judged = {START: [], **{arm: [] for arm in ARMS}}
    for seed in seeds:
        start = out / f"{START}-{seed}.json"
        for arm, changes in ARMS.items():
            chosen = settings.model_copy(update={**changes, "seed": seed})
            judged[arm].append(_play(chosen, open_model, held, shown, start, out / f"{arm}-{seed}"))
        judged[START].append(_read(start)["verdicts"])
    draws = resample(
        {"pictures": [r.picture_group for r in shown], "templates": linked([r.templates for r in shown])},
        seed=0,
        count=resamples,
    )
    table = table_of([record.verdict for record in shown], judged, draws)
    with written(out / TABLE) as file:
        file.write(json.dumps({"seeds": list(seeds), "records": len(shown), "arms": table}, indent=1) + "\n")
    return text_of(table, len(shown), seeds)


def halves(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """For the rounds, and for the table alone (known verdicts); no picture is in both."""
    groups = sorted({record.picture_group for record in records})
    random.Random("arms").shuffle(groups)
    kept = set(groups[: len(groups) // 2])
    shown = [r for r in records if r.picture_group not in kept and r.verdict]
    if not 0 < sum(r.verdict == "proceed" for r in shown) < len(shown):
        raise UsageError(
            f"expected safe and dangerous records for the table in half of val.jsonl, got {len(shown)} known "
            "of one kind; give more records"
        )
    return [r for r in records if r.picture_group in kept], shown


def _play(
    settings: RlaifSettings,
    open_model: Callable[[RlaifSettings], SlotModel],
    held: Sequence[Record],
    shown: Sequence[Record],
    start: Path,
    out: Path,
) -> list[str]:
    """The verdicts after the last round. The seed's first arm judges what all begin with, into `start`."""
    file = out / VERDICTS
    if not file.is_file():
        made = prepare(settings, open_model(settings), out, held)
        if not start.is_file():
            _write(start, {"verdicts": _judged(made, shown), "reached": made.reached()})
        made.report["start"] = _read(start)["reached"]
        made.run()
        made.policy.save(out / MODEL, made.trained.positives)
        _write(file, {"verdicts": _judged(made, shown)})
    return list(_read(file)["verdicts"])


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _write(file: Path, found: Mapping[str, object]) -> None:
    with written(file) as text:
        text.write(json.dumps(found, ensure_ascii=False) + "\n")


def _judged(made: Rounds, records: Sequence[Record]) -> list[str]:
    return judge(made.policy, made.trained, made.held.fit, records)


def table_of(truth: Sequence[str | None], judged: Judged, draws: Resamples) -> dict[str, dict[str, object]]:
    """By arm: rates over the seeds together, and errors (1 - safe and effective) against the baseline's."""
    own = {arm: _rates(truth, of_seeds) for arm, of_seeds in judged.items()}
    table: dict[str, dict[str, object]] = {}
    for arm, rates in own.items():
        told: dict[str, object] = {name: value(rates[name], draws.records) for name in RATES}
        if arm != BASELINE:
            # errors are one minus safe and effective: the difference turns round
            told["errors_less"] = _less(rates, own[BASELINE], draws).as_json()
        table[arm] = told
    return table


def _less(rates: Mapping[str, Weighted], base: Mapping[str, Weighted], draws: Resamples) -> Interval:
    return paired_difference(rates["safe_effective"], base["safe_effective"], draws)


def _rates(truth: Sequence[str | None], of_seeds: Sequence[Sequence[str]]) -> dict[str, Weighted]:
    """A record counts once, with the mean of its hits over the seeds: seeds are no new records."""
    parts = [indicators(truth, judged) for judged in of_seeds]
    rates = {}
    for name in RATES:
        hits: NDArray[np.float64] = np.mean([one[name][0] for one in parts], axis=0)
        rates[name] = weighted_ratio(hits, parts[0][name][1])
    return rates


def text_of(table: Mapping[str, Mapping[str, object]], records: int, seeds: Sequence[int]) -> str:
    """Percent; an interval above 0 says fewer errors than the baseline."""
    lines = [f"{records} records that no run saw, {len(seeds)} seeds; errors fewer than {BASELINE}'s, 95 %"]
    lines.append(f"{'':18}{'safe&effective':>15}{'miss':>8}{'oversafety':>12}   errors fewer")
    for arm, told in table.items():
        numbers = [_percent(told[name]) for name in RATES]
        less = told.get("errors_less")
        shown = ""
        if isinstance(less, dict):
            low, high, point = (_percent(less[name]) for name in ("low", "high", "point"))
            shown = f"{point} points ({low} to {high})"
        lines.append(f"{arm:18}{numbers[0]:>15}{numbers[1]:>8}{numbers[2]:>12}   {shown}".rstrip())
    return "\n".join(lines)


def _percent(number: object) -> str:
    return f"{100 * number:.1f}" if isinstance(number, float) and not math.isnan(number) else "-"
