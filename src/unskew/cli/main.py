"""`unskew`: the verbs, and how mistakes are told.

Nothing heavy is imported here: a verb imports what it needs when it runs, so `--help` is quick.
"""

from __future__ import annotations

import sys

import typer

from unskew import __version__
from unskew.cli import data, models, rank, remedies, report, study, train
from unskew.cli.console import complain, take_any_text
from unskew.errors import UserError

app = typer.Typer(
    name="unskew",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("study")(study.study)
app.command("train")(train.train)
app.command("report")(report.report)
app.command("rank")(rank.rank)
app.add_typer(models.app, name="models")
app.add_typer(remedies.app, name="remedies")
app.add_typer(data.app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"unskew {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Train image classifiers when some classes have few images, and tell honestly what helped.

    Examples:

        unskew study coursework --seeds 3

        unskew train --data digits --skew step:0-4:0.1 --remedy balanced_softmax
    """


def main() -> None:
    """Run the command line; a user's mistake is one sentence on standard error and exit code 2.

    A reader of our output that leaves (head, less) is no mistake: see `console`.
    """
    take_any_text()
    try:
        app()
    except UserError as error:
        complain("unskew", str(error))
        sys.exit(2)
    except OSError as error:
        # Whatever the system refuses that nobody below has put into words: a folder of somebody
        # else's, a name that is too long.
        where = f"{error.filename}: " if error.filename else ""
        complain("unskew", f"{where}{error.strerror or error}")
        sys.exit(2)
