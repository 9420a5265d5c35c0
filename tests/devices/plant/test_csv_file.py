"""Rows of a CSV file: whole, escaped, and written again where one was torn."""

import csv
import os
from pathlib import Path

import pytest
from yochi_devices.plant.csv_file import CsvFile
from yochi_devices.plant.settings import CsvSettings
from yochi_devices.plant.signal import Message, SignalError

COLUMNS = ("words", "reasons", "output")


def sink(path: Path) -> CsvFile:
    return CsvFile(CsvSettings(name="csv", path=path), COLUMNS)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_message_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    sink(path).send(
        Message("a", 1, 0, '{"words":"stop, \\"now\\"\\n危険","reasons":["x","y"],"output":null}')
    )
    sink(path).send(Message("b", 2, 3, '{"words":"=cmd()","reasons":[],"output":"hold"}'))
    assert rows(path) == [
        ["id", "sequence", "missed", *COLUMNS],
        ["a", "1", "0", 'stop, "now" 危険', '["x", "y"]', ""],
        ["b", "2", "3", "'=cmd()", "[]", "hold"],
    ]


def test_a_torn_row_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    for sequence in (1, 2):
        sink(path).send(Message("a", sequence, 0, "{}"))
    os.truncate(path, path.stat().st_size - 4)
    sink(path).send(Message("a", 2, 0, "{}"))
    assert [row[1] for row in rows(path)] == ["sequence", "1", "2"]


def test_a_file_that_was_moved_away_is_begun_again(tmp_path: Path) -> None:
    path, one = tmp_path / "signals.csv", sink(tmp_path / "signals.csv")
    one.send(Message("a", 1, 0, "{}"))
    path.rename(tmp_path / "old.csv")
    one.send(Message("b", 2, 0, "{}"))
    assert [row[0] for row in rows(path)] == ["id", "b"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SignalError, match="No such file or directory; check folder"):
        sink(tmp_path / "none" / "signals.csv").send(Message("a", 1, 0, "{}"))
