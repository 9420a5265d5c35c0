"""`yochi-bench`: what a bundle costs on this device, how well it judges, and what the gates notice.

Exit 0 when it was measured, 2 for a wrong call, 3 when nothing could be judged, 1 for a fault, 130 for
Ctrl-C; one line each on stderr.
"""

import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.bundle import Bundle, file_sha256
from yochi_runtime.command_line import run_app, show_details
from yochi_runtime.errors import UsageError
from yochi_runtime.opening import read_bundle
from yochi_runtime.plant_rules import PlantRules, plant_rules

from .blur_cli import blur
from .camera_stream import RATE
from .command_words import command_words
from .compare import Across
from .compare import compare as compared
from .latency import Plan, log_beside, reading_notes
from .latency import measure as measure_latency
from .live_cli import live
from .options import BundleOption, Debug, Images, Notes, Out, Threads
from .peers_cli import peers
from .quantization import quantization as fronts_of
from .quantization import read_sweep
from .report import Report, Setting, read_report, schema_text
from .report_files import engine_threads, make_folder, new_report, write_report
from .suites.items import SuiteName
from .timed import Box
from .workload import SHIPPED_PACK, SHIPPED_RECORDS, Asked, given

app = typer.Typer(
    help="Measure a bundle on this device, and the gates on photos.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(live)
app.command()(blur)
app.command()(peers)


@app.command()
def latency(
    ctx: typer.Context,
    out: Out,
    image: Images = None,
    note: Notes = None,
    bundle: BundleOption = None,
    count: Annotated[int, typer.Option(min=1, help="Judgements of each case; 64 carry p90, 662 p99.")] = 64,
    warmup: Annotated[int, typer.Option(min=0, help="Judgements before them, not counted.")] = 3,
    rate: Annotated[float, typer.Option(min=0.01, help="Frames a second of the camera stream.")] = RATE,
    threads: Threads = None,
    rules: Annotated[Path | None, typer.Option(help="A rulebook to apply, as the plant does.")] = None,
    debug: Debug = False,
) -> None:
    """Time judgements by stage: a new frame, a new note, the same again, a camera; memory and energy."""
    if debug:
        show_details()
    asked = given(image, note, bundle).read()
    plan = Plan(warmup, count, rate)
    plant = plant_rules(rules, None, bundle)
    make_folder(out)
    write_report(_latency(command_words(ctx), asked, plan, out, bundle, threads, plant), out)


def _latency(
    command: str,
    asked: Asked,
    plan: Plan,
    out: Path,
    bundle: Path | None,
    threads: int | None,
    plant: PlantRules | None,
) -> Report:
    # Starts the engines: not for --help, not for a wrong path.
    from yochi_runtime.judge import Judge

    with log_beside(out) as log, Judge.open(bundle, threads=threads) as judge:
        found = measure_latency(Box(judge, log, plant), asked, plan)
        return new_report(
            "latency",
            command,
            judge.bundle,
            asked.identity,
            engine_threads(threads),
            {"count": plan.count, "warmup": plan.warmup, "rate": plan.rate, "rules": plant is not None},
            found.tables,
            found.plots,
            reading_notes(plan),
        )


@app.command()
def quality(
    ctx: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="[RECORDS] OUT",
            help="Records, one JSON object a line (the shipped ones if left out); folder for the report.",
            show_default=False,
        ),
    ],
    photos: Annotated[Path | None, typer.Option(help="Folder of their pictures (default: theirs).")] = None,
    bundle: BundleOption = None,
    seed: Annotated[int, typer.Option(help="For the bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Of every bootstrap.")] = 2000,
    changed: Annotated[
        int, typer.Option(min=0, help="Records asked again with worse pictures and notes; 0: none.")
    ] = 100,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Five cells, risks by source, category and cue, calibration, selective risk, robustness, steering."""
    if debug:
        show_details()
    # Loads both engines' libraries: not for --help.
    from .quality import Judges, Settings, measure, read_workload

    opened = read_bundle(bundle)
    records, out = _records_and_out(folders, opened)
    folder = photos or records.parent
    asked, workload = read_workload(records, folder)
    make_folder(out)
    count = engine_threads(threads)
    found = measure(Judges(opened, folder, count), asked, Settings(seed, resamples, changed))
    report = new_report(
        "quality",
        command_words(ctx),
        opened,
        workload,
        count,
        {"seed": seed, "resamples": resamples, "changed": changed},
        found.tables,
        found.plots,
        found.notes,
    )
    write_report(report, out)


def _records_and_out(folders: list[Path], bundle: Bundle) -> tuple[Path, Path]:
    """UsageError for more or fewer, and where the shipped records do not know the bundle's slots."""
    if len(folders) == 2:
        return folders[0], folders[1]
    if len(folders) > 2:
        raise UsageError(f"expected [RECORDS] OUT, got {len(folders)} paths; give the report's folder last")
    if bundle.pack.id != SHIPPED_PACK:
        raise UsageError(
            f"expected a bundle of the pack {SHIPPED_PACK} for the shipped records, got {bundle.pack.id}; "
            "give records of your own"
        )
    return SHIPPED_RECORDS, folders[0]


@app.command()
def roofline(
    ctx: typer.Context,
    out: Out,
    image: Images = None,
    note: Notes = None,
    bundle: BundleOption = None,
    count: Annotated[int, typer.Option(min=1, help="Judgements that count; 11 carry p50.")] = 20,
    warmup: Annotated[int, typer.Option(min=0, help="Judgements before them, not counted.")] = 3,
    graph: Annotated[
        Path | None,
        typer.Option(help="A picture model besides, such as vision_encoder.onnx of `yochi-export onnx`."),
    ] = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """How far each stage is from this machine's limits, and what bounds it."""
    if debug:
        show_details()
    asked = given(image, note, bundle).read()
    make_folder(out)
    # Loads both engines' libraries: not for --help.
    from yochi_runtime.judge import Judge

    from .ceiling import in_turn, measure_ceiling
    from .operations import graph_timer, vision_work
    from .roofline import roofline as of_stages
    from .roofline import work_of

    workers = engine_threads(threads)
    with log_beside(out) as log, Judge.open(bundle, threads=threads) as judge:
        box, new = Box(judge, log), asked.new_frames()
        box.run(new, 0, warmup)
        timings, limits = in_turn(partial(box.run, new, 0), count, lambda: measure_ceiling(workers))
        opened = judge.bundle
    work = work_of(opened, asked)
    if graph is not None:
        work[graph.name] = vision_work(graph)
        timer = graph_timer(graph, workers)
        timer(warmup)
        taken, more = in_turn(timer, count, lambda: measure_ceiling(workers))
        timings += [{graph.name: ms} for ms in taken]
        limits += more
    found = of_stages(work, timings, limits)
    settings = {"count": count, "warmup": warmup, "graph": None if graph is None else file_sha256(graph)}
    words = command_words(ctx)
    write_report(
        new_report("roofline", words, opened, asked.identity, workers, settings, *found.parts()), out
    )


@app.command()
def suite(
    ctx: typer.Context,
    name: Annotated[SuiteName, typer.Argument(help="siuo, figstep-benign, mossbench, or jsonl: your own.")],
    folder: Annotated[Path, typer.Argument(help="The suite as you have it; nothing is downloaded.")],
    out: Out,
    bundle: BundleOption = None,
    answers: Annotated[
        str | None, typer.Option(metavar="MODEL@URL", help="A model to ask beside the box; URL as .../v1.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="MODEL@URL", help="A model that scores what it writes.")
    ] = None,
    second_judge: Annotated[
        str | None, typer.Option(metavar="MODEL@URL", help="Another, to see whether they agree.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Questions; all if left out.")] = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """A public suite of safety or oversafety: the box's verdicts, and a model's answers by the suite's rule.

    Keys: YOCHI_ANSWERS_KEY, YOCHI_JUDGE_KEY, YOCHI_SECOND_JUDGE_KEY.
    """
    if debug:
        show_details()
    from .suites.items import SUITES, read_items
    from .suites.models import Models

    models = Models(answers, judge, second_judge)
    asked = SUITES[name]
    items, workload = read_items(asked, folder, count)
    rules = models.rules(asked, folder)
    make_folder(out)
    said = models.ask(items, rules, out)
    # Starts the engines: not for a wrong path or an endpoint that is not there.
    from yochi_runtime.judge import Judge

    from .suites.run import ask_box
    from .suites.tables import suite_notes, suite_tables

    with Judge.open(bundle, threads=threads) as box:
        rows = [ask_box(box, items), *said]
        opened = box.bundle
    settings: dict[str, Setting] = {"answers": answers, "judge": judge, "second_judge": second_judge}
    tables, notes = suite_tables(asked, items, rows), suite_notes(asked)
    workers, line = engine_threads(threads), command_words(ctx)
    write_report(new_report("suite", line, opened, workload, workers, settings, tables, notes=notes), out)


@app.command()
def endurance(
    ctx: typer.Context,
    out: Out,
    image: Images = None,
    note: Notes = None,
    bundle: BundleOption = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="End after so long.")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many judgements; 10,000 without --minutes.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Frames a second of the camera stream.")] = RATE,
    seed: Annotated[int, typer.Option(help="For the faults.")] = 0,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """A camera for hours, every tenth frame a fault: memory, descriptors, heat, drift, what slips through."""
    if debug:
        show_details()
    asked = given(image, note, bundle).read()
    make_folder(out)
    # Starts the engines: not for --help, not for a wrong path.
    from yochi_runtime.judge import Judge

    from .endurance import COUNT, Plan, endure

    plan = Plan(COUNT if count is None and minutes is None else count, minutes, rate)
    settings: dict[str, Setting] = {"count": plan.count, "minutes": minutes, "rate": rate, "seed": seed}
    with log_beside(out) as log, Judge.open(bundle, threads=threads) as judge:
        tables, plots = endure(Box(judge, log), asked, plan, seed)
        opened = judge.bundle
    words, workers = command_words(ctx), engine_threads(threads)
    write_report(
        new_report("endurance", words, opened, asked.identity, workers, settings, tables, plots), out
    )


@app.command()
def quantization(
    ctx: typer.Context,
    sweep: Annotated[
        Path, typer.Argument(help="Folder of yochi-export sweep, or its report.json.", show_default=False)
    ],
    out: Out,
) -> None:
    """The rungs of an export sweep on latency, size and quality, and which of them no other beats."""
    found = fronts_of(read_sweep(sweep), command_words(ctx))
    make_folder(out)
    write_report(found, out)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="report.json of a run.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="That of another.", show_default=False)],
    across: Annotated[
        Across | None, typer.Option(help="The one thing that is compared and may differ.")
    ] = None,
) -> None:
    """Two reports side by side. Refused unless kind, workload, bundle and threads are the same."""
    typer.echo(compared(read_report(a), read_report(b), across))


@app.command()
def schema() -> None:
    """The JSON schema of report.json, as it is published in report.schema.json."""
    typer.echo(schema_text(), nl=False)


@app.command()
def gates(
    photos: Annotated[Path, typer.Argument(help="Folder of photos, searched to its bottom.")],
    count: Annotated[int, typer.Option(min=1, help="Photos, drawn at random.")] = 300,
    seed: Annotated[int, typer.Option(help="For the draw and for the faults.")] = 0,
) -> None:
    """How often the gates refuse good photos, and photos with faults made on purpose: a table, then JSON."""
    from .gates import HEAD, line, measure, read_photos

    found = read_photos(photos, count, seed)
    typer.echo(HEAD)
    rows = []
    for row in measure(found, seed):
        typer.echo(line(row))
        rows.append(row)
    typer.echo(json.dumps({"photos": len(found), "seed": seed, "rows": rows}))


def main() -> None:
    """The entry point `yochi-bench`."""
    # As Ctrl-C: what a benchmark has started (a service, peers) would otherwise go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(command(sys.argv[1:]))


def command(arguments: list[str]) -> int:
    """Run one command line; its exit code."""
    return run_app(app, "yochi-bench", arguments)
