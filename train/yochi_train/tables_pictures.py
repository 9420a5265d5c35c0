"""Cue tables: against a linear probe on the pretrained features, and on other sets, checked by eye."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from yochi_bench.answers import Answers
from yochi_bench.intervals import paired_difference, resample
from yochi_bench.scores import auroc, weighted_auroc
from yochi_runtime.bundle import Bundle
from yochi_runtime.judgement import Coverage
from yochi_runtime.readout import coverage_of

from .align import cue_labels, fit_probe
from .features import Features
from .pictures import Picture
from .tables import Bar, Section, Table, clusters, interval, number

MIN_TEST = 5  # positives and negatives below which an AUROC says nothing
MIN_OTHER = 100  # checked photos of other sets that a cue is scored on


def cue_table(
    bundle: Bundle,
    train: Sequence[Picture],
    test: Sequence[Picture],
    answers: Answers,
    features: Features,
    what: str,
    seed: int,
    count: int,
) -> Section:
    """Held-out AUROC per cue beside the probe's, and the paired difference; `answers` are of `test`."""
    table = Table(
        f"Cues on held-out {what}, against a linear probe on the pretrained encoder's features",
        ["cue", "positives", "negatives", "AUROC", "probe", "difference"],
    )
    probes, truth, margins = (
        _probes(bundle, train, test, features),
        cue_labels(test, bundle.pack),
        answers.margins(),
    )
    draws = ""
    bars = []
    for c, cue in enumerate(bundle.pack.cue):
        known = truth[:, c] >= 0
        positives = int((truth[:, c] == 1).sum())
        if not _judged(bundle, c) or min(positives, int(known.sum()) - positives) < MIN_TEST:
            table.rows.append(
                [cue.id, str(positives), str(int(known.sum()) - positives), "not scored", "", ""]
            )
            continue
        y, groups = truth[known, c], [p.group for p, k in zip(test, known, strict=True) if k]
        model, probe = margins[known, c], probes[known, c]
        difference = paired_difference(
            weighted_auroc(model, y),
            weighted_auroc(probe, y),
            resample({"pictures": groups}, seed=seed, count=count),
        )
        draws = clusters(difference)
        ours, theirs = number(auroc(model, y)), number(auroc(probe, y))
        table.rows.append(
            [cue.id, str(positives), str(int(known.sum()) - positives), ours, theirs, interval(difference)]
        )
        bars.append(
            Bar(
                f"cue {cue.id}, {what}: not below the probe",
                interval(difference),
                "interval reaches 0",
                difference.high >= 0,
            )
        )
    table.caption = (
        f"Split by near-duplicate group; last row drawn over {draws}. The probe is refitted by this command."
    )
    return table, bars


def _probes(
    bundle: Bundle, train: Sequence[Picture], test: Sequence[Picture], features: Features
) -> NDArray[np.float64]:
    """(test pictures, cues) decision values of a probe fitted on the training split."""
    row = features.row()
    a, b = [row[p.image] for p in train], [row[p.image] for p in test]
    scaler = StandardScaler().fit(features.pooled[a])
    x, z = scaler.transform(features.pooled[a]), scaler.transform(features.pooled[b])
    labels = cue_labels(train, bundle.pack)
    values = np.zeros((len(test), len(bundle.pack.cue)))
    for c in range(values.shape[1]):
        known = labels[:, c] >= 0
        if 1 < (labels[known, c] == 1).sum() < known.sum():
            weight, bias = fit_probe(x[known], labels[known, c])
            values[:, c] = z @ weight + bias
    return values


def cross_set_table(bundle: Bundle, answers: Answers, checked: Sequence[Picture]) -> Section:
    """Each cue on held-out pictures of sets not annotated for it, by what eyes saw.

    `answers` are of `checked`, none of which may be in the training split.
    """
    table = Table(
        "Cues on other sets, held out and checked by eye",
        ["cue", "photos", "positives", "AUROC", "false alarms", "missed"],
        caption="No set here is annotated for the cue, so its look tells nothing. '-': too few positives.",
    )
    margins = answers.margins()
    bars = []
    for c, cue in enumerate(bundle.pack.cue):
        rows = [i for i, p in enumerate(checked) if cue.id in p.by_eye]
        if not _judged(bundle, c) or not rows:
            continue
        y = np.array([checked[i].by_eye[cue.id] for i in rows])
        own = bundle.calibration.slots[f"cue:{cue.id}"]
        said = margins[rows, c] / own.temperature + own.bias >= logit(own.threshold)
        score = number(auroc(margins[rows, c], y)) if min(y.sum(), len(y) - y.sum()) >= MIN_TEST else "-"
        alarms, missed = int((said & (y == 0)).sum()), int((~said & (y == 1)).sum())
        counts = [f"{alarms}/{int((y == 0).sum())}", f"{missed}/{int(y.sum())}"]
        table.rows.append([cue.id, str(len(rows)), str(int(y.sum())), score, *counts])
        enough = len(rows) >= MIN_OTHER
        bars.append(Bar(f"cue {cue.id}: photos of other sets", str(len(rows)), f">= {MIN_OTHER}", enough))
    return table, bars


def logit(probability: float) -> float:
    """Its log-odds; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))


def _judged(bundle: Bundle, cue: int) -> bool:
    return coverage_of(bundle.pack.cue_slots[cue], bundle.not_trained()) is Coverage.JUDGED
