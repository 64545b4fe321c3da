"""`unskew study`: run a whole study and write its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unskew.cli.console import complain, interruptible, print_json, result
from unskew.cli.places import out_folder
from unskew.cli.plugins import Plugins


@interruptible()
def study(
    name: Annotated[
        str, typer.Argument(help="coursework, readings, ..., or the path of a study file.")
    ],
    data: Annotated[
        str | None,
        typer.Option(help="digits, cifar10, or a folder or archive of class folders."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each arm.", min=1)] = None,
    fresh_seeds: Annotated[
        int | None,
        typer.Option(help="Runs of each arm in second stages; 0 leaves these out.", min=0),
    ] = None,
    subset_per_seed: Annotated[
        bool | None,
        typer.Option(
            "--subset-per-seed/--one-subset",
            help="Whether each seed draws which images a skew keeps; else as the study says.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every run.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=out_folder, metavar="PATH", help="Folder to write; unskew-NAME if none."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any recipe field for every run, as field=value (skew=step:0-4:0.1, kernels=off); "
            "repeatable.",
        ),
    ] = None,
    plugin: Plugins = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes; as many as cores if none, or two for a GPU.", min=1),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(help="Runs a process trains at once; many on a GPU, 1 on a CPU.", min=1),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse damaged images instead of skipping them.")
    ] = False,
    image_size: Annotated[
        int | None, typer.Option(help="Resize images to this height and width.", min=8)
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en or zh.")] = "en",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print where results lie, and what failed or diverged, as JSON."
        ),
    ] = False,
) -> None:
    """Run every arm of a study over its seeds, choose on validation, write report.html.

    Stop it whenever you like: the same command goes on where it was, and finished runs are not
    run again. Asking for more seeds adds them.

    Examples:

        unskew study coursework --seeds 3

        unskew study coursework --data cifar10 --out cifar

        unskew study own-data --data photos/ --set skew=exponential:10

        unskew study my-study.toml --set learning_rate=0.05

        unskew study my-study.toml --plugin my_loss.py
    """
    from unskew.cli.options import parse_settings, refuse_twice
    from unskew.cli.places import check_data, check_out
    from unskew.cli.progress import open_with_progress, report_with_progress
    from unskew.errors import UserError
    from unskew.plugins import add_plugins, use_plugins
    from unskew.report.catalogue import Words
    from unskew.study.processes import import_ahead
    from unskew.study.spec import Study

    Words(lang)  # a wrong language is better said now than after hours
    add_plugins(plugin or [])
    wanted = Study.load(name)
    changes: dict[str, Any] = parse_settings(set_ or [])
    if epochs is not None:
        refuse_twice(changes, "--epochs", "epochs")
        changes["epochs"] = epochs
    check_data(wanted.data if data is None else data)
    wanted = wanted.override(
        data=data, seeds=seeds, fresh_seeds=fresh_seeds, subset_per_seed=subset_per_seed,
        recipe=changes,
    )  # fmt: skip
    folder = out or Path(f"unskew-{wanted.name}")
    import_ahead(device)
    # These import PyTorch, and so does the server meanwhile.
    from unskew.cli.study_bars import StudyBars
    from unskew.study.execute import execute_study
    from unskew.study.fitting import check_arms
    from unskew.study.store import check_folder, diverged
    from unskew.training.device import check_device

    check_device(device)
    use_plugins(plugin or [])
    try:
        check_arms(wanted)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    check_out(folder, wanted.data)
    check_folder(folder, wanted)  # before anything is downloaded or decoded
    splits = open_with_progress(wanted.data, strict=strict, image_size=image_size)
    with StudyBars() as bars:
        failures = execute_study(
            wanted, splits, folder, workers=workers, replicas=replicas, device=device,
            strict=strict, image_size=image_size, listen=bars.show,
        )  # fmt: skip
    for run, message in failures.items():
        complain("failed", f"{run}: {message}")
    lost = diverged(folder)
    for run, message in lost.items():
        complain("diverged", f"{run}: {message}")
    path = report_with_progress(folder, "html", lang)
    if as_json:
        print_json(
            {
                "report": str(path), "results": str(folder / "results.csv"),
                "failures": failures, "diverged": lost,
            }
        )  # fmt: skip
    else:
        result(f"report: {path}")
    if failures:
        raise typer.Exit(1)
