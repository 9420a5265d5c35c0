"""Eight clients at once against a real box: nothing but answers and 429, and answers in time."""

import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2
import pytest
from yochi_bench.percentiles import summary

from .box import asked, frames, serving

SECONDS = float(os.environ.get("YOCHI_LONG_SECONDS", "300"))
CLIENTS = 8
QUEUE = 6  # fewer than clients, so that some are sent away
DEADLINE = float(os.environ.get("YOCHI_LONG_DEADLINE", "10"))  # seconds; the box's own


@dataclass
class Load:
    """What the clients got; `late` are accepted ones that the box gave up at its deadline."""

    codes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    late: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def got(self, answer: httpx2.Response, seconds: float) -> None:
        with self.lock:
            self.codes[str(answer.status_code)] += 1
            if answer.status_code == 200:
                self.seconds.append(seconds)
                reasons = answer.json()["judgement"]["reasons"]
                self.refused.update(reasons)
                self.late += "engine_timeout" in reasons

    def failed(self, error: Exception) -> None:
        with self.lock:
            self.codes[type(error).__name__] += 1


def client(url: str, number: int, until: float, pictures: list[bytes], load: Load) -> None:
    """Asks again and again; sent away, it waits as long as it is told."""
    with httpx2.Client(base_url=url, timeout=3 * DEADLINE, trust_env=False) as http:
        for turn in count(number, CLIENTS):
            body, start = asked(pictures[turn % len(pictures)], turn), time.monotonic()
            if start >= until:
                return
            try:
                answer = http.post("/v1/judgements", json=body)
            except httpx2.HTTPError as e:
                load.failed(e)
                continue
            load.got(answer, time.monotonic() - start)
            if answer.status_code == 429:
                time.sleep(float(answer.headers["Retry-After"]))


@pytest.mark.timeout(SECONDS + 900)
def test_eight_clients_get_answers_in_time_or_429(tmp_path: Path) -> None:
    load, pictures = Load(), frames()
    with serving(tmp_path, "--queue", str(QUEUE), "--deadline", str(DEADLINE)) as url:
        until = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=client, args=(url, number, until, pictures, load))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = {name: number.value for name, number in summary(load.seconds).items()}  # None: too few for it
    found = {"codes": dict(load.codes), "refused": dict(load.refused), "late": load.late}
    asked_for = {"clients": CLIENTS, "queue": QUEUE, "seconds": SECONDS, "deadline_s": DEADLINE}
    print(json.dumps({**asked_for, **found, "answer_s": times}))
    assert set(load.codes) <= {"200", "429"}
    assert load.codes["200"] > 0
    # An answer that the box gave up is no answer in time, however soon it said so.
    assert load.late <= 0.01 * load.codes["200"]
    assert sum(seconds > DEADLINE for seconds in load.seconds) <= 0.01 * load.codes["200"]
