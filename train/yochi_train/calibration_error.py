"""Expected calibration error of a model's answers, before and after they are calibrated, by source of risk.

Of the records that are given: those that were fitted show less error than others would. `yochi-bench quality`
gives it, with the reliability plot, for records that nothing was fitted to.
"""

import math
from collections.abc import Sequence

from yochi_bench.answers import Answers
from yochi_bench.calibration import expected_calibration_error
from yochi_runtime.bundle import Calibration
from yochi_runtime.record import Record

from .calibrate import Trained, applied, draft


def calibration_errors(
    trained: Trained, calibration: Calibration, records: Sequence[Record], answers: Answers
) -> dict[str, dict[str, float | None]]:
    """{source: {"before", "after"}}, each 0..1, over judged risk slots whose truth is known; None of none."""
    sides = {
        "before": applied(draft(trained.pack), trained, records, answers),
        "after": applied(calibration, trained, records, answers),
    }
    found: dict[str, dict[str, float | None]] = {}
    for side, data in sides.items():
        for source, columns in data.groups().items():
            truth = data.truth[:, columns].ravel()
            error = expected_calibration_error(data.probability[:, columns].ravel(), truth == 1, truth >= 0)
            found.setdefault(source, {})[side] = None if math.isnan(error) else round(error, 4)
    return found
