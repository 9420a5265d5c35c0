"""`yochi-train`: packs, records, scenes, sft, rlaif, arms, merge, evaluate. Thin: a command is one call.

Exit 0: done. 2: called wrongly, one line on stderr. 3: a bundle or the base model cannot be used. 1: a fault,
or records that are not all good. 130: interrupted.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.command_line import run_app, show_details
from yochi_runtime.errors import UsageError

from .convert.cli import PackFolder, convert_app
from .grammar import LANGS, Lang
from .records import COMBINATIONS, PACK_NOTES
from .scenes.cli import scenes_app

# torch and transformers take a while to load: modules that need them are imported where they are used.

app = typer.Typer(
    help="Make training records and scenes, fine-tune yochi-nano, and score a bundle.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
records_app = typer.Typer(
    help="Training records: pairs of pictures and notes with known truth.", rich_markup_mode=None
)
records_app.add_typer(convert_app)  # without a name: its commands are ours
app.add_typer(records_app, name="records")
app.add_typer(scenes_app, name="scenes")
packs_app = typer.Typer(help="Taxonomy packs: the factors that are judged.", rich_markup_mode=None)
app.add_typer(packs_app, name="packs")

Seed = Annotated[int, typer.Option(help="Seed of every draw.")]


@app.callback()
def _root(debug: Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")] = False) -> None:
    """Make training records and scenes, fine-tune yochi-nano, and score a bundle."""
    if debug:
        show_details()


@records_app.callback()
def _records() -> None:
    """Training records: pairs of pictures and notes with known truth."""  # keeps `photos` a word of its own


@records_app.command("photos")
def records_photos(
    data: Annotated[Path, typer.Argument(help="Folder with photos.jsonl and its images.")],
    out: Annotated[Path, typer.Argument(help="New folder for pictures.jsonl, train.jsonl, val.jsonl.")],
    features: Annotated[
        Path | None, typer.Option(help="Cache of the encoder's features, for the trainer too (OUT/features).")
    ] = None,
    count: Annotated[
        int, typer.Option(help="Training records; for validation a sixth, 2,400 at most.")
    ] = 15000,
    narratives: Annotated[
        Path | None, typer.Option(help="Folder with accidents.en.jsonl, accidents.ja.jsonl.")
    ] = None,
    seed: Seed = 0,
    pack: PackFolder = None,
    curriculum: Annotated[
        bool, typer.Option(help="Few phrasings first; not for a run that goes on from another.")
    ] = True,
    languages: Annotated[
        str, typer.Option(help="What notes are written in; one that is named twice comes twice as often.")
    ] = "en,ja",
    combinations: Annotated[
        int,
        typer.Option(
            min=0,
            max=PACK_NOTES - 1,
            help=f"Notes of each {PACK_NOTES} that only the picture makes dangerous.",
        ),
    ] = COMBINATIONS,
) -> None:
    """Turn boxes into cues, make notes from the phrase grammar, split by near-duplicate group.

    A run that was killed is started again with the same words. card.json comes last: then all is there.
    """
    from .photo_records import make_records

    typer.echo(
        make_records(
            data,
            out,
            features or out / "features",
            count=count,
            narratives=narratives,
            seed=seed,
            pack_folder=pack,
            curriculum=curriculum,
            languages=_languages(languages),
            combinations=combinations,
        )
    )


@records_app.command("join")
def records_join(
    folders: Annotated[list[Path], typer.Argument(help="Folders with photos.jsonl, photos or scenes.")],
    out: Annotated[Path, typer.Argument(help="New folder, which links to them.")],
) -> None:
    """Make one folder of several, for `records photos`, `sft`, the export and `evaluate`."""
    from .join import join_photos

    typer.echo(join_photos(folders, out))


@records_app.command("observe")
def records_observe(
    pairs: Annotated[
        Path, typer.Argument(help='Pairs without truth (JSONL of {"id", "image", "note"}), or records.')
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted one goes on in it.")],
    teacher: Annotated[
        str,
        typer.Option(
            help="Base URL of an OpenAI-compatible endpoint (its key: YOCHI_TEACHER_KEY), `hf`: a model of "
            "transformers in this process, or `truth`: the slots that the records know."
        ),
    ],
    model: Annotated[str | None, typer.Option(help="The endpoint's model, or a hub id or folder.")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder the pictures are relative to (that of PAIRS).")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Pairs in flight at a time.")] = 1,
    per_minute: Annotated[
        float | None, typer.Option(help="At most so many requests a minute, of all workers together.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(help='US dollars for a million tokens, of question and answer: "2.5,10".')
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Ask from this Ray cluster (HOST:PORT, or `auto`), each worker a teacher of its own there, "
            "for `hf` on a GPU where there is one; its nodes need yochi.",
        ),
    ] = None,
    pack: PackFolder = None,
) -> None:
    """Let a teacher take pairs apart: picture alone, note alone, both; then confirm, filter and count."""
    from .cluster import cluster
    from .observe.remote import RemoteTeacher
    from .observe.report import read_price
    from .observe.run import choose_teacher, observe
    from .observe.teacher import Teacher
    from .packs import factors_file

    factors = factors_file(pack)
    share = per_minute / workers if per_minute and ray else per_minute  # on a cluster nobody counts for all
    make = choose_teacher(teacher, model, share, factors)
    cost = read_price(price) if price else None

    def told(chosen: Teacher) -> None:
        typer.echo(
            observe(pairs, out, chosen, pictures=photos, pack_file=factors, price=cost, workers=workers)
        )

    if ray is None:
        told(make())
        return
    with cluster(ray, workers) as nodes:
        told(RemoteTeacher(nodes, make, workers, gpus=min(nodes.gpus, 1) if teacher == "hf" else 0))


def _languages(words: str) -> tuple[Lang, ...]:
    found = tuple(lang for word in words.split(",") for lang in LANGS if lang == word)
    if set(words.split(",")) - set(LANGS) or len(found) > PACK_NOTES:
        raise UsageError(
            f"expected --languages out of {','.join(LANGS)}, {PACK_NOTES} at most, got {words!r}"
        )
    return found


@records_app.command("validate")
def records_validate(
    path: Annotated[Path, typer.Argument(help="Records file, or folder; pack.toml stands beside the rows.")],
    photos: Annotated[
        Path | None, typer.Option(help="Folder the images are relative to; without it none is looked at.")
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Move bad rows into quarantine/; the good ones stay.")
    ] = False,
    pack: PackFolder = None,
) -> None:
    """Report every bad row, and what training shares with validation and test. Exit 1 where there is any."""
    from .validate import validate

    report = validate(path, photos, keep_going, typer.echo, pack)
    typer.echo(report.line())
    if not report.passed:
        raise typer.Exit(1)


@records_app.command("stats")
def records_stats(
    folder: Annotated[Path, typer.Argument(help="Folder with records and their pack.toml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Every count as one JSON object instead.")] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", help="Also write the data card as a page with plots, in one file."),
    ] = None,
) -> None:
    """Count records by source, category, cell and language, and say whether they are balanced."""
    from .stats import count_folder
    from .stats_page import write_page

    counts = count_folder(folder)
    if page is not None:
        write_page(counts, folder, page)
    typer.echo(json.dumps(counts.as_json(), ensure_ascii=False) if as_json else counts.text())


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
    from .base_model import load_tokenizer
    from .pack_report import pack_report

    typer.echo(pack_report(folder, load_tokenizer()))


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
    from .settings import SftSettings, read_settings
    from .sft import train

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
    from .rlaif.run import improve
    from .rlaif.settings import RlaifSettings
    from .settings import read_settings

    chosen = read_settings(settings, RlaifSettings)
    model = open_model(chosen)
    if dry_run:
        from .rlaif.plan import plan

        typer.echo(plan(chosen, model, out))
    else:
        typer.echo(improve(chosen, model, out))


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
