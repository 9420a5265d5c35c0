"""`yochi-train records photos`: one folder of photos in, one folder of records out."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text, parse_pack, sha256_text

from .features import encode_folder
from .grammar import LANGS, Lang
from .narratives import read_narratives
from .packs import factors_file
from .pictures import Picture, Split, build_pictures, read_photos, write_pictures
from .records import COMBINATIONS, build_records, write_records

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
    told = read_narratives(narratives) if narratives else []
    out.mkdir(parents=True, exist_ok=True)
    cached = encode_folder(data, [p.image for p in read_photos(data)], features)
    pictures = build_pictures(data, pack, cached.pooled)
    write_pictures(pictures, out / "pictures.jsonl")
    (out / PACK).write_text(text, encoding="utf-8")
    parts: dict[str, list[Record]] = {}
    validation = min(VALIDATION_MOST, max(MIN_COUNT, count // VALIDATION_SHARE))
    wanted: tuple[tuple[Split, int], ...] = (("train", count), ("val", validation))
    for split, share in wanted:
        # The validation split keeps the usual mix: thresholds are fitted to it.
        mix = combinations if split == "train" else COMBINATIONS
        drawn = build_records(
            pictures, pack, split, share, seed, told, curriculum, languages, mix, pack_folder
        )
        parts[split] = list(drawn)
        write_records(iter(parts[split]), out / f"{split}.jsonl")
    card = data_card(pictures, parts, sha256_text(text), seed)
    (out / "card.json").write_text(
        json.dumps(card, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8"
    )
    return f"{sum(map(len, parts.values()))} records on {len(pictures)} pictures: {out}"


def data_card(
    pictures: list[Picture], parts: dict[str, list[Record]], pack: str, seed: int
) -> dict[str, object]:
    """What the records are made of: counts, sources and rights."""
    return {
        "pack": pack,
        "seed": seed,
        "pictures": dict(Counter(f"{p.split} {p.set}" for p in pictures)),
        "near_duplicate_groups": len({p.group for p in pictures}),
        "checked_by_eye": dict(Counter(p.checked for p in pictures if p.checked and not p.pair)),
        "known_by_construction": dict(Counter(p.checked for p in pictures if p.pair)),
        "sources": dict(Counter(f"{p.source} ({p.licence})" for p in pictures)),
        "records": {
            split: {
                "kind": dict(Counter(f"{r.kind} {r.lang}" for r in rows)),
                "verdict": dict(Counter(str(r.verdict) for r in rows)),
            }
            for split, rows in parts.items()
        },
    }
