"""`unskew remedies`: which cures for imbalance there are, and what each can be told."""

from __future__ import annotations

from typing import Annotated

import typer

from unskew.cli.console import print_json, stdout
from unskew.cli.plugins import Plugins

app = typer.Typer(
    help="List cures for imbalance, or read about one.\n\nExample: unskew remedies show ldam",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("list")
def list_remedies(plugin: Plugins = None, as_json: Json = False) -> None:
    """List the remedies; several are joined by +, as in cutmix+balanced_softmax.

    Example: unskew remedies list
    """
    from unskew.plugins import use_plugins
    from unskew.remedies.registry import description, names

    use_plugins(plugin or [])
    described = {name: description(name) for name in names()}
    if as_json:
        print_json(described)
        return
    from rich.table import Table

    table = Table("remedy", "what it does", box=None, pad_edge=False)
    for name, text in described.items():
        table.add_row(f"[bold]{name}[/]", text)
    stdout().print(table, soft_wrap=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name from `unskew remedies list`.")],
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Print a remedy's formula, source and options with their defaults.

    Example: unskew remedies show ldam
    """
    import inspect
    from dataclasses import fields

    from unskew.plugins import use_plugins
    from unskew.remedies.registry import remedy_class

    use_plugins(plugin or [])
    kind = remedy_class(name)
    text = inspect.getdoc(kind) or ""
    defaults = {option.name: option.default for option in fields(kind)}
    if as_json:
        print_json({"name": name, "text": text, "options": defaults})
        return
    console = stdout()
    console.print(text, markup=False, highlight=False)
    for option, default in defaults.items():
        console.print(f"--remedy-option {name}.{option}={default}", markup=False, highlight=False)
