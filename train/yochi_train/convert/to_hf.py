"""`yochi-train records to-hf`: a folder that `datasets.load_dataset("imagefolder", data_dir=OUT)` reads.

A folder a split (`train`, `validation`, `test`) with `metadata.jsonl` and the pictures it names. Several rows
name the same picture; datasets 5.2.0 reads that, old versions may not. Columns have one type throughout:
`slots` is a number for each slot, in the order of README.md, -1 where it is unknown. Nothing of that library
is needed to write it. A killed run goes on where it stopped copying.
"""

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import VERDICT_SLOT, Pack

from ..pictures import Picture, Split, read_pictures
from ..validate import PICTURES
from .folder import Folder
from .written import copy_once, written

SPLITS: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}  # in the library's words
UNKNOWN = -1
_CARD = """---
configs:
- config_name: default
  drop_labels: true
  data_files:
{files}
---
{records} records of the pack `{pack}` (sha256 {sha256}), written by `yochi-train records to-hf`.
`load_dataset("imagefolder", data_dir=...)` reads them (tried with datasets 5.2.0).

`slots`: 1 holds, 0 does not hold, -1 unknown: never read it as absent. `verdict` is "" where it is unknown.
Rows with the same `picture_group` or a template in common are not independent: never split them apart.

| split | records |
|---|---|
{splits}

| source and licence of the pictures | pictures |
|---|---|
{rights}

Slots, in order:
{slots}
"""


def to_hf(path: Path, photos: Path, out: Path) -> str:
    """Write the records of `path` and copy their pictures from `photos`; a line for the screen."""
    folder = Folder(path)
    known = folder.root / PICTURES
    pictures = {p.image: p for p in read_pictures(known)} if known.is_file() else {}
    counts: Counter[str] = Counter()
    used: dict[str, None] = {}
    with ExitStack() as stack:
        files: dict[Split, IO[str]] = {}
        for record in folder.records("rows"):
            target = out / SPLITS[record.split]
            _copy(record.image, photos, target)
            if record.split not in files:
                files[record.split] = stack.enter_context(written(target / "metadata.jsonl"))
            row = hf_row(record, folder.pack, pictures.get(record.image))
            files[record.split].write(json.dumps(row, ensure_ascii=False) + "\n")
            counts[SPLITS[record.split]] += 1
            used[record.image] = None
    with written(out / "README.md") as card:
        card.write(_card(folder, counts, [pictures.get(image) for image in used]))
    return f"{sum(counts.values())} records on {len(used)} pictures: {out}"


def hf_row(record: Record, pack: Pack, picture: Picture | None) -> dict[str, object]:
    """A line of metadata.jsonl."""
    return {
        "file_name": record.image,
        "id": record.id,
        "note": record.note,
        "lang": record.lang,
        "kind": record.kind,
        "verdict": record.verdict or "",
        "slots": [record.slots.get(slot, UNKNOWN) for slot in slot_names(pack)],
        # as text: some are larger than a signed 64-bit number
        "picture_group": str(record.picture_group),
        "templates": list(record.templates),
        "source": picture.source if picture else "",
        "licence": picture.licence if picture else "",
    }


def slot_names(pack: Pack) -> list[str]:
    """The slots of the column `slots`, in its order; the verdict has a column of its own."""
    return [slot.id for slot in pack.slots if slot != VERDICT_SLOT]


def _copy(image: str, photos: Path, target: Path) -> None:
    if Path(image).is_absolute() or ".." in Path(image).parts or not (photos / image).is_file():
        raise UsageError(f"expected a picture at {photos / image}, found none; check --photos")
    copy_once(photos / image, target / image)


def _card(folder: Folder, counts: Counter[str], pictures: list[Picture | None]) -> str:
    rights = Counter(f"{p.source} ({p.licence})" if p else "unknown" for p in pictures)
    splits = [split for split in SPLITS.values() if counts[split]]
    return _CARD.format(
        files="\n".join(f"  - split: {split}\n    path: {split}/**" for split in splits),
        records=sum(counts.values()),
        pack=folder.pack.id,
        sha256=folder.pack_sha256,
        splits="\n".join(f"| {split} | {counts[split]} |" for split in splits),
        rights="\n".join(f"| {name.replace('|', '/')} | {count} |" for name, count in sorted(rights.items())),
        slots="\n".join(f"{number}. `{slot}`" for number, slot in enumerate(slot_names(folder.pack))),
    )
