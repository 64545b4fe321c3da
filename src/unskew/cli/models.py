"""`unskew models`: which networks there are and what each looks like."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from unskew.cli.console import print_json, stdout
from unskew.cli.plugins import Plugins

app = typer.Typer(
    help="List networks, or draw one.\n\nExample: unskew models show cnn", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_models(plugin: Plugins = None, as_json: Json = False) -> None:
    """List the networks and what each is.

    Example: unskew models list
    """
    from unskew.models.registry import description, names
    from unskew.plugins import use_plugins

    use_plugins(plugin or [])
    described = {name: description(name) for name in names()}
    if as_json:
        print_json(described)
        return
    from rich.table import Table

    table = Table("model", "what it is", box=None, pad_edge=False)
    for name, text in described.items():
        table.add_row(f"[bold]{name}[/]", text)
    stdout().print(table, soft_wrap=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name from `unskew models list`.")],
    classes: Annotated[int, typer.Option(min=2, max=100_000, help="Outputs.")] = 10,
    image_size: Annotated[
        int, typer.Option(min=4, max=2048, help="Height and width in pixels.")
    ] = 32,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "--model-option",
            help="An option of the network, as name=value; repeatable.",
        ),
    ] = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Draw a network's layers: output shapes, parameters and multiply-adds of one image.

    Example: unskew models show cnn
    """
    import torch

    from unskew.cli.options import parse_options
    from unskew.models.registry import build, description
    from unskew.models.summary import summarise
    from unskew.plugins import use_plugins

    use_plugins(plugin or [])
    with torch.device("meta"):  # shapes only: a large network is drawn where none could be trained
        network = build(name, classes, image_size, parse_options(option or []))
    rows = summarise(network, (image_size, image_size, 3))
    total = {
        "parameters": sum(row.parameters for row in rows),
        "multiply_adds": sum(row.multiply_adds for row in rows),
    }
    if as_json:
        print_json({"model": name, "layers": [asdict(row) for row in rows], **total})
        return
    from rich.table import Table

    table = Table(title=f"{name}, {image_size}×{image_size}×3 to {classes}", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    for column in ("output", "parameters", "multiply-adds"):
        table.add_column(column, justify="right")
    for row in rows:
        shape = "×".join(map(str, row.output_shape))
        table.add_row(
            row.name, row.kind, shape, f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )  # fmt: skip
    table.add_section()
    table.add_row("total", "", "", f"{total['parameters']:,}", f"{total['multiply_adds']:,}")
    console = stdout()
    console.print(description(name), soft_wrap=False)
    console.print(table, soft_wrap=False)
