"""`yochi-train records from-feedback`: the review, and after a person's sign-off the records."""

from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import load_pack, pack_text

from ..packs import factors_file
from .build import Base, build
from .collect import collect
from .review import write_review
from .signoff import read_signed


def write_review_of(log: Path, out: Path, factors: Path | None) -> str:
    """`factors`: the folder of a pack or of records; None for the factory pack. A line for the screen."""
    pack = load_pack(factors_file(factors))
    found = collect(log, pack)
    if not found.cases:
        raise UsageError(f"expected judgements that can be learned from, got {found.words()}")
    return write_review(found, log, pack, out)


def build_signed(
    log: Path, table: Path, out: Path, onto: Path | None, photos: Path | None, factors: Path | None
) -> str:
    """The records folder `out` from the signed `table`; a line for the screen."""
    if (onto is None) != (photos is None):
        raise UsageError("expected --onto RECORDS and --photos FOLDER together, got one of them")
    if onto is not None and factors is not None:
        raise UsageError(f"expected no --pack beside --onto, whose pack is that of {onto}; leave it out")
    base = Base() if onto is None or photos is None else Base.read(onto, photos)
    file = factors_file(onto or factors)
    pack = load_pack(file)
    found = collect(log, pack)
    signed, left = read_signed(table, found.cases, pack)
    told = build(signed, log, table, pack_text(file), base, out)
    return f"{found.words()}; {left} lines not signed\n{told}"
