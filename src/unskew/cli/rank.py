"""`unskew rank`: rank what several studies have in common, over their data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unskew.cli.console import print_json, result, stdout
from unskew.cli.places import out_folder
from unskew.cli.report import Format, Language

if TYPE_CHECKING:
    from unskew.report.across import Across


def rank(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `unskew study` wrote.")],
    arms: Annotated[
        list[str] | None,
        typer.Option(help="Arms to rank; * stands for the treatment. Repeatable; all if none."),
    ] = None,
    metric: Annotated[str, typer.Option(help="What to rank by.")] = "balanced_accuracy",
    out: Annotated[
        Path, typer.Option(parser=out_folder, metavar="PATH", help="Folder to write.")
    ] = Path("unskew-ranking"),
    form: Annotated[Format, typer.Option("--format", help="One page, or Markdown.")] = Format.html,
    lang: Annotated[Language, typer.Option(help="English or Chinese.")] = Language.en,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print ranks and where the page lies as JSON.")
    ] = False,
) -> None:
    """Rank the arms that studies of several data sets share: a critical-difference diagram.

    Run one study file on each data set, then rank. Each study is a block, and each --arms too.

    Examples:

        unskew rank remedies-cifar remedies-digits remedies-photos

        unskew rank cifar photos --arms 'step-*' --arms 'exponential-*' --metric macro_f1
    """
    from unskew.cli.progress import one_remark_on_fonts
    from unskew.report.across import rank_studies
    from unskew.report.ranking_page import write_ranking

    across = rank_studies(folders, arms=tuple(arms or ["*"]), metric=metric)
    with one_remark_on_fonts():
        path = write_ranking(across, out, form.value, lang.value)
    if as_json:
        print_json({"ranking": str(path), **_as_json(across)})
        return
    _print_table(across, lang.value)
    result(f"ranking: {path}")


def _as_json(across: Across) -> dict[str, Any]:
    ranked, ranks = across.ranked, across.ranked.ranks
    return {
        "metric": ranked.metric,
        "blocks": [label["en"] for label in ranked.blocks],
        "figures": ranked.figures,
        "left_out": ranked.left_out,
        "mean_ranks": ranks.means if ranks else None,
        "method": ranks.method if ranks else "none",
        "friedman_p": ranks.friedman if ranks else None,
        "critical_difference": ranks.critical if ranks else None,
        "told_apart": ranks.told if ranks else (),
        "p_values": [[*pair, p] for pair, p in ranks.p_values.items()] if ranks else [],
        "not_told_apart": ranks.cliques if ranks else (),
    }


def _print_table(across: Across, language: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from unskew.study.text import in_language

    ranked = across.ranked
    if ranked.ranks is None:
        return
    table = Table()
    table.add_column("")
    for label in ranked.blocks:
        table.add_column(Text(in_language(label, language)), justify="right")
    table.add_column("mean rank", justify="right")
    for name, mean in ranked.ranks.means.items():
        figures = (f"{value:.3f}" for value in ranked.figures[name])
        treatment = Text(in_language(ranked.treatments[name], language))
        table.add_row(treatment, *figures, f"{mean:.2f}")
    stdout().print(table)
