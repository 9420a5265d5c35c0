"""`yochi-train records`: the commands that read and write the forms of others. Thin: one call each."""

from pathlib import Path
from typing import Annotated

import typer

# Pillow and numpy take a while to load: modules that need them are imported where they are used.

convert_app = typer.Typer(rich_markup_mode=None)

Records = Annotated[Path, typer.Argument(help="Records file, or folder; pack.toml stands beside the rows.")]
PackFile = Annotated[
    Path | None, typer.Option("--pack", help="Taxonomy pack (TOML); the factory pack if not given.")
]


@convert_app.command("from-llava")
def from_llava(
    data: Annotated[Path, typer.Argument(help="JSON in DREAM's form, such as its train_llava_format.json.")],
    out: Annotated[Path, typer.Argument(help="Folder for pairs.jsonl, defects.jsonl, quarantine.jsonl.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder the images are relative to; without it none is looked for.")
    ] = None,
    pack: PackFile = None,
) -> None:
    """Read DREAM's form into pairs for `records observe`; find and count what is wrong with it."""
    from .from_llava import from_llava

    typer.echo(from_llava(data, out, photos, pack))


@convert_app.command("to-llava")
def to_llava(
    records: Records,
    out: Annotated[Path, typer.Argument(help="The JSON file to write.")],
) -> None:
    """Write records as conversations in DREAM's form, to fine-tune other models on."""
    from .to_llava import to_llava

    typer.echo(to_llava(records, out))
