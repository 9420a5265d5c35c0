"""`yochi camera`: find a camera, look whether it can be judged by, keep a picture of its view.

Exit 0: it can. 2: called wrongly. 3: it cannot, with the reason.
"""

from pathlib import Path
from typing import Annotated

import typer

from .command_line import show_details
from .errors import UsageError

camera_app = typer.Typer(help="Find, test and look through a camera.", rich_markup_mode=None)

Uri = Annotated[
    str,
    typer.Argument(
        metavar="CAMERA",
        help='A camera index such as "0", rtsp://HOST/PATH (user:password in YOCHI_CAMERA_LOGIN, or a netrc '
        "file's path in YOCHI_CAMERA_NETRC), a video file, a picture or a folder.",
        show_default=False,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]
SUFFIXES = (".png", ".jpg", ".jpeg")
SETTLE_SECONDS = 1.0  # exposure and white balance of a camera that has just been switched on


@camera_app.command("list")
def list_cameras(debug: Debug = False) -> None:
    """The cameras on USB, one line each. A network camera is named by its address."""
    from yochi_devices.uvc import list_uvc

    _set_up(debug)
    found = list_uvc()
    for camera in found:
        rights = "" if camera.usable else " (no rights: add the user to the group video, log in again)"
        typer.echo(f"{camera.index}  {camera.name}{rights}")
    if not found:
        typer.echo("no camera on USB; check the cable, or give rtsp://HOST/PATH")


@camera_app.command("test")
def try_camera(
    camera: Uri,
    seconds: Annotated[float, typer.Option(min=0.0, help="How long to read a camera.")] = 5.0,
    debug: Debug = False,
) -> None:
    """Read CAMERA and say size, rate, age and the gates of its last frame, or in words what is wrong."""
    from .camera_check import gate_lines, look, opened

    _set_up(debug)
    with opened(camera) as source:
        found = look(source, seconds)
    for line in found.lines():
        typer.echo(line)
    for line in gate_lines(found.frame):
        typer.echo(line)
    typer.echo("every gate of a single frame passes")


@camera_app.command()
def preview(
    camera: Uri,
    out: Annotated[Path, typer.Option(metavar="FILE", help="PNG or JPEG to write.", show_default=False)],
    debug: Debug = False,
) -> None:
    """Write what CAMERA sees now to FILE, for instance as `yochi watch --reference FILE`."""
    from PIL import Image

    from .camera_check import look, opened

    _set_up(debug)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"expected {', '.join(SUFFIXES)} at the end of --out, got {out.name}; rename it")
    with opened(camera) as source:
        picture = look(source, SETTLE_SECONDS).frame
    try:
        Image.fromarray(picture.rgb).save(out)
    except OSError as e:
        raise UsageError(f"expected to write {out}, got: {e.strerror or e}; check path and rights") from e
    height, width = picture.rgb.shape[:2]
    typer.echo(f"{out}: {width} x {height} pixels of {picture.name}")


def _set_up(debug: bool) -> None:
    if debug:
        show_details()
