"""`unskew data`: what is known, what is cached, where and how large; and clearing it."""

from __future__ import annotations

from typing import Annotated

import typer

from unskew.cli.console import print_json, remark, stdout

app = typer.Typer(invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def root(context: typer.Context, as_json: Json = False) -> None:
    """Known data sets and the cache of decoded images: listed if no verb is given.

    Examples:

        unskew data

        unskew data clear cifar10
    """
    context.obj = as_json
    if context.invoked_subcommand is None:
        list_data(context, as_json)


@app.command("list")
def list_data(context: typer.Context, as_json: Json = False) -> None:
    """List known data sets, and what the cache holds.

    Example: unskew data list --json
    """
    from unskew.data.cache import cache_folder, list_cached
    from unskew.data.sources import KNOWN

    cached = list_cached()
    if as_json or context.obj:
        rows = [
            {"name": c.name, "origin": c.origin, "path": str(c.path), "bytes": c.size}
            for c in cached
        ]
        print_json({"known": KNOWN, "cache": str(cache_folder()), "cached": rows})
        return
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    known = Table("name", "what it is", title="known", title_justify="left")
    for name, what in KNOWN.items():
        known.add_row(name, what)
    console.print(known, soft_wrap=False)
    title = Text(f"cached in {cache_folder()}")
    table = Table("name", "made from", "size", title=title, title_justify="left")
    for item in cached:
        table.add_row(Text(item.name), Text(item.origin), human_size(item.size))
    console.print(table, soft_wrap=False)


@app.command()
def clear(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Only what bears this name (digits, cifar10, photos); everything if none."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove cached images and downloads; they are made again when needed.

    Examples:

        unskew data clear digits

        unskew data clear
    """
    from unskew.data.cache import clear_cached
    from unskew.errors import UserError

    removed = [item for one in _cached_as(name) for item in clear_cached(one)]
    if name is not None and not removed:
        raise UserError(f"nothing called {name!r} is cached: see `unskew data`")
    if as_json or context.obj:
        print_json([{"name": item.name, "bytes": item.size} for item in removed])
        return
    for item in removed:
        remark(f"removed {item.name} ({human_size(item.size)})")


def _cached_as(name: str | None) -> list[str | None]:
    """What the cache calls what is asked for: of cifar10 it keeps the images and the download."""
    from unskew.data.sources.cifar10 import ARCHIVES

    if name != "cifar10":
        return [name]
    return [name, "CIFAR-10", *ARCHIVES, *(f"{archive}.part" for archive in ARCHIVES)]


def human_size(size: float) -> str:
    """Bytes as "1.5 MB", in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
