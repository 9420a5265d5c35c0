"""The workload that the benchmarks ship, made again: `python -m yochi_train.workload SCENES OUT`.

SCENES is what `yochi-train scenes render SCENES --seed-file train/recipes/scenes.txt --count 656 --samples 4`
makes; OUT is `benchmarks/yochi_bench/shipped`. The notes, `data/workload.<lang>.jsonl`, were written for it.

Pictures: HALF scenes with nothing wrong and HALF whose flipped hazard is seen, the hazards in turn, each time
the first pair of the seed file that has one and that was not used before. Records: every note that is risky
or harmless by itself with a safe picture and with a dangerous one; every other with a safe picture that makes
it dangerous and with one that does not.

The scenes are among those that the shipped weights saw in training, and say so (`split`): what a bundle
scores here is no proof of what it does elsewhere.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, load_pack

from .grammar import LANGS
from .pictures import Photo, Picture, picture_of, read_photos
from .records import pair, write_records
from .rendered import Rendered
from .scenes.seeds import pair_of
from .testset import hand_notes

HALF = 50
RECORDS, IMAGES = "records.jsonl", "images"
Wanted = Callable[[Photo], bool]


def chosen(photos: Sequence[Photo]) -> list[Photo]:
    """Safe and dangerous scenes in turn. UsageError where there are too few; `photos` in the seeds' order."""
    used: set[str] = set()
    safe = list(_in_turn([p for p in photos if _made(p).verdict == "safe"], used))
    dangerous = list(_in_turn([p for p in photos if _shows_its_hazard(p)], used))
    return [photo for both in zip(safe, dangerous, strict=True) for photo in both]


def _made(photo: Photo) -> Rendered:
    if photo.rendered is None:
        raise UsageError(
            f"expected rendered scenes, got {photo.image}; see: yochi-train scenes render --help"
        )
    return photo.rendered


def _shows_its_hazard(photo: Photo) -> bool:
    made = _made(photo)
    return any(hazard.slot == made.switched and hazard.seen for hazard in made.hazards)


def _in_turn(photos: Sequence[Photo], used: set[str]) -> Iterator[Photo]:
    """HALF of them: the next of each hazard that is flipped, of a pair that is not in `used`, which grows."""
    piles: dict[str, list[Photo]] = {}
    for photo in photos:
        piles.setdefault(_made(photo).switched, []).append(photo)
    found = 0
    while found < HALF:
        before = found
        for pile in piles.values():
            following = next((p for p in pile if _made(p).pair not in used), None)
            if following is not None and found < HALF:
                used.add(_made(following).pair)
                found += 1
                yield following
        if found == before:
            raise UsageError(f"expected {HALF} scenes of each kind, got {found}; render the whole seed file")


def records(pictures: Sequence[Picture], pack: Pack) -> Iterator[Record]:
    """Two for each note; `pictures` safe and dangerous in turn. UsageError where no picture fits a note."""
    safe, dangerous = cycle(pictures[::2]), cycle(pictures[1::2])
    with_trigger, without = _by_trigger(pictures[::2], pack)
    for lang in LANGS:
        for number, (note, kind) in enumerate(hand_notes(lang, pack, stem="workload")):
            category = note.combination
            two = (next(with_trigger[category]), next(without)) if category else (next(safe), next(dangerous))
            for place, picture in enumerate(two):
                yield pair(f"{lang}-{number:02d}-{place}", picture, note, kind, pack)


def _by_trigger(
    pictures: Sequence[Picture], pack: Pack
) -> tuple[dict[str, Iterator[Picture]], Iterator[Picture]]:
    """Pictures that make a category's notes dangerous, and those that make none so, each again and again."""
    every = {cue for combination in pack.combination for cue in combination.cues}
    having = {
        c.category: [p for p in pictures if any(p.cues.get(cue) == 1 for cue in c.cues)]
        for c in pack.combination
    }
    lacking = [p for p in pictures if all(p.cues.get(cue) == 0 for cue in every)]
    if not all((*having.values(), lacking)):
        raise UsageError("expected safe scenes with and without each machine, got none of some; render more")
    return {category: cycle(of) for category, of in having.items()}, cycle(lacking)


def make(scenes: Path, out: Path) -> str:
    """Writes OUT/images and OUT/records.jsonl; returns a line for the screen."""
    pack = load_pack()
    photos = sorted(read_photos(scenes), key=lambda photo: _seed(photo))
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, photo in enumerate(chosen(photos)):
        image = f"{IMAGES}/{number:03d}.jpg"
        shutil.copyfile(scenes / photo.image, out / image)
        pictures.append(replace(picture_of(photo, number, None, pack), image=image, split="train"))
    count = write_records(records(pictures, pack), out / RECORDS)
    size = sum(file.stat().st_size for file in (out / IMAGES).iterdir())
    return f"{count} records on {len(pictures)} pictures, {size / 1e6:.1f} MB: {out}"


def _seed(photo: Photo) -> tuple[int, str]:
    return pair_of(f"{_made(photo).pair}-0").seed, photo.image


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), Path(sys.argv[2])))
