"""What a folder of scenes looks like: an index for training, a contact sheet, and a static page."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from yochi_runtime.taxonomy import Source

from ..convert.written import written
from ..pictures import Photo, PhotoBox
from ..rendered import Rendered, SwitchedOn
from .hazards import BY_ID, NEUTRAL
from .seeds import pair_of

CELL = 160  # pixels of a picture's width on the contact sheet
CAPTION = 14  # pixels
COLUMNS = 8  # four pairs a row
MOST_ON_SHEET = 160  # scenes; the page has all of them
CUE, TEXT = "cue:", f"{Source.IMAGE_TEXT}:"
SEEN = {True: "(seen)", False: "(hidden)", None: "(half seen)"}
STYLE = """body{font:14px sans-serif;margin:1em;background:#222;color:#ddd}
figure{display:inline-block;margin:.3em;vertical-align:top;width:320px}
.picture{position:relative}img{width:100%;display:block}
.box{position:absolute;border:2px solid #fc0;font-size:11px;color:#fc0;text-shadow:0 0 2px #000}
.box:not(:hover){border-width:1px}figcaption{font-size:12px;overflow-wrap:anywhere}"""


def write_gallery(out: Path, names: Sequence[str]) -> None:
    """`photos.jsonl` (read by `records photos`), `contact.png` and `index.html` of the named scenes."""
    truths = [json.loads((out / "scenes" / name / "truth.json").read_text("utf-8")) for name in names]
    with written(out / "photos.jsonl") as rows:
        for truth in truths:
            rows.write(photo_of(truth).model_dump_json() + "\n")
    (out / "index.html").write_text(page(truths), encoding="utf-8")
    if truths:
        contact_sheet(out, truths[:MOST_ON_SHEET]).save(out / "contact.png")


def photo_of(truth: dict[str, Any]) -> Photo:
    """A scene as a line of photos.jsonl: every cue that is known is labelled, seen ones have boxes."""
    pair, slots, sights = pair_of(truth["name"]), truth["slots"], truth["sights"]
    assets = truth.get("assets", {"models": {}, "unsure": []})  # of scenes rendered with --assets
    models = sorted(set(assets["models"].values()))
    return Photo(
        image=f"scenes/{truth['name']}/image.jpg",
        set="scenes",
        width=truth["width"],
        height=truth["height"],
        labelled=sorted(slot.removeprefix(CUE) for slot in slots if slot.startswith(CUE)),
        boxes=[
            PhotoBox(label=box["slot"].removeprefix(CUE), xyxy=box["xyxy"])
            for box in truth["boxes"]
            if box["slot"].startswith(CUE)
        ],
        source=", ".join([f"yochi-train scenes, version {truth['version']}", *models]),
        licence="Apache-2.0, and that of the models" if models else "Apache-2.0",
        rendered=Rendered(
            scene=f"{truth['version']}-{truth['seed']}",
            pair=pair.name,
            switched=BY_ID[pair.hazard].slot,
            hazards=[
                SwitchedOn(slot=hazard["slot"], category=hazard["category"], seen=hazard["seen"])
                for hazard in truth["hazards"]
                if hazard["on"]
            ],
            texts={slot.removeprefix(TEXT): value for slot, value in slots.items() if slot.startswith(TEXT)},
            half_seen=[
                cue
                for cue, keys in NEUTRAL.items()
                if cue in assets["unsure"]
                or any(key in sights and sights[key]["seen"] is None for key in keys)
            ],
        ),
    )


def contact_sheet(out: Path, truths: Sequence[dict[str, Any]]) -> Image.Image:
    """Small pictures in reading order, pairs side by side, each with its name."""
    rows = -(-len(truths) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + CAPTION)), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for number, truth in enumerate(truths):
        left, top = number % COLUMNS * CELL, number // COLUMNS * (CELL + CAPTION)
        with Image.open(out / "scenes" / truth["name"] / "image.jpg") as image:
            small = image.convert("RGB")
            small.thumbnail((CELL - 2, CELL))
        sheet.paste(small, (left, top + CAPTION))
        draw.text((left + 2, top + 1), truth["name"][-26:], fill=(230, 230, 230))
    return sheet


def page(truths: Sequence[dict[str, Any]]) -> str:
    """A page without scripts; every word that comes from a file is escaped."""
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Scenes</title><style>{STYLE}</style>'
    return (
        f"{head}<h1>{len(truths)} scenes</h1>\n" + "\n".join(_figure(truth) for truth in truths) + "</html>\n"
    )


def _figure(truth: dict[str, Any]) -> str:
    name = html.escape(str(truth["name"]))
    boxes = "".join(_box(box) for box in truth["boxes"])
    words = [f"<b>{html.escape(h['id'])}</b> {SEEN[h['seen']]}" for h in truth["hazards"] if h["on"]]
    seen = ", ".join(html.escape(slot) for slot, value in sorted(truth["slots"].items()) if value)
    image = f'<img loading="lazy" src="scenes/{name}/image.jpg" alt="{name}">'
    caption = f"{name}<br>{'; '.join(words) or 'no hazard'}<br>seen: {seen or 'nothing'}"
    return f'<figure><div class="picture">{image}{boxes}</div><figcaption>{caption}</figcaption></figure>'


def _box(box: dict[str, Any]) -> str:
    x0, y0, x1, y1 = (100 * float(v) for v in box["xyxy"])
    place = f"left:{x0:.2f}%;top:{y0:.2f}%;width:{x1 - x0:.2f}%;height:{y1 - y0:.2f}%"
    return f'<div class="box" style="{place}">{html.escape(str(box["slot"]))}</div>'
