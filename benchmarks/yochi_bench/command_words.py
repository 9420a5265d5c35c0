"""The command line that made a report, as it can be typed again: every option with the value that held."""

import shlex
from collections.abc import Iterator

import typer

NOT_PART = {"--debug"}  # changes nothing that is measured


def command_words(context: typer.Context) -> str:
    """Of the command that runs in `context`; options that have no value are left out."""
    return shlex.join([*context.command_path.split(), *_words(context)])


def _words(context: typer.Context) -> Iterator[str]:
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        option = parameter.opts[0]
        if value is None or value is False or option in NOT_PART:
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            if not option.startswith("-"):
                yield str(one)
            elif one is True:
                yield option
            else:
                yield from (option, str(one))
