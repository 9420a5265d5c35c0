"""How sure a number is: bootstrap over clusters, paired differences, and exact limits of a proportion.

Records that share a picture, or a note template, are not independent. So groups are drawn, not records, and
pictures and templates are drawn apart: a record counts (times its picture group was drawn) x (times its
template group was drawn). Owen, "The pigeonhole bootstrap", Ann. Appl. Stat. 1 (2007) 386-411; for any number
of factors Owen and Eckles, Ann. Appl. Stat. 6 (2012) 895-927: mildly conservative, no exact one exists.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import Floats, Weighted, value

COUNT = 2_000  # resamples; enough for 95 % percentiles to about two digits
BLOCK = 250  # resamples held at a time: 2 MB for 1,000 records


@dataclass(frozen=True, eq=False)
class Resamples:
    """Draws of groups that are the same every time they are walked; share one object to pair two scores.

    `groups`: factor name -> (N,) group number of each record, 0..G-1.
    """

    groups: Mapping[str, NDArray[np.intp]]
    records: int
    count: int
    seed: int

    @property
    def clusters(self) -> dict[str, int]:
        """Groups of each factor, to be printed beside every interval."""
        return {name: int(of.max(initial=-1)) + 1 for name, of in self.groups.items()}

    def blocks(self) -> Iterator[Floats]:
        """Weights of the records, at most BLOCK rows at a time, each (b, N)."""
        streams = {name: np.random.default_rng([self.seed, i]) for i, name in enumerate(self.groups)}
        for start in range(0, self.count, BLOCK):
            rows = min(BLOCK, self.count - start)
            weights = np.ones((rows, self.records))
            for name, of in self.groups.items():
                weights *= _multiplicities(streams[name], rows, self.clusters[name])[:, of]
            yield weights


def _multiplicities(rng: np.random.Generator, rows: int, groups: int) -> NDArray[np.intp]:
    """(rows, groups): how often each group comes when `groups` of them are drawn with replacement."""
    drawn = rng.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)


def resample(groups: Mapping[str, Sequence[Hashable]], *, seed: int, count: int = COUNT) -> Resamples:
    """Draws over the factors in `groups`, e.g. {"pictures": [...], "templates": [...]}, one label a record.

    One factor is the ordinary cluster bootstrap (Davison and Hinkley 1997, section 3.8), two the pigeonhole.
    """
    lengths = {len(labels) for labels in groups.values()}
    if len(lengths) != 1 or 0 in lengths or count < 1:
        raise ValueError(
            f"expected one label a record in every factor and count >= 1, got {lengths}, {count}"
        )
    return Resamples({name: _numbers(of) for name, of in groups.items()}, lengths.pop(), count, seed)


def _numbers(labels: Sequence[Hashable]) -> NDArray[np.intp]:
    """Labels as numbers in order of first appearance."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], dtype=np.intp)


def linked(templates: Sequence[Sequence[Hashable]]) -> list[int]:
    """Group numbers for records with several templates: those that share one, even by way of others.

    Connected components by union-find (Tarjan, J. ACM 22 (1975) 215-225).
    """
    above: dict[Hashable, Hashable] = {}

    def root(x: Hashable) -> Hashable:
        while above.setdefault(x, x) != x:
            above[x] = above[above[x]]
            x = above[x]
        return x

    for of_record in templates:
        if not of_record:
            raise ValueError("expected at least one template a record, got none")
        for other in of_record[1:]:
            above[root(other)] = root(of_record[0])
    return [int(n) for n in _numbers([root(of_record[0]) for of_record in templates])]


@dataclass(frozen=True)
class Interval:
    """A score and its percentile interval; NaN where not defined.

    `undefined` of the `resamples` had no value (no positive drawn, say) and are left out of the percentiles.
    """

    point: float
    low: float
    high: float
    confidence: float
    resamples: int
    undefined: int
    clusters: dict[str, int]

    def excludes(self, number: float) -> bool:
        """Whether `number` lies outside; with 0, whether a difference is told from none."""
        return number < self.low or number > self.high

    def as_json(self) -> dict[str, object]:
        """For a report: null where a number is not defined."""
        numbers = {"point": self.point, "low": self.low, "high": self.high}
        shown: dict[str, object] = {name: None if math.isnan(x) else x for name, x in numbers.items()}
        counts = {"resamples": self.resamples, "undefined": self.undefined, "clusters": self.clusters}
        return {**shown, "confidence": self.confidence, **counts}


def bootstrap(statistic: Weighted, resamples: Resamples, confidence: float = 0.95) -> Interval:
    """Percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13)."""
    values = np.concatenate([statistic(weights) for weights in resamples.blocks()])
    return _interval(values, value(statistic, resamples.records), resamples, confidence)


def _interval(values: Floats, point: float, resamples: Resamples, confidence: float) -> Interval:
    defined = values[~np.isnan(values)]
    low, high = float("nan"), float("nan")
    if len(defined):
        tail = (1 - confidence) / 2
        low, high = (float(q) for q in np.quantile(defined, (tail, 1 - tail)))
    undefined = len(values) - len(defined)
    return Interval(point, low, high, confidence, len(values), undefined, resamples.clusters)


def paired_difference(a: Weighted, b: Weighted, resamples: Resamples, confidence: float = 0.95) -> Interval:
    """Interval of a - b on the same records, both read on the same draws, so what they share cancels.

    Efron and Tibshirani (1993) chapter 8; common for paired systems, e.g. Koehn, EMNLP 2004, section 4.
    """
    return bootstrap(lambda weights: a(weights) - b(weights), resamples, confidence)


def upper_limit(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Exact one-sided upper limit of a proportion: the p with P(X <= successes | trials, p) = 1 - confidence.

    Clopper and Pearson, Biometrika 26 (1934) 404-413. The p is the beta quantile
    B(confidence; successes + 1, trials - successes), found here by bisection on the binomial tail.
    """
    if not 0 <= successes <= trials or trials == 0 or not 0 < confidence < 1:
        raise ValueError(
            f"expected 0 <= successes <= trials, trials > 0, got {successes}, {trials}, {confidence}"
        )
    if successes == trials:
        return 1.0
    # The shorter side of the distribution, or many successes of very many trials would take their time.
    mirrored = trials - successes - 1 < successes
    logs = [_log_choose(trials, k) for k in range(trials - successes if mirrored else successes + 1)]
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):  # until the floats between them are used up
        side = math.fsum(_terms(logs, trials, 1 - middle if mirrored else middle))
        tail = 1 - side if mirrored else side
        low, high = (middle, high) if tail > 1 - confidence else (low, middle)
    return high


def binomial_tail(successes: int, trials: int, share: float) -> float:
    """P(X <= successes) of X ~ Bin(trials, share), 0 < share < 1."""
    if not 0 <= successes <= trials or not 0 < share < 1:
        raise ValueError(
            f"expected 0 <= successes <= trials, 0 < share < 1, got {successes}, {trials}, {share}"
        )
    logs = [_log_choose(trials, k) for k in range(successes + 1)]
    return min(1.0, math.fsum(_terms(logs, trials, share)))


def lower_limit(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Exact one-sided lower limit: failures seen from the other side. Clopper and Pearson (1934)."""
    return 1.0 - upper_limit(trials - successes, trials, confidence)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval, half of the error on each side. Clopper and Pearson (1934)."""
    each = (1 + confidence) / 2
    return lower_limit(successes, trials, each), upper_limit(successes, trials, each)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _terms(log_choose: Sequence[float], trials: int, p: float) -> Iterator[float]:
    """Binomial probabilities of 0, 1, ... for 0 < p < 1."""
    yes, no = math.log(p), math.log1p(-p)
    for k, log in enumerate(log_choose):
        yield math.exp(log + k * yes + (trials - k) * no)
