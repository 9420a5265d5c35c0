"""`yochi-bench live`: a real camera and a real service, for as long as it takes."""

import hashlib
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from yochi_devices.camera import AddressError
from yochi_devices.rtsp import parse_rtsp
from yochi_runtime.command_line import show_details
from yochi_runtime.errors import UsageError
from yochi_runtime.opening import read_bundle

from .cable import Cable
from .command_words import command_words
from .live import DARK, cuts_table, follow, growth_plot, growth_table, page_table, times_of_rows, times_table
from .options import BundleOption, Debug, Threads
from .report import Setting, Workload, measured
from .report_files import engine_threads, make_folder, new_report, write_report
from .screen import screen
from .served import START, Served

NO_SCREEN = "expected a browser beside the box, none was asked for; give --browser"


def live(
    ctx: typer.Context,
    camera: Annotated[str, typer.Argument(help="rtsp://HOST[:PORT]/PATH.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder for report.json, report.html and report.txt.")],
    note: Annotated[str, typer.Option(help="The note that it is judged with.")] = "Routine round.",
    count: Annotated[int, typer.Option(min=1, help="Judgements in a row; 64 carry p90, 662 p99.")] = 64,
    cuts: Annotated[int, typer.Option(min=0, help="Times that the camera's cable is pulled.")] = 5,
    between: Annotated[
        float,
        typer.Option(min=0.0, help="Minutes from the end of a cut to the next; 24 and 5 take two hours."),
    ] = 0.0,
    every: Annotated[
        float, typer.Option(min=0.0, max=DARK / 2, help="Seconds between judgements; 0: one after the other.")
    ] = 0.0,
    browser: Annotated[
        Path | None, typer.Option(help="Chromium, to see when a verdict is drawn (needs Playwright).")
    ] = None,
    bundle: BundleOption = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """A live camera before `yochi serve`: age of its frames, cuts of its cable, how soon a screen knows."""
    if debug:
        show_details()
    try:
        address = parse_rtsp(camera)
    except AddressError as e:
        raise UsageError(str(e)) from e
    opened = read_bundle(bundle)
    make_folder(out)
    given = ["--note", note, "--every", str(every), "--audit", str(out / "audit.db")]
    given += ["--bundle", str(bundle)] if bundle else []
    given += ["--threads", str(threads)] if threads else []
    with ExitStack() as stack:
        cable = stack.enter_context(Cable(address.host, address.port))
        through = f"rtsp://127.0.0.1:{cable.port}{address.path}"
        served = stack.enter_context(Served(["--camera", through, *given]))
        served.wait(bool, START)  # it listens
        seen = stack.enter_context(screen(browser, served.url)) if browser else None
        run = follow(served, cable, count, cuts, 60 * between, seen.pause if seen else time.sleep)
        drawn = seen.drawn() if seen else measured(None, NO_SCREEN)
        tables = [
            times_table(run, times_of_rows(served, run), drawn),
            cuts_table(run),
            growth_table(run),
            page_table(served),
        ]
    settings: dict[str, Setting] = {
        "count": count,
        "cuts": cuts,
        "between": between,
        "every": every,
        "browser": browser is not None,
    }
    asked = hashlib.sha256(f"{camera}\n{note}".encode()).hexdigest()
    workload = Workload(name="a live camera", frames=len(run.steady), notes=1, sha256=asked)
    words, workers = command_words(ctx), engine_threads(threads)
    report = new_report("live", words, opened, workload, workers, settings, tables, [growth_plot(run)])
    write_report(report, out)
