"""`yochi-train records`: make records, let a teacher take pairs apart, check, count. Thin: one call each."""

import json
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.errors import UsageError

from .convert.cli import PackFolder, convert_app
from .grammar import LANGS, Lang
from .records import COMBINATIONS, PACK_NOTES

# torch and transformers take a while to load: modules that need them are imported where they are used.

records_app = typer.Typer(
    help="Training records: pairs of pictures and notes with known truth.", rich_markup_mode=None
)
records_app.add_typer(convert_app)  # without a name: its commands are ours

Seed = Annotated[int, typer.Option(help="Seed of every draw.")]


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


@records_app.command("from-feedback")
def records_from_feedback(
    audit_db: Annotated[Path, typer.Argument(help="Audit log of a box, its kept pictures beside it.")],
    out: Annotated[
        Path, typer.Argument(help="Folder for review.csv and review.html, or new folder for the records.")
    ],
    review: Annotated[
        bool, typer.Option("--review", help="First: write what a person has to sign, and nothing else.")
    ] = False,
    signed: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Then: review.csv, filled in and signed.")
    ] = None,
    onto: Annotated[
        Path | None, typer.Option(metavar="RECORDS", help="Records that the new ones come behind.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="Folder that the pictures of --onto are in.")] = None,
    pack: PackFolder = None,
) -> None:
    """Turn what people said of judgements into records and preference pairs, once a person has signed them.

    The folder is both `records` and `photos` of `sft` and `rlaif`, whose setting `feedback` takes the pairs.
    """
    from .feedback.run import build_signed, write_review_of

    if review == (signed is not None):
        raise UsageError("expected --review or --signed CSV, got both or none; --review comes first")
    if signed is None:
        typer.echo(write_review_of(audit_db, out, onto or pack))
    else:
        typer.echo(build_signed(audit_db, signed, out, onto, photos, pack))


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
