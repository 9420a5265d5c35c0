"""`yochi-train`: packs, records, scenes, sft, rlaif, explain, arms, merge, evaluate. Thin: one call each.

Exit 0: done. 2: called wrongly, one line on stderr. 3: a bundle or the base model cannot be used. 1: a fault,
or records that are not all good. 130: interrupted.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.command_line import run_app, show_details

from .convert.cli import PackFolder
from .records_cli import Seed, records_app
from .scenes.cli import scenes_app

# torch and transformers take a while to load: modules that need them are imported where they are used.

app = typer.Typer(
    help="Make training records and scenes, fine-tune yochi-nano, and score a bundle.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(records_app, name="records")
app.add_typer(scenes_app, name="scenes")
packs_app = typer.Typer(help="Taxonomy packs: the factors that are judged.", rich_markup_mode=None)
app.add_typer(packs_app, name="packs")


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")] = False) -> None:
    """Make training records and scenes, fine-tune yochi-nano, and score a bundle."""
    if debug:
        show_details()


@packs_app.callback()
def _packs() -> None:
    """Taxonomy packs: the factors that are judged."""


@packs_app.command("check")
def packs_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of the pack; the factory pack if not given.")
    ] = None,
) -> None:
    """Read a pack and its words; show what it costs the prompt and how many templates teach each factor."""
    from yochi_runtime.base import NANO_BASE, find_base

    from .base_model import base_tokenizer, read_base
    from .pack_report import pack_report

    typer.echo(pack_report(folder, base_tokenizer(read_base(find_base(NANO_BASE)))))


@app.command()
def sft(
    settings: Annotated[
        Path, typer.Argument(help="Settings of the run (TOML); yochi_train/settings.py has them all.")
    ],
    out: Annotated[Path, typer.Argument(help="Run folder; an interrupted run goes on in it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what the run would do and cost; nothing is written.")
    ] = False,
) -> None:
    """Fine-tune the slot readout of yochi-nano or a vision-language model on records and their pack."""
    from .open_model import open_model
    from .processes import Processes
    from .settings import SftSettings, read_settings
    from .sft import train

    Processes.launched()  # before the model is opened: it takes the GPU of its process
    chosen = read_settings(settings, SftSettings)
    model = open_model(chosen)
    if dry_run:
        from .plan import plan

        typer.echo(plan(chosen, model, out))
    else:
        typer.echo(f"model: {train(chosen, model, out)}")


@app.command()
def rlaif(
    settings: Annotated[
        Path, typer.Argument(help="Settings of the run (TOML); yochi_train/rlaif/settings.py has them all.")
    ],
    out: Annotated[Path, typer.Argument(help="Run folder; an interrupted run goes on in it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what the run would do and cost; nothing is written.")
    ] = False,
) -> None:
    """Improve a finished run in rounds: its drawn answers, the best against the worst (DPO), or GRPO."""
    from .open_model import open_model
    from .processes import refuse_several
    from .rlaif.run import improve
    from .rlaif.settings import RlaifSettings
    from .settings import read_settings

    refuse_several("rlaif")
    chosen = read_settings(settings, RlaifSettings)
    model = open_model(chosen)
    if dry_run:
        from .rlaif.plan import plan

        typer.echo(plan(chosen, model, out))
    else:
        typer.echo(improve(chosen, model, out))


@app.command()
def explain(
    settings: Annotated[
        Path, typer.Argument(help="Settings (TOML), as of `sft`: ExplainSettings in yochi_train/settings.py.")
    ],
    out: Annotated[Path, typer.Argument(help="Run folder; an interrupted run goes on in it.")],
) -> None:
    """Teach a finished run of yochi-nano to explain its verdicts, which stay what they are to the bit."""
    from .explain import explain as teach
    from .open_model import open_model
    from .settings import ExplainSettings, read_settings

    chosen = read_settings(settings, ExplainSettings)
    typer.echo(teach(chosen, open_model(chosen), out))


@app.command()
def arms(
    settings: Annotated[Path, typer.Argument(help="Settings of the runs (TOML), as of `rlaif`.")],
    out: Annotated[Path, typer.Argument(help="Folder of all runs; an interrupted one goes on in it.")],
    seeds: Annotated[str, typer.Option(help="Seeds of every arm.")] = "0,1,2",
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples.")] = 2000,
) -> None:
    """Compare ways to learn from the same start, data, steps and seeds; paired intervals against more SFT.

    Self-feedback, the same without disentangling, by OS alone, by GS alone; truth as critic; GRPO; SFT.
    """
    from .open_model import open_model
    from .rlaif.arms import compare, read_seeds
    from .rlaif.settings import RlaifSettings
    from .settings import read_settings

    chosen = read_settings(settings, RlaifSettings)
    typer.echo(compare(chosen, open_model, read_seeds(seeds), resamples, out))


@app.command("merge")
def merge_run(
    run: Annotated[Path, typer.Argument(help="Finished run on a vision-language model.")],
    model: Annotated[str, typer.Argument(help="The model it was trained on: a hub id or a folder.")],
    out: Annotated[Path, typer.Argument(help="New folder for the merged model.")],
) -> None:
    """Add a run's LoRA to its model's weights: a folder that transformers opens like any other."""
    from .vlm.merge import merge

    typer.echo(f"model: {merge(run, model, out)}")


@app.command("average")
def average_runs(
    first: Annotated[Path, typer.Argument(help="Finished run.")],
    second: Annotated[Path, typer.Argument(help="Finished run that went on from it.")],
    out: Annotated[Path, typer.Argument(help="Folder of the averaged run.")],
) -> None:
    """Average the weights of two runs: keeps most of what each is better at."""
    from .average import average

    typer.echo(f"model: {average(first, second, out)}")


@app.command("refit")
def refit_heads(
    run: Annotated[Path, typer.Argument(help="Finished run.")],
    records: Annotated[Path, typer.Argument(help="Folder from `records photos`: its pictures and its pack.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run with new heads.")],
    photos: Annotated[Path, typer.Option(help="Folder the pictures are relative to.")],
    features: Annotated[Path, typer.Option(help="Cache of the encoder's features.")],
    seed: Seed = 0,
) -> None:
    """Fit a run's cue heads to other pictures, and to cues that its pack has gained."""
    from .assemble import assemble
    from .packs import factors_file
    from .refit import refit

    model, processor = assemble(factors_file(records))
    typer.echo(f"model: {refit(model, processor, run, records, photos, features, out, seed)}")


@app.command("tune")
def tune_vision(
    run: Annotated[Path, typer.Argument(help="Finished run of yochi-nano.")],
    records: Annotated[Path, typer.Argument(help="Folder from `records photos`: its training pictures.")],
    out: Annotated[Path, typer.Argument(help="Folder of the tuned run; an interrupted one goes on in it.")],
    photos: Annotated[Path, typer.Option(help="Folder the pictures are relative to.")],
    epochs: Annotated[int, typer.Option(min=1, help="Times that every picture is shown.")] = 4,
    seed: Seed = 0,
) -> None:
    """Open the last stages of a run's encoder, and teach them what its pictures show."""
    from .tune import tune

    typer.echo(f"model: {tune(run, records, photos, out, seed, epochs)}")


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Bundle to score, on the box's own runtime.")],
    records: Annotated[Path, typer.Argument(help="Folder from `records photos`: its test split is used.")],
    out: Annotated[Path, typer.Argument(help="Folder for evaluation.json and evaluation.md.")],
    photos: Annotated[Path, typer.Option(help="Folder the pictures are relative to.")],
    features: Annotated[Path, typer.Option(help="Cache of encoder features, for the linear probe.")],
    pack: PackFolder = None,
    seed: Seed = 0,
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples.")] = 2000,
    per_set: Annotated[
        int | None, typer.Option(min=4, help="At most so many records of each set, and pictures: to try it.")
    ] = None,
) -> None:
    """Score cues, notes, verdicts and combinations on held-out pictures and hand-written notes."""
    from .evaluate import evaluate_bundle

    text = evaluate_bundle(
        bundle,
        records,
        out,
        photos,
        features,
        seed=seed,
        resamples=resamples,
        per_set=per_set,
        pack_folder=pack,
    )
    typer.echo(text)


def main() -> None:
    """The entry point `yochi-train`."""
    sys.exit(run_app(app, "yochi-train", sys.argv[1:]))
