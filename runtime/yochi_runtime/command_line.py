"""How every command of Yochi ends: one line on stderr for what went wrong, and the right exit code.

0 done; 1 unexpected; 2 called wrongly; 3 cannot judge (the picture, the note, the bundle, an engine); 130
interrupted. A traceback only with --debug.
"""

import logging
import sys

import typer

from .errors import CannotJudge, UsageError

_PACKAGE_LOG = logging.getLogger("yochi_runtime")
_LOG = _PACKAGE_LOG.getChild("command_line")


def run_app(app: typer.Typer, name: str, arguments: list[str]) -> int:
    """Run one command line of `app`, which is called `name`; its exit code."""
    try:
        return _run(app, name, arguments)
    finally:
        for handler in tuple(_PACKAGE_LOG.handlers):
            _PACKAGE_LOG.removeHandler(handler)
        _PACKAGE_LOG.setLevel(logging.NOTSET)


def show_details() -> None:
    """For --debug: tracebacks and what the engines say, on stderr, until the command ends."""
    _PACKAGE_LOG.addHandler(logging.StreamHandler(sys.stderr))
    _PACKAGE_LOG.setLevel(logging.DEBUG)


def _run(app: typer.Typer, name: str, arguments: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks Japanese shows escapes instead of an error
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=arguments, prog_name=name, standalone_mode=False)
    except typer.TyperException as e:
        return _fail(name, f"{e.format_message()} See: {name} --help", 2)
    except UsageError as e:
        return _fail(name, str(e), 2, e)
    except CannotJudge as e:
        return _fail(name, f"{e} ({e.reason})", 3, e)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as e:  # noqa: BLE001 -- the last line of defence: a line instead of a traceback
        return _fail(name, f"unexpected {type(e).__name__}: {e}; report it with the output of --debug", 1, e)
    return _fail(name, "interrupted", 130) if code == 130 else int(code or 0)


def _fail(name: str, message: str, code: int, cause: BaseException | None = None) -> int:
    _LOG.debug("the command failed", exc_info=cause)
    typer.echo(f"{name}: {' '.join(message.split())}", err=True)
    return code
