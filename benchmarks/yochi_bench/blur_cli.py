"""`yochi-bench blur`: what is kept of heads where `--blur-faces` is on."""

import json
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.command_line import show_details
from yochi_runtime.opening import read_bundle

from .options import BundleOption, Debug, Threads
from .report_files import engine_threads


def blur(
    photos: Annotated[Path, typer.Argument(help="Folder of photos with boxes: photos.jsonl.")],
    count: Annotated[int, typer.Option(min=1, help="Photos, drawn at random of those with labels.")] = 300,
    judged: Annotated[int, typer.Option(min=0, help="Of these, judged as they are and blurred.")] = 50,
    seed: Annotated[int, typer.Option(help="For the draw.")] = 0,
    bundle: BundleOption = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """How many labelled heads `--blur-faces` covers, how much of a photo, and how far a replay strays."""
    if debug:
        show_details()
    opened = read_bundle(bundle)
    # Starts the engines: not for --help, not for a wrong path.
    from yochi_runtime.judge import Judge

    from .blur import covers, lines, read_labels, strays, summary

    drawn = read_labels(photos, count, seed)
    covered = covers(photos, drawn, opened, engine_threads(threads))
    with Judge.open(bundle, threads=threads) as judge:
        strayed = strays(photos, drawn[:judged], judge)
    found = summary(covered, strayed)
    for line in lines(found):
        typer.echo(line)
    typer.echo(json.dumps({"bundle": opened.sha256, "drawn": len(drawn), "seed": seed, **found}))
