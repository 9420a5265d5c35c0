"""Arguments and options that several commands of `yochi-export` share."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import UsageError

from .targets import Target

VERSION = "0.1.0"
NOT_PROVED = 4  # exit code; a fault's 1 must not look like it

Run = Annotated[Path, typer.Argument(help="Run folder of `yochi-train sft`, finished.")]
Checkpoint = Annotated[Path, typer.Argument(help="Run folder, or a folder in Hugging Face's form.")]
BundleFolder = Annotated[Path, typer.Argument(help="Bundle folder.")]
Records = Annotated[Path, typer.Argument(help="Folder from `yochi-train records photos`.")]
Photos = Annotated[Path, typer.Option(help="Folder the records' pictures are relative to.")]
Count = Annotated[int, typer.Option(min=1, help="Records to compare; below 500 nothing is proved.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the engines.")]
Languages = Annotated[
    str | None,
    typer.Option(help='Languages proved for notes, such as "en,ja" (default: those the evaluation proves).'),
]
Miss = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        max=0.5,
        help="Test thresholds for at most this share of misses, such as 0.05, with 95 % confidence "
        "(Learn-then-Test); else they are the best for the verdicts.",
    ),
]
Int8Frames = Annotated[int, typer.Option(min=1, help="Training pictures that int8's ranges are set on.")]
Fit = Annotated[str, typer.Option(help="Languages whose validation notes thresholds are fitted to.")]
ForTarget = Annotated[Target, typer.Option(help="Board: its memory and its engine pick the rungs.")]
ExportFolder = Annotated[Path, typer.Argument(help="Folder of the export; a killed one goes on in it.")]
RecordsOption = Annotated[Path, typer.Option("--records", help="Folder from `yochi-train records photos`.")]
Evaluation = Annotated[Path | None, typer.Option(help="evaluation.json of `yochi-train evaluate`.")]
Version = Annotated[str, typer.Option(help="Version of the bundle.")]


def shown_line(bundle: Bundle) -> str:
    """Identity, proof and languages of a bundle."""
    proof = "proved" if bundle.manifest.proof.passed else "UNPROVED: it will judge nothing"
    return f"manifest {bundle.sha256}, {proof}, languages: {', '.join(bundle.manifest.languages) or 'none'}"


def list_of(languages: str | None) -> tuple[str, ...] | None:
    """Languages out of "en,ja"; UsageError for others."""
    if languages is None:
        return None
    found = tuple(sorted({part.strip() for part in languages.split(",")} - {""}))
    foreign = [language for language in found if language not in ("en", "ja")]
    if foreign:
        raise UsageError(f"expected a list of en and ja, got {', '.join(foreign)}")
    return found


def write_numbers(numbers: dict[str, Any], file: Path) -> None:
    """On stdout and into `file`."""
    text = json.dumps(numbers, indent=1, sort_keys=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)
