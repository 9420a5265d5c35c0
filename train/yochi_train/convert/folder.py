"""A folder of records as a stream, with its pack."""

from collections.abc import Iterator
from pathlib import Path

from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, load_pack, pack_text, sha256_text

from ..progress import Progress
from ..records import iterate_records
from ..validate import PICTURES, shards


class Folder:
    """The record files at `path` (one file, or a folder of them); pack.toml stands beside them.

    UsageError where there are none, or no pack, and while reading where a line is no record.
    """

    def __init__(self, path: Path) -> None:
        self.files = [file for file in shards(path) if file.name != PICTURES]
        self.root = self.files[0].parent if self.files else path
        self.pack_file = self.root / "pack.toml"
        self.pack: Pack = load_pack(self.pack_file)
        self.pack_sha256 = sha256_text(pack_text(self.pack_file))

    def records(self, what: str) -> Iterator[Record]:
        """Every record in file order, with progress on `what` is done."""
        progress = Progress(what, sum(_lines(file) for file in self.files))
        for file in self.files:
            for record in iterate_records(file):
                yield record
                progress.step()


def _lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
