"""The commands that make a bundle: `all`, every rung beside it (`sweep`), and the rungs of one file alone."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from yochi_runtime.errors import UsageError

from .families import Form
from .options import (
    NOT_PROVED,
    VERSION,
    Count,
    Evaluation,
    ExportFolder,
    Fit,
    ForTarget,
    Int8Frames,
    Languages,
    Miss,
    Photos,
    RecordsOption,
    Run,
    Threads,
    Version,
    list_of,
    shown_line,
    write_numbers,
)
from .targets import Target

if TYPE_CHECKING:
    from .order import Order

# torch, transformers and the engines take a while to load: imported where they are used.


def all_command(
    run: Run,
    out: ExportFolder,
    records: RecordsOption,
    photos: Photos,
    target: ForTarget = Target.X86,
    count: Count = 500,
    languages: Languages = None,
    evaluation: Evaluation = None,
    version: Version = VERSION,
    threads: Threads = 2,
    int8_frames: Int8Frames = 48,
    fit: Fit = "en,ja",
    miss: Miss = None,
    key: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="Sign the proved bundle with this key.")
    ] = None,
    ship_it: Annotated[bool, typer.Option("--ship", help="Ship the bundle with this source.")] = False,
) -> None:
    """Everything in order: graph, LoRA, quantization, calibration, parity, bundle, signature. Exit 4 unless
    it is proved.
    """
    from .doctor import require
    from .pack import ship as ship_bundle
    from .sign import read_signing_key
    from .sign import sign as sign_bundle
    from .stages import export_all

    require(run, Form.BUNDLE)
    if key is not None:
        read_signing_key(key)  # before the minutes, not after them
    order = _order(run, out, records, photos, target, count, threads, int8_frames, fit, miss)
    order = replace(order, version=version, languages=list_of(languages), evaluation=evaluation)
    bundle = export_all(order, lambda text: typer.echo(f"export: {text}", err=True))
    typer.echo(f"{bundle.path}: {shown_line(bundle)}")
    if not bundle.manifest.proof.passed:
        raise typer.Exit(NOT_PROVED)
    if key is not None:
        file, public = sign_bundle(bundle, key)
        typer.echo(f"{file}: signed by {public}")
    if ship_it:
        ship_bundle(bundle)


def sweep(
    ctx: typer.Context,
    run: Run,
    out: ExportFolder,
    records: RecordsOption,
    photos: Photos,
    target: ForTarget = Target.X86,
    count: Count = 500,
    threads: Threads = 2,
    int8_frames: Int8Frames = 48,
    fit: Fit = "en,ja",
    miss: Miss = None,
) -> None:
    """Every rung as a bundle, and one table and plot of what each costs and loses. Exit 4: none is proved."""
    from yochi_bench.command_words import command_words
    from yochi_bench.quality import read_workload
    from yochi_bench.report import Setting
    from yochi_bench.report_files import make_folder, new_report, write_report

    from .doctor import require
    from .sweep import sweep as sweep_rungs

    require(run, Form.BUNDLE)
    order = _order(run, out, records, photos, target, count, threads, int8_frames, fit, miss)
    make_folder(out / "sweep")
    found = sweep_rungs(order, lambda text: typer.echo(f"sweep: {text}", err=True))
    _, workload = read_workload(records / "val.jsonl", photos)
    settings: dict[str, Setting] = {"count": count, "target": str(target), "fit": fit, "miss": miss}
    report = new_report(
        "sweep",
        command_words(ctx),
        found.shown,
        workload,
        threads,
        settings,
        (found.table(),),
        (found.plot(),),
        found.notes(),
    )
    write_report(report, out / "sweep")
    if found.recommended is None:
        raise typer.Exit(NOT_PROVED)


def _order(
    run: Path,
    out: Path,
    records: Path,
    photos: Path,
    target: Target,
    count: int,
    threads: int,
    int8_frames: int,
    fit: str,
    miss: float | None,
) -> "Order":
    from .order import Order
    from .trained import RunFolder

    fitted = list_of(fit)
    if not fitted:
        raise UsageError("expected en, ja or both in --fit, got none; thresholds need validation notes")
    return Order(
        RunFolder(run),
        out,
        records,
        photos,
        VERSION,
        count=count,
        threads=threads,
        int8_frames=int8_frames,
        fit=fitted,
        target=target,
        miss=miss,
    )


def quantize(
    source: Annotated[
        Path, typer.Argument(help="Folder with vision.onnx from `onnx`, an ONNX graph, or a GGUF file (F16).")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for a file each rung, and quantize.json.")],
    frames: Annotated[
        Path | None, typer.Option(help="Folder with real pictures, for int8-static and for the errors.")
    ] = None,
    rung: Annotated[
        list[str] | None, typer.Option(help="fp16, int8-dynamic ... or Q8_0, Q4_K_M ...; several. Else all.")
    ] = None,
    target: Annotated[Target | None, typer.Option(help="The rungs for this board alone.")] = None,
    threads: Threads = 2,
) -> None:
    """The rungs of one file: what it may be stored as, and what that costs. Vision and language apart."""
    from .ladder import make_ladder

    file = source / "vision.onnx" if source.is_dir() else source
    found = make_ladder(file, out, rung or [], target, frames, threads)
    write_numbers(found, out / "quantize.json")
