"""`yochi-bench peers`: the same weights, asked in several ways."""

from typing import Annotated, Any

import typer
from yochi_runtime.bundle import Kind as BundleKind
from yochi_runtime.command_line import show_details
from yochi_runtime.opening import read_bundle

from .command_words import command_words
from .options import BundleOption, Debug, Images, Notes, Out, Threads
from .peer_settings import PeerName, PeerSettings
from .report import Kind, Setting
from .report_files import engine_threads, make_folder, new_report, write_report
from .workload import given


def peers(
    ctx: typer.Context,
    out: Out,
    image: Images = None,
    note: Notes = None,
    bundle: BundleOption = None,
    peer: Annotated[
        list[PeerName] | None, typer.Option(help="One way to ask; several. All if left out.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Questions that count; 11 carry p50, 64 p90.")] = 20,
    warmup: Annotated[int, typer.Option(min=0, help="Questions before them, not counted.")] = 2,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """The same weights asked in several ways, in turn: slots read, JSON written, one token written. A stock
    bundle: beside llama-server that sees, with new frames and then with new notes on the last one.
    """
    if debug:
        show_details()
    words, opened, workers = given(image, note, bundle), read_bundle(bundle), engine_threads(threads)
    asked = words.read()
    # Loads both engines' libraries: not for --help.
    from .peers import FEWER, interleaved, missing, peers_table, settings_notes, started
    from .seeing_peers import SEEING, ask_seeing, check_asked, seeing_note, seeing_tables

    seeing = opened.manifest.kind is BundleKind.STOCK
    wanted = list(dict.fromkeys(peer or (SEEING if seeing else PeerName)))
    if seeing:
        check_asked(wanted, asked)
    make_folder(out)
    absent = missing(wanted)
    names = [name for name in wanted if name not in absent]
    common: dict[str, Any] = {
        "images": tuple(map(str, words.images)),
        "notes": words.notes,
        "bundle": None if bundle is None else str(bundle),
        "threads": workers,
    }
    with started([PeerSettings(peer=name, **common) for name in names]) as running:
        by_state = ask_seeing(running, warmup, count) if seeing else {}
        answers = {} if seeing else interleaved(running, warmup, count)
        peaks = {str(process.name): process.peak() for process in running}
    tables = seeing_tables(by_state, peaks, absent) if seeing else [peers_table(answers, peaks, absent)]
    told = (seeing_note(opened),) if seeing else (FEWER, *settings_notes(names, workers))
    settings: dict[str, Setting] = {"count": count, "warmup": warmup, "peers": ", ".join(names)}
    kind: Kind = "seeing-peers" if seeing else "peers"
    line = command_words(ctx)
    write_report(new_report(kind, line, opened, asked.identity, workers, settings, tables, notes=told), out)
