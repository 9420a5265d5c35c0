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
PackFolder = Annotated[
    Path | None,
    typer.Option("--pack", help="Folder of a taxonomy pack (its pack.toml and words); factory if not given."),
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


@convert_app.command("from-coco")
def from_coco(
    instances: Annotated[Path, typer.Argument(help="COCO instances (JSON), every category annotated.")],
    photos: Annotated[Path, typer.Argument(help="Folder that the file names are relative to.")],
    out: Annotated[Path, typer.Argument(help="Folder for photos.jsonl and images/, for `records photos`.")],
    cues: Annotated[
        Path | None,
        typer.Option(help='TOML of lines "Hard hat" = "hard_hat"; without, names that are cues of the pack.'),
    ] = None,
    name: Annotated[
        str, typer.Option("--set", help="The set's name: each set has a look of its own.")
    ] = "coco",
    pack: PackFile = None,
) -> None:
    """Turn COCO instances into a folder of photos. A cue that no category stands for stays unknown."""
    from .from_coco import from_coco

    typer.echo(from_coco(instances, photos, out, name=name, cues=cues, pack_file=pack))


@convert_app.command("to-hf")
def to_hf(
    records: Records,
    photos: Annotated[Path, typer.Argument(help="Folder the pictures are relative to.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; an interrupted run goes on in it.")],
) -> None:
    """Write records and their pictures for `datasets.load_dataset("imagefolder", data_dir=OUT)`."""
    from .to_hf import to_hf

    typer.echo(to_hf(records, photos, out))


@convert_app.command("split")
def split(
    records: Records,
    out: Annotated[Path, typer.Argument(help="Another folder, for train.jsonl, val.jsonl, test.jsonl.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder the pictures are relative to: near-duplicates stay together.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    pack: PackFolder = None,
) -> None:
    """Draw the splits anew: no picture group, template or near note on both sides; the rest is left out."""
    from .resplit import split_records

    typer.echo(split_records(records, out, photos, seed, pack))


@convert_app.command("sample")
def sample(
    records: Records,
    page: Annotated[Path, typer.Option("--html", help="The page to write; it holds its pictures.")],
    photos: Annotated[Path, typer.Option(help="Folder the pictures are relative to.")],
    count: Annotated[int, typer.Option(min=1, help="Records to show, half of them in each language.")] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Draw records and show them on one page: picture, note, and what is known, in both languages."""
    from .sample_page import sample_page

    typer.echo(sample_page(records, page, photos, count, seed))
