"""What Prometheus asks for. Of one server: the library's global registry would mix several."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ..explainer import Explained
from ..signalling import Signals
from .given import Given, Readiness

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4  # of `Metrics.text`
BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds


class Metrics:
    """`readiness`, `waiting` and `not_taken` (the rulebook's) are asked when the metrics are."""

    def __init__(
        self,
        readiness: Callable[[], Readiness],
        waiting: Callable[[], int],
        not_taken: Callable[[], str | None],
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._judged = Counter(
            "yochi_judgements", "Judgements given.", ("origin", "verdict"), registry=self._registry
        )
        self._reasons = Counter(
            "yochi_cannot_judge", "Reasons of cannot_judge.", ("reason",), registry=self._registry
        )
        self._explained = Counter(
            "yochi_explanations",
            "Explanations by their end: said, or why they were dropped.",
            ("end",),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "yochi_desk_seconds",
            "From decoding to the durable row.",
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._answers = Counter("yochi_http_responses", "Answers.", ("status",), registry=self._registry)
        self._gauge("yochi_waiting", "Requests that hold a seat.", waiting)
        self._gauge(
            "yochi_rules_not_taken",
            "1 while the rulebook's file holds another than the one that judges.",
            lambda: float(not_taken() is not None),
        )
        self._gauge("yochi_ready", "1 while /readyz says so.", lambda: float(readiness().ready))
        self._gauge(
            "yochi_check_age_seconds",
            "Since the built-in frame was judged; NaN before the first time.",
            lambda: float("nan") if (age := readiness().check_age_s) is None else age,
        )

    def _gauge(self, name: str, words: str, value: Callable[[], float]) -> None:
        Gauge(name, words, registry=self._registry).set_function(value)

    def given(self, given: Given, seconds: float | None) -> None:
        """A judgement, and how long the desk took where it did."""
        self._judged.labels(given.origin, given.judgement.verdict).inc()
        for reason in given.judgement.reasons:
            self._reasons.labels(reason).inc()
        if seconds is not None:
            self._seconds.observe(seconds)

    def explained(self, told: Explained) -> None:
        """The end of an explanation."""
        self._explained.labels(told.dropped or "said").inc()

    def follow(self, signals: Signals) -> None:
        """The signals', too, while there are any."""
        self._registry.register(_OfSignals(signals))

    def answered(self, status: int) -> None:
        self._answers.labels(str(status)).inc()

    def text(self) -> bytes:
        """The format of `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _OfSignals(Collector):
    """Asked when the metrics are."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def collect(self) -> Iterator[Metric]:
        line, label = self._signals.line, ("signal",)
        if line is None:
            return
        failing = GaugeMetricFamily("yochi_signal_failing", "1 while it does not take them.", labels=label)
        taken = CounterMetricFamily(
            "yochi_signal_taken", "Messages, or times an output was driven.", labels=label
        )
        for state in line.states():
            failing.add_metric((state.name,), float(state.fault is not None))
            taken.add_metric((state.name,), float(state.taken))
        waits = GaugeMetricFamily("yochi_outbox_messages", "Messages that wait.", labels=label)
        missed = GaugeMetricFamily(
            "yochi_outbox_missed", "Judgements without room since the last that had it.", labels=label
        )
        for sink, waiting in line.waiting().items():
            waits.add_metric((sink,), float(waiting.messages))
            missed.add_metric((sink,), float(waiting.missed))
        yield from (failing, taken, waits, missed)
