"""Arguments and options that the commands of `yochi-bench` share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Argument(help="Folder for report.json, report.html, report.txt and plots.")]
Images = Annotated[
    list[Path] | None,
    typer.Option("--image", help="A picture; several: in turn. The shipped 100 if left out."),
]
Notes = Annotated[
    list[str] | None, typer.Option("--note", help="A note; two or more are needed to time a new one.")
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="Bundle folder; the shipped one if left out.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of each engine.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback on errors.")]
