"""How it stands with the plant's signals, in a word: every case, and an outbox that cannot be read."""

from pathlib import Path

import pytest
from yochi_devices.plant.csv_file import CsvFile
from yochi_devices.plant.line import Line
from yochi_devices.plant.outbox import Outbox
from yochi_devices.plant.settings import CsvSettings
from yochi_runtime.serve.engineer_given import SignalState
from yochi_runtime.serve.signal_states import in_a_word, signal_states

CASES = [
    # taken, fault, waiting, missed; in a word, and the number beside it
    (7, None, 0, 0, "in_order", None),
    (0, None, 0, 0, "in_order", None),  # a sink that nothing was given yet
    (7, None, 3, 0, "waiting", 3),
    (7, "refused", 3, 0, "failed", 3),
    (7, "refused", 0, 0, "failed", 0),
    (7, None, 1, 2, "failed", 1),  # some found no room
    (7, None, None, None, "in_order", None),  # an output
    (0, None, None, None, "waiting", None),  # one that was not reached yet
    (7, "refused", None, None, "failed", None),
]


@pytest.mark.parametrize(("taken", "fault", "waiting", "missed", "standing", "count"), CASES)
def test_in_a_word(
    taken: int, fault: str | None, waiting: int | None, missed: int | None, standing: str, count: int | None
) -> None:
    state = SignalState(name="tower", taken=taken, fault=fault, waiting=waiting, missed=missed)
    found = in_a_word(state)
    assert (found.name, found.standing, found.waiting) == ("tower", standing, count)


def test_an_outbox_that_cannot_be_read_is_not_in_order(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", ["shift"], 10)
    line = Line([CsvFile(CsvSettings(name="shift", path=tmp_path / "shift.csv"), ())], [], outbox, print)
    assert [in_a_word(state).standing for state in signal_states(line)] == ["in_order"]
    outbox.close()
    (state,) = signal_states(line)
    assert in_a_word(state).standing == "failed"
    assert "outbox" in (state.fault or "")
    assert signal_states(None) == ()
