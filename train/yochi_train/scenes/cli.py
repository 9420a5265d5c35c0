"""`yochi-train scenes`: make Blender's environment, render scenes."""

from pathlib import Path
from typing import Annotated

import typer

# Pillow and numpy take a while to load: modules that need them are imported where they are used.

scenes_app = typer.Typer(help="Factory scenes with known truth, rendered by Blender.", rich_markup_mode=None)


@scenes_app.callback()
def _scenes() -> None:
    """Factory scenes with known truth, rendered by Blender."""


@scenes_app.command()
def setup(
    python: Annotated[
        Path | None, typer.Option(help="A Python 3.11, which Blender's module needs (found if not given).")
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(help="Folder with the wheels of bpy and what it needs, for use without network."),
    ] = None,
) -> None:
    """Make the environment that Blender runs in: its own, 0.4 GB to download, once."""
    from .environment import set_up

    typer.echo(set_up(python, wheels))


@scenes_app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder for the scenes; an interrupted run goes on in it.")],
    count: Annotated[
        int | None, typer.Option(min=2, help="Scenes, two a minimal pair (400, or all of the seed file).")
    ] = None,
    seed_file: Annotated[
        Path | None, typer.Option(help="Pairs to render: SEED HAZARD a line; OUT/seeds.txt is one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="First seed, where no seed file is given.")] = 0,
    size: Annotated[int, typer.Option(help="Pixels of a picture's width.")] = 320,
    samples: Annotated[int, typer.Option(help="Rays a pixel; the picture is denoised after.")] = 16,
    workers: Annotated[
        int, typer.Option(help="Blender processes at a time; with --ray, in the cluster.")
    ] = 1,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Render on this Ray cluster (HOST:PORT, or `auto`), a CPU a process; its nodes need yochi "
            "and what `scenes setup` makes.",
        ),
    ] = None,
    assets: Annotated[
        Path | None,
        typer.Option(
            help="Folder of 3D files (.glb, pictures beside them) that replace primitives or dress the room, "
            "by a word in their name: crate, trashcan, shelf, desk, palletjack, bucket ..."
        ),
    ] = None,
) -> None:
    """Render minimal pairs, a scene with and without one hazard: pictures, masks, boxes, visible cues."""
    from ..cluster import cluster
    from .assets import read_assets
    from .environment import renderer_command
    from .render import RenderSettings, render_pairs
    from .seeds import draw_pairs, read_seeds

    models = read_assets(assets) if assets else None
    settings = RenderSettings(size=size, samples=samples, workers=workers, assets=models)
    wanted = None if count is None else -(-count // 2)
    pairs = read_seeds(seed_file)[:wanted] if seed_file else draw_pairs(wanted or 200, seed)
    if ray is None:
        typer.echo(render_pairs(out, pairs, settings, renderer_command()))
        return
    with cluster(ray, workers) as nodes:
        typer.echo(render_pairs(out, pairs, settings, None, nodes))
