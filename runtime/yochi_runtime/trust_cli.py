"""`yochi bundle trust`: the public keys whose bundles this box judges with."""

from pathlib import Path
from typing import Annotated

import typer

from .command_line import show_details

trust_app = typer.Typer(help="The public keys whose bundles this box judges with.", rich_markup_mode=None)

Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


@trust_app.command()
def add(
    keyfile: Annotated[
        Path, typer.Argument(help="A .pub file of `yochi-export keygen`.", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="What to call it (default: the file's name).")] = None,
    debug: Debug = False,
) -> None:
    """Believe bundles signed by this key. With its first key a box refuses all that is not signed."""
    from .trust_store import add_key

    _set_up(debug)
    chosen, key = add_key(keyfile, name)
    typer.echo(f"{chosen}: {key}, trusted from now on")


@trust_app.command("list")
def list_keys(debug: Debug = False) -> None:
    """Every trusted key: its name, then the key in hexadecimal."""
    from .trust_store import store_folder, trusted_keys

    _set_up(debug)
    keys = trusted_keys()
    for name, key in keys.items():
        typer.echo(f"{name}: {key.public}")
    if not keys:
        typer.echo(f"no key in {store_folder()}: only the shipped bundle gives verdicts")


@trust_app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Its name, or how the key begins.", show_default=False)],
    debug: Debug = False,
) -> None:
    """Believe bundles signed by this key no longer; a judge that is running goes on until it is restarted."""
    from .trust_store import remove_key

    _set_up(debug)
    removed, key = remove_key(name)
    typer.echo(f"{removed}: {key}, no longer trusted")


def _set_up(debug: bool) -> None:
    if debug:
        show_details()
