"""`yochi-train records photos`: one folder of photos in, one folder of records out.

Records go to their file one by one and are counted as they pass: what is in memory are the pictures and the
narratives. A run that was killed is started again with the same words; it takes the features from its cache,
and everything else is written whole or not at all, the data card last.
"""

from collections.abc import Sequence
from pathlib import Path

from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import pack_text, parse_pack, sha256_text

from .card import CARD, data_card, left_out
from .convert.written import write_json, written
from .features import encode_folder
from .grammar import LANGS, Lang
from .narratives import read_narratives
from .packs import factors_file
from .pictures import Split, build_pictures, read_photos, write_pictures
from .records import COMBINATIONS, build_records, write_records
from .stats import Counts, checked_safe

VALIDATION_SHARE = 6  # one validation record for so many training records,
VALIDATION_MOST = 2400  # but no more than the box answers in a few minutes
MIN_COUNT = 50


def make_records(
    data: Path,
    out: Path,
    features: Path,
    *,
    count: int,
    narratives: Path | None,
    seed: int,
    pack_folder: Path | None,
    curriculum: bool = True,
    languages: Sequence[Lang] = LANGS,
    combinations: int = COMBINATIONS,
) -> str:
    """Writes pictures.jsonl, train.jsonl, val.jsonl, pack.toml, card.json; returns a line for the screen."""
    if count < MIN_COUNT:
        raise UsageError(f"expected --count of at least {MIN_COUNT}, got {count}")
    text = pack_text(factors_file(pack_folder))
    pack = parse_pack(text, str(pack_folder or "factory"))
    told = read_narratives(narratives) if narratives else None
    out.mkdir(parents=True, exist_ok=True)
    photos = read_photos(data)
    cached = encode_folder(data, [p.image for p in photos], features)
    pictures = build_pictures(data, pack, cached.pooled)
    (out / CARD).unlink(missing_ok=True)  # of other records: no card stands beside half of ours
    write_pictures(pictures, out / "pictures.jsonl")
    with written(out / PACK) as file:
        file.write(text)
    validation = min(VALIDATION_MOST, max(MIN_COUNT, count // VALIDATION_SHARE))
    wanted: tuple[tuple[Split, int], ...] = (("train", count), ("val", validation))
    counts: dict[Split, Counts] = {split: Counts(pack, checked_safe(pictures)) for split, _ in wanted}
    for split, share in wanted:
        # The validation split keeps the usual mix: thresholds are fitted to it.
        mix = combinations if split == "train" else COMBINATIONS
        drawn = build_records(
            pictures,
            pack,
            split,
            share,
            seed,
            told.used if told else (),
            curriculum,
            languages,
            mix,
            pack_folder,
        )
        write_records(counts[split].counted(drawn), out / f"{split}.jsonl")
    filters = left_out(photos, pictures, told, pack)
    write_json(out / CARD, data_card(pictures, counts, filters, sha256_text(text), seed))
    made = sum(of.records for of in counts.values())
    return f"{made} records on {len(pictures)} pictures: {out}"
