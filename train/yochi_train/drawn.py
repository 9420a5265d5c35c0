"""A small folder of drawn "photos" in the form of real ones, to run the whole recipe without any data.

Shapes stand for cues. A model trained on them is worth nothing; that the road is open is what they show.
`python -m yochi_train.drawn OUT COUNT [PACK]`, PACK being the folder of a pack other than factory.
"""

import json
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from .packs import load_factors

SIDE = 256
Box = tuple[int, int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, Box], None]
SETS: dict[str, tuple[str, ...]] = {
    "fire": ("fire", "smoke"),
    "hardhat": ("hard_hat", "no_hard_hat", "no_head_wear", "person"),
    "industrial": ("forklift", "conveyor", "crusher", "pallet"),
    "site": ("hard_hat", "no_hard_hat", "excavator", "dump_truck", "wheel_loader"),
}


def _blob(colour: str) -> Painter:
    return lambda draw, box: draw.ellipse(box, fill=colour)


def _machine(body: str, wheels: str) -> Painter:
    def paint(draw: ImageDraw.ImageDraw, box: Box) -> None:
        x0, y0, x1, y1 = box
        size = (x1 - x0) // 4
        draw.rectangle((x0, y0, x1, y1 - size), fill=body)
        for x in (x0, x1 - size):
            draw.ellipse((x, y1 - size, x + size, y1), fill=wheels)

    return paint


def _head(hat: str) -> Painter:
    def paint(draw: ImageDraw.ImageDraw, box: Box) -> None:
        x0, y0, x1, y1 = box
        draw.ellipse(box, fill="peachpuff")
        draw.pieslice((x0, y0, x1, y1), 180, 360, fill=hat)

    return paint


PAINTERS: dict[str, Painter] = {
    "fire": _blob("orangered"),
    "smoke": _blob("lightgray"),
    "hard_hat": _head("gold"),
    "no_hard_hat": _head("navy"),
    "no_head_wear": _head("saddlebrown"),
    "person": _machine("peachpuff", "navy"),
    "forklift": _machine("orange", "black"),
    "conveyor": _machine("gray", "gray"),
    "crusher": _machine("darkslategray", "darkred"),
    "pallet": _machine("burlywood", "sienna"),
    "excavator": _machine("yellow", "black"),
    "dump_truck": _machine("steelblue", "black"),
    "wheel_loader": _machine("darkorange", "dimgray"),
}


def painter(cue: str) -> Painter:
    """Its own shape; for a cue of another pack a machine, in colours that follow from its name."""
    hue = zlib.crc32(cue.encode()) % 360
    return PAINTERS.get(cue) or _machine(f"hsl({hue}, 80%, 50%)", f"hsl({(hue + 120) % 360}, 80%, 30%)")


def draw_photos(out: Path, count: int, seed: int = 0, pack_folder: Path | None = None) -> None:
    """`count` pictures with photos.jsonl and checked.jsonl (two thirds of them, the harmless ones safe).

    Factory's come in sets as its photos do; another pack's are one set, labelled for every cue.
    """
    pack = load_factors(pack_folder)
    sets = SETS if pack_folder is None else {pack.id: tuple(cue.id for cue in pack.cue)}
    risky = {cue.id for cue in pack.cue if cue.risk}
    (out / "images").mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    photos, checked = [], []
    for number in range(count):
        name = list(sets)[number % len(sets)]
        labels = rng.sample(sets[name], rng.choice((1, 1, 2)))
        identity = f"drawn-{name}-{number:04d}"
        image, boxes = _picture(labels, rng)
        image.save(out / "images" / f"{identity}.png")
        photos.append(
            {
                "image": f"images/{identity}.png",
                "set": name,
                "labelled": sets[name],
                "boxes": boxes,
                "source": "drawn by yochi_train.drawn",
                "licence": "Apache-2.0",
            }
        )
        if number % 12 < 8:
            verdict = "not_safe" if risky & set(labels) else "safe"
            checked.append({"id": identity, "cues": labels, "verdict": verdict, "why": "drawn"})
    for name, rows in (("photos", photos), ("checked", checked)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")


def _picture(labels: list[str], rng: random.Random) -> tuple[Image.Image, list[dict[str, object]]]:
    """Coarse noise as a background, so that no two pictures are near-duplicates, and one shape a label."""
    noise = Image.new("RGB", (9, 8))
    noise.putdata([tuple(rng.randrange(40, 200) for _ in range(3)) for _ in range(72)])
    image = noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    boxes: list[dict[str, object]] = []
    for label in labels:
        size = rng.randrange(50, 110)
        x, y = rng.randrange(SIDE - size), rng.randrange(SIDE - size)
        painter(label)(draw, (x, y, x + size, y + size))
        boxes.append({"label": label, "xyxy": [v / SIDE for v in (x, y, x + size, y + size)]})
    return image, boxes


if __name__ == "__main__":
    draw_photos(
        Path(sys.argv[1]), int(sys.argv[2]), pack_folder=Path(sys.argv[3]) if len(sys.argv) > 3 else None
    )
