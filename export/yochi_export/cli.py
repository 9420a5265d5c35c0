"""`yochi-export`: a training run becomes a bundle. Thin: every command is one call into the package.

Exit 0: done. 4: the bundle is not proved to be the model that was trained. 2: called wrongly, one line on
stderr. 3: the bundle, the base model or an engine fails. 1: a fault. 130: interrupted.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from yochi_runtime.command_line import run_app, show_details
from yochi_runtime.errors import UsageError

from .export_commands import all_command, quantize, sweep
from .families import Family, Form
from .options import (
    NOT_PROVED,
    VERSION,
    BundleFolder,
    Checkpoint,
    Count,
    Evaluation,
    Languages,
    Miss,
    Photos,
    Records,
    Run,
    Threads,
)
from .options import list_of as _list
from .options import shown_line as _line
from .options import write_numbers as _print

if TYPE_CHECKING:
    from yochi_runtime.bundle import Bundle
    from yochi_runtime.record import Record

    from .parity import Parity

# torch, transformers and the engines take a while to load: imported where they are used.

app = typer.Typer(
    help="Export a training run: ONNX, GGUF, quantization, calibration, parity, bundle.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
LlamaCpp = Annotated[
    Path | None, typer.Option(help="Checkout of llama.cpp to convert with (default: brought by pip, once).")
]


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback on errors.")] = False,
) -> None:
    """Export a training run: ONNX, GGUF, quantization, calibration, parity, bundle."""
    if debug:
        show_details()


@app.command("onnx")
def onnx_command(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Argument(help="Folder for vision.onnx, or for the three files.")],
    half: Annotated[
        bool, typer.Option("--half", help="Of three files: a second set with float16 storage.")
    ] = False,
) -> None:
    """A run of yochi-nano: its vision tower as one ONNX graph, batch norms folded. Another vision-language
    model: three graphs with settings and tokenizer, as Transformers.js loads them, compared with torch.
    """
    from .doctor import examine, require

    if examine(checkpoint).family is Family.NANO:
        from .trained import RunFolder
        from .vision import export_vision

        if half:
            raise UsageError(
                "expected --half with another model than yochi-nano; of its graph: yochi-export quantize"
            )
        require(checkpoint, Form.BUNDLE)
        export_vision(RunFolder(checkpoint).tower(), out / "vision.onnx")
        typer.echo(f"{out / 'vision.onnx'}: {(out / 'vision.onnx').stat().st_size} bytes")
        return
    from .three_files.export import export_three_files

    require(checkpoint, Form.ONNX)
    report = export_three_files(checkpoint, out, lambda text: typer.echo(f"onnx: {text}", err=True), half)
    typer.echo(json.dumps(report["storage"], indent=1, sort_keys=True))


@app.command()
def gguf(
    checkpoint: Annotated[
        Path, typer.Argument(help="Folder in Hugging Face's form, such as `yochi-train merge` writes.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the export; a killed one goes on in it.")],
    precision: Annotated[str, typer.Option(help="f16, or f32 where differences are looked for.")] = "f16",
    llama_cpp: LlamaCpp = None,
) -> None:
    """Write GGUF and mmproj for llama-server, LM Studio, Ollama, by upstream's own converter."""
    from .stock.folder import STOCK, Precision, make_stock

    if precision not in list(Precision):
        raise UsageError(f"expected {' or '.join(Precision)} in --precision, got {precision!r}")
    chosen = Precision(precision)
    made = make_stock(checkpoint, out, chosen, llama_cpp, lambda text: typer.echo(f"gguf: {text}", err=True))
    for name, entry in made.files.items():
        typer.echo(f"{out / name}: {entry.bytes} bytes")
    if made.blind:
        typer.echo(f"no mmproj: {made.blind}")
    typer.echo(f"{out / STOCK}: not proved yet, run: yochi-export parity {checkpoint} {out} RECORDS ...")


@app.command()
def lora(
    run: Run, out: Annotated[Path, typer.Argument(help="Folder for lora.gguf and explain.gguf.")]
) -> None:
    """Write a run's LoRA as GGUF for the base language model, and that of its explanations."""
    from yochi_runtime.base import NANO_BASE, find_base
    from yochi_runtime.bundle import EXPLAIN, LORA

    from .lora import write_lora
    from .trained import RunFolder

    out.mkdir(parents=True, exist_ok=True)
    opened = RunFolder(run)
    for adapter, name in ((opened.adapter, LORA), (opened.explain, EXPLAIN)):
        if adapter is not None:
            write_lora(adapter, find_base(NANO_BASE), out / name)
            typer.echo(f"{out / name}: {(out / name).stat().st_size} bytes")


@app.command()
def calibrate(
    bundle: BundleFolder,
    records: Records,
    photos: Photos,
    out: Annotated[Path, typer.Option(help="Folder for calibration.json, reliability.html and the answers.")],
    miss: Miss = None,
    threads: Threads = 2,
) -> None:
    """Fit temperatures, biases and thresholds on the validation records, on the box's own engines."""
    from yochi_runtime.bundle import CALIBRATION, open_bundle

    from .answering import calibrate_bundle

    opened = open_bundle(bundle)
    found = calibrate_bundle(opened, records, photos, out, threads, miss)
    (out / CALIBRATION).write_text(found.calibration.text(), encoding="utf-8")
    tested = {"test": found.calibration.test.model_dump()} if found.calibration.test else {}
    typer.echo(json.dumps(found.chosen.rates | tested, indent=1))


@app.command()
def parity(
    run: Run,
    bundle: BundleFolder,
    records: Records,
    photos: Photos,
    out: Annotated[Path, typer.Option(help="Folder for parity.json and the answers.")],
    count: Count = 500,
    threads: Threads = 2,
) -> None:
    """Compare a bundle with torch: stage by stage, then record by record. Exit 4 unless it passes.

    Where a stage differs (prompt ids, pixels, vision embeddings, cue scores, slot logits) it says which, and
    no records are judged. A folder of `gguf`, or its bundle, is compared with its checkpoint as RUN; the
    folder stage by stage alone.
    """
    from yochi_runtime.bundle import Kind, open_bundle

    from .answering import compare_bundle, compare_layers, validation_records
    from .parity import layers_alone, to_compare, unlike
    from .stock.folder import STOCK
    from .stock.parity import Exported, compare_stock, open_slots
    from .stock.proof import compare_stock_bundle
    from .trained import RunFolder

    known = validation_records(records)
    asked = [known[i] for i in to_compare(known, count)]
    if (bundle / STOCK).is_file():
        slots = open_slots(run, bundle)
        stages = compare_stock(slots, Exported.of_folder(bundle, slots.pack), asked, photos, threads)
        _print(layers_alone(stages), out / "parity.json")
        if not stages.passed:
            typer.echo(f"yochi-export: the GGUF differs from torch at: {stages.address}", err=True)
            raise typer.Exit(NOT_PROVED)
        return
    opened = open_bundle(bundle)
    judgements: Callable[[Bundle, Sequence[Record], Path, Path, int], Parity]
    if opened.manifest.kind is Kind.STOCK:
        slots = open_slots(run, bundle)
        layers = compare_stock(slots, Exported.of_bundle(opened), asked, photos, threads)
        judgements = partial(compare_stock_bundle, slots)
    else:
        trained = RunFolder(run)
        layers = compare_layers(trained, opened, asked, photos, threads)
        judgements = partial(compare_bundle, trained)
    if not layers.passed:
        _print(unlike(layers), out / "parity.json")
        typer.echo(f"yochi-export: the bundle differs from torch at: {layers.address}", err=True)
        raise typer.Exit(NOT_PROVED)
    found = replace(judgements(opened, asked, photos, out, threads), layers=layers)
    _print(found.as_json(), out / "parity.json")
    if not found.passed:
        raise typer.Exit(NOT_PROVED)


@app.command("compare")
def compare_command(
    a: Annotated[Path, typer.Argument(help="Bundle folder: what was.")],
    b: Annotated[Path, typer.Argument(help="Bundle folder: what is to come.")],
    records: Records,
    photos: Photos,
    out: Annotated[Path, typer.Option(help="Folder for compare.json and the answers.")],
    count: Annotated[int, typer.Option(min=1, help="Records to compare.")] = 500,
    threads: Threads = 2,
) -> None:
    """Two bundles on the same records: verdicts that flip, risks that drift, misses, size."""
    from yochi_runtime.bundle import open_bundle

    from .answering import validation_records
    from .comparison import compare_bundles, render
    from .parity import spread

    first, second = open_bundle(a), open_bundle(b)
    known = validation_records(records)
    asked = [known[i] for i in spread(len(known), count)]
    found = compare_bundles(first, second, asked, photos, out, threads)
    typer.echo(render(found))
    _print(found.as_json(), out / "compare.json")


@app.command()
def doctor(
    checkpoint: Checkpoint,
    form: Annotated[
        Form | None, typer.Option(help="Refuse, with the reason, if this cannot be made.")
    ] = None,
    llama_cpp: LlamaCpp = None,
) -> None:
    """What a checkpoint is, and what can be made of it. Exit 2 where that is nothing, or not FORM."""
    from .doctor import examine, render, require

    found = examine(checkpoint, llama_cpp)
    typer.echo(render(found))
    require(checkpoint, form, llama_cpp)


@app.command()
def pack(
    bundle: BundleFolder,
    out: Annotated[Path, typer.Argument(help="Folder of the new bundle.")],
    calibration: Annotated[Path | None, typer.Option(help="calibration.json of `calibrate`.")] = None,
    parity_file: Annotated[Path | None, typer.Option("--parity", help="parity.json of `parity`.")] = None,
    evaluation: Evaluation = None,
    languages: Languages = None,
    card: Annotated[Path | None, typer.Option(help="Model card instead of the rendered one.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the bundle (default: as it is).")] = None,
    explain: Annotated[
        Path | None, typer.Option(help="explain.gguf of `lora`, taught from this bundle's weights.")
    ] = None,
) -> None:
    """Write a bundle again with another calibration, proof, evaluation, list of languages, card, or LoRA of
    its explanations; or, out of a folder of `gguf`, for the first time.
    """
    from yochi_runtime.bundle import open_bundle

    from .pack import parts_of
    from .repack import Changes, repack
    from .stock.bundle import parts_of_stock
    from .stock.folder import STOCK

    stock = (bundle / STOCK).is_file()
    parts = parts_of_stock(bundle, VERSION) if stock else parts_of(open_bundle(bundle))
    changes = Changes(calibration, parity_file, evaluation, _list(languages), card, version, explain)
    typer.echo(_line(repack(parts, out, changes)))


@app.command()
def unpack(
    bundle: BundleFolder,
    out: Annotated[Path, typer.Argument(help="New run folder, for `start` in the settings of a training.")],
) -> None:
    """Take a bundle's weights out again, so that a training can go on from it."""
    from yochi_runtime.base import find_base
    from yochi_runtime.bundle import open_bundle

    from .unpack import unpack as unpack_bundle

    opened = open_bundle(bundle)
    typer.echo(unpack_bundle(opened, find_base(opened.manifest.base), out))


@app.command()
def keygen(
    keyfile: Annotated[Path, typer.Argument(help="Where to put the new private key.", show_default=False)],
) -> None:
    """Make a key that signs bundles: KEYFILE, for its owner only, and KEYFILE.pub for the boxes."""
    from .sign import new_key

    public, beside = new_key(keyfile)
    typer.echo(f"{keyfile}: private key, keep it off the boxes\n{beside}: public key {public}")


@app.command()
def sign(
    bundle: BundleFolder,
    key: Annotated[Path, typer.Option(metavar="KEYFILE", help="Of `keygen`.", show_default=False)],
) -> None:
    """Sign a proved bundle, in place of the signature it has; boxes that trust the key judge with it."""
    from yochi_runtime.bundle import open_bundle

    from .sign import sign as sign_bundle

    opened = open_bundle(bundle)
    file, public = sign_bundle(opened, key)
    typer.echo(f"{file}: manifest {opened.sha256}, signed by {public}")


@app.command()
def ship(bundle: BundleFolder) -> None:
    """Make a bundle the one that comes with this source, and pin its hash."""
    from yochi_runtime.bundle import open_bundle

    from .pack import ship as ship_bundle

    opened = open_bundle(bundle)
    typer.echo(f"{ship_bundle(opened)}: {_line(opened)}")


app.command("all")(all_command)
app.command()(quantize)
app.command()(sweep)


def main() -> None:
    """The entry point `yochi-export`."""
    sys.exit(command(sys.argv[1:]))


def command(arguments: list[str]) -> int:
    """Run one command line; its exit code."""
    return run_app(app, "yochi-export", arguments)


if __name__ == "__main__":
    main()
