"""`yochi rules`: check, test and explain the plant's rulebook."""

from pathlib import Path
from typing import Annotated

import typer

from .bundle import open_bundle
from .command_line import show_details
from .errors import UsageError
from .installed import default_bundle
from .rule_file import pack_of, read_rules
from .rule_findings import findings
from .rule_words import explain as in_words
from .spelling import did_you_mean
from .wording import Lang, display_language

rules_app = typer.Typer(help="Check, test and explain the plant's rulebook.", rich_markup_mode=None)

RulesFile = Annotated[Path, typer.Argument(metavar="FILE", help="The rulebook (TOML).", show_default=False)]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="Bundle that will judge instead of this box's.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


@rules_app.command()
def check(file: RulesFile, bundle: BundleOption = None, debug: Debug = False) -> None:
    """Read FILE, hold its examples against its rules, and look for rules that do nothing.

    A line for each failing example, conflict, duplicate, and unreachable or shadowed rule, and then exit 2.
    """
    _set_up(debug)
    opened = open_bundle(bundle or default_bundle())
    rules = read_rules(file, opened.pack)
    found = findings(rules, opened.not_trained())
    for line in found:
        typer.echo(line)
    if found:
        raise UsageError(
            f"{file}: expected a rulebook without findings, got {len(found)}; mend what is listed"
        )
    book = rules.book
    typer.echo(
        f"rulebook {book.id} {book.version}: {len(book.rule)} rules, {len(book.example)} examples hold, "
        "nothing found"
    )


@rules_app.command("test")
def run_examples(file: RulesFile, bundle: BundleOption = None, debug: Debug = False) -> None:
    """Run the examples of FILE, one line each; exit 2 if one does not hold."""
    _set_up(debug)
    runs = read_rules(file, pack_of(bundle)).runs
    for run in runs:
        came = run.came if run.holds else f"expected {run.expected}, got {run.came}"
        typer.echo(f"{'ok  ' if run.holds else 'FAIL'} {run.example.name}: {came}")
    failed = sum(not run.holds for run in runs)
    if failed or not runs:
        what = f"{failed} of {len(runs)} that fail" if failed else "none"
        raise UsageError(f"{file}: expected examples that hold, got {what}; mend the rules or the examples")


@rules_app.command()
def explain(
    file: RulesFile,
    clause: Annotated[str, typer.Argument(metavar="ID", help="The rule's clause id.", show_default=False)],
    bundle: BundleOption = None,
    lang: Annotated[Lang | None, typer.Option(help="Language of the text (default: LANG's).")] = None,
    debug: Debug = False,
) -> None:
    """Say in plain words what the rule ID of FILE asks for and what it does."""
    _set_up(debug)
    rules = read_rules(file, pack_of(bundle))
    found = next((rule for rule in rules.book.rule if rule.id == clause), None)
    if found is None:
        known = [rule.id for rule in rules.book.rule]
        raise UsageError(f"{file}: unknown clause {clause!r}{did_you_mean(clause, known)}")
    typer.echo(in_words(rules, found, display_language(lang)))


def _set_up(debug: bool) -> None:
    if debug:
        show_details()
