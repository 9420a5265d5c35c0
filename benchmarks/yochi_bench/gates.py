"""How often the gates refuse a good photo, and how often they notice a fault: one row a case."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from yochi_devices.decode import is_picture
from yochi_devices.frame import CameraFrame, Rgb
from yochi_devices.view import PlainView, View
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.gates import check_content
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.limits import GateError
from yochi_runtime.stream import StreamGates

from .faults import Case, cases

Row = dict[str, object]  # case, faulty, photos, refused, reasons
HEAD = f"{'case':34}{'should be':>10}{'photos':>8}{'refused':>9}  by"


def read_photos(folder: Path, count: int, seed: int) -> list[Rgb]:
    """At most `count` pictures below `folder`, drawn with `seed`; UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"expected a folder of photos at {folder}, found none; check the path")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    order = np.random.default_rng(seed).permutation(len(paths))
    photos: list[Rgb] = []
    for i in order:
        if len(photos) < count and _is_picture(paths[i]):
            photos.append(read_frame(paths[i]).rgb)
    if not photos:
        raise UsageError(f"expected photos in {folder}, found none; give a folder of JPEG or PNG files")
    return photos


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        return is_picture(file)


def measure(photos: list[Rgb], seed: int) -> Iterator[Row]:
    """Row after row, as soon as each is measured."""
    for case in cases():
        rng = np.random.default_rng(seed)
        found = [refusal(case, photo, rng) for photo in photos]
        reasons = Counter(reason for reason in found if isinstance(reason, Reason))
        yield {
            "case": case.name,
            "faulty": case.faulty,
            "photos": len(found) - found.count("no reference"),
            "refused": reasons.total(),
            "reasons": {str(reason): n for reason, n in reasons.most_common()},
        }


def refusal(case: Case, photo: Rgb, rng: np.random.Generator) -> Reason | str:
    """The reason for which the gates refuse the frame, "" for none, "no reference" for too plain a photo."""
    frame = Frame(np.ascontiguousarray(case.frame(photo, rng)))
    gates = StreamGates()
    if case.reference is not None:
        reference = Frame(np.ascontiguousarray(case.reference(photo)))
        try:
            gates = StreamGates(View(reference.rgb, reference.measures))
        except PlainView:
            return "no reference"
    try:
        gates.check(CameraFrame(frame.rgb, 0, 0.0, case.name, still=True), frame)
        check_content(frame)
    except GateError as e:
        return e.reason
    return ""


def line(row: Row) -> str:
    """One line of the table under HEAD."""
    photos, refused, reasons = row["photos"], row["refused"], row["reasons"]
    assert isinstance(photos, int)
    assert isinstance(refused, int)
    assert isinstance(reasons, dict)
    share = f"{refused / photos:9.1%}" if photos else f"{'-':>9}"
    named = ", ".join(f"{reason} {n}" for reason, n in reasons.items())
    wanted = "refused" if row["faulty"] else "passed"
    return f"{row['case']:34}{wanted:>10}{photos:8}{share}  {named}".rstrip()
