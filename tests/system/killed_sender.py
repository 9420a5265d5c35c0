"""Gives judgements START to END to the plant, one line each once it is in the outbox, until all are sent.

python -m tests.system.killed_sender SETTINGS START END
"""

import sys
import time
from pathlib import Path

from yochi_runtime.judgement import GO_ON, Judgement
from yochi_runtime.mode import Mode
from yochi_runtime.signalling import open_signals
from yochi_runtime.verdict import Verdict


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Row by row."""
    settings, start, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    judgement = Judgement(verdict=Verdict.PROCEED, advice=GO_ON, mode=Mode.ENFORCE, camera="0")
    with open_signals(settings, Mode.ENFORCE, say, every=0.0) as signals:
        for row in range(start, end + 1):
            signals.give(judgement, row, None)
            print(row, flush=True)
        assert signals.line is not None
        while any(waiting.messages for waiting in signals.line.waiting().values()):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
