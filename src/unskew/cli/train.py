"""`unskew train`: one run, with the same folder as a study's run."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unskew.cli.console import complain, interruptible, print_json, remark, stdout
from unskew.cli.places import out_folder
from unskew.cli.plugins import Plugins

if TYPE_CHECKING:
    from unskew.data.imageset import Splits
    from unskew.evaluation.evaluation import Evaluation
    from unskew.training.recipe import Recipe


class Balance(StrEnum):
    """Who picks the remedy."""

    auto = "auto"
    none = "none"


@interruptible()
def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A recipe to begin from: strong, coursework, resnet32-usual or a recipe.toml. "
            "Other options replace its settings where they are given."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A name from `unskew models list`.")] = "cnn",
    data: Annotated[
        str, typer.Option(help="digits, cifar10, or a folder or archive of class folders.")
    ] = "digits",
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 5,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    momentum: Annotated[float, typer.Option(help="Momentum of SGD.")] = 0.9,
    nesterov: Annotated[
        bool, typer.Option("--nesterov/--no-nesterov", help="Nesterov's momentum.")
    ] = False,
    weight_decay: Annotated[float, typer.Option(help="λ of L + (λ/2)·‖W‖².")] = 0.0,
    decay: Annotated[str, typer.Option(help="λ acts on 'all' parameters or 'weights'.")] = "all",
    batch_size: Annotated[int, typer.Option(help="Images per step.")] = 100,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    subset_seed: Annotated[int, typer.Option(help="Of what a skew keeps.")] = 0,
    optimizer: Annotated[str, typer.Option(help="sgd, adamw or muon.")] = "sgd",
    schedule: Annotated[
        str,
        typer.Option(help="constant, step, cosine, one_cycle or triangle; step needs --milestone."),
    ] = "constant",
    milestone: Annotated[
        list[int] | None, typer.Option(help="Epoch after which the rate drops; repeatable.")
    ] = None,
    skew: Annotated[
        str | None,
        typer.Option(help="step:CLASSES:KEEP (step:0-4:0.1) or exponential:RATIO."),
    ] = None,
    test_skew: Annotated[
        str | None, typer.Option(help="The same for the test images; named in the results.")
    ] = None,
    augmentation: Annotated[
        str, typer.Option(help="none, flip, flip_crop or flip_translate.")
    ] = "flip",
    remedy: Annotated[
        str, typer.Option(help="Cures for imbalance joined by +, as cutmix+balanced_softmax.")
    ] = "none",
    remedy_option: Annotated[
        list[str] | None, typer.Option(help="As remedy.option=value; repeatable.")
    ] = None,
    balance: Annotated[
        Balance,
        typer.Option(
            help="auto: pick a remedy by the class counts, and run the plain baseline beside it."
        ),
    ] = Balance.none,
    model_option: Annotated[
        list[str] | None, typer.Option(help="As name=value; repeatable.")
    ] = None,
    validation: Annotated[
        float,
        typer.Option(help="Share of the training images to be judged by instead of the test."),
    ] = 0.0,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many steps.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any setting of a recipe, as field=value; repeatable. Without an option of their "
            "own are alternate_flips, drop_last, filter_learning_rate, filter_momentum, "
            "bias_learning_rate, stem_epochs, decoupled_decay, warmup_epochs, drop, rise, "
            "rise_from, fall_to, label_smoothing, kernels (auto or off) and test_views.",
        ),
    ] = None,
    plugin: Plugins = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse damaged images instead of skipping them.")
    ] = False,
    image_size: Annotated[
        int | None, typer.Option(help="Resize images to this height and width.", min=8)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(
            parser=out_folder, metavar="PATH", help="Folder to write; unskew-train if none."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the run as JSON; with --balance auto a list of runs."),
    ] = False,
) -> None:
    """Train one network and write its folder: recipe, history, weights, evaluation.

    A run that was stopped goes on from its last epoch when the same command is given again.

    Examples:

        unskew train --model cnn --data digits

        unskew train --data photos/ --balance auto

        unskew train --model lstm --data photos/ --skew step:0-4:0.1 --remedy balanced_softmax

        unskew train --remedy hinge --plugin hinge.py

        unskew train --recipe strong --data cifar10 --epochs 10

        unskew train --schedule cosine --set warmup_epochs=1 --set kernels=off
    """
    from unskew.cli.places import check_data, check_out
    from unskew.cli.progress import open_with_progress, run_with_progress
    from unskew.cli.tables import evaluation_table
    from unskew.errors import UserError
    from unskew.kernels.memory import keep_freed_memory
    from unskew.models.registry import model_source
    from unskew.plugins import use_plugins
    from unskew.remedies.registry import remedy_sources
    from unskew.training.compiler import import_compiler_late
    from unskew.training.device import check_device
    from unskew.training.fitting import check_fits, check_recipe
    from unskew.training.recipe import Recipe, make_recipe

    import_compiler_late()
    use_plugins(plugin or [])
    settings = _settings(context)
    wanted = make_recipe(settings) if recipe is None else Recipe.load(recipe, **settings)
    written = out or Path("unskew-train")
    check_device(device)
    check_recipe(wanted)
    if wanted.test_skew and wanted.validation:
        raise UserError(
            "with --validation the run is judged on held-out training images and the test images "
            "are not touched, so --test-skew does nothing: leave one of them out"
        )
    check_data(wanted.data)
    check_out(written, wanted.data)
    splits = open_with_progress(wanted.data, strict=strict, image_size=image_size)
    wanted = wanted.with_(fingerprint=splits.fingerprint)
    recipes = _balanced(wanted, splits) if balance is Balance.auto else [wanted]
    recipes = [
        each.with_(
            model_source=model_source(each.model), remedy_sources=remedy_sources(each.remedy)
        )
        for each in recipes
    ]
    for each in recipes:
        check_fits(each, splits)  # of both, before the first is trained
    keep_freed_memory()
    told = []
    for each in recipes:
        folder = written / "runs" / each.run_id
        outcome, evaluation = run_with_progress(each, splits, folder, device)
        told.append(
            {"run": outcome.run_id, "remedy": each.remedy, "folder": str(folder),
             "outcome": outcome.outcome, "message": outcome.message,
             "images_per_second": outcome.images_per_second,
             "evaluation": None if evaluation is None else _as_json(evaluation)}
        )  # fmt: skip
        if evaluation is None:
            complain("diverged", outcome.message)
        elif not as_json:
            stdout().print(evaluation_table(evaluation, each.remedy), soft_wrap=False)
            if outcome.message:
                remark(outcome.message)
            remark(f"written to {folder}")
    if as_json:
        # A list whatever was picked, so that a script need not ask which of two shapes it got.
        print_json(told if balance is Balance.auto else told[0])
    if any(run["evaluation"] is None for run in told):
        raise typer.Exit(1)


_FIELDS = {
    "model": "model", "data": "data", "epochs": "epochs", "lr": "learning_rate",
    "momentum": "momentum", "nesterov": "nesterov", "weight_decay": "weight_decay",
    "decay": "decay", "batch_size": "batch_size", "seed": "seed", "subset_seed": "subset_seed",
    "optimizer": "optimizer", "schedule": "schedule", "milestone": "milestones", "skew": "skew",
    "test_skew": "test_skew", "augmentation": "augmentation", "remedy": "remedy",
    "remedy_option": "remedy_options", "model_option": "model_options",
    "validation": "validation", "precision": "precision", "max_steps": "max_steps",
}  # fmt: skip
"""The recipe's field behind each option that sets one."""


def _settings(context: typer.Context) -> dict[str, Any]:
    """The recipe's fields that the command line gives, and no default."""
    from unskew.cli.options import (
        parse_nested_options,
        parse_options,
        parse_settings,
        refuse_twice,
    )
    from unskew.data.skew import parse_skew

    parsers: dict[str, Callable[[Any], Any]] = {
        "skew": parse_skew, "test_skew": parse_skew, "remedy_option": parse_nested_options,
        "model_option": parse_options,
    }  # fmt: skip
    settings = parse_settings(context.params["set_"] or [])
    by_set = tuple(settings)
    for option, field in _FIELDS.items():
        source = context.get_parameter_source(option)
        if source is not None and source.name != "DEFAULT":
            refuse_twice(by_set, f"--{option.replace('_', '-')}", field)
            value = context.params[option]
            settings[field] = parsers[option](value) if option in parsers else value
    return settings


def _balanced(wanted: Recipe, splits: Splits) -> list[Recipe]:
    """The plain baseline and, where the counts ask for one, the recipe with a remedy."""
    from unskew.errors import UserError
    from unskew.remedies.auto import choose
    from unskew.training.shown import select

    if wanted.remedy != "none":
        raise UserError(f"--balance auto picks the remedy: leave out --remedy {wanted.remedy}")
    spec, reason = choose(select(wanted, splits).train.counts())
    remark(reason)
    if spec == "none":
        return [wanted]
    if wanted.label_smoothing:
        remark(
            f"label_smoothing, {wanted.label_smoothing:g} in the recipe, is 0 in both runs: it "
            "does not go with the remedy's loss"
        )
        wanted = wanted.with_(label_smoothing=0.0)
    return [wanted, wanted.with_(remedy=spec)]


def _as_json(evaluation: Evaluation) -> dict[str, Any]:
    intervals = evaluation.class_accuracy_interval
    return {**evaluation.to_dict(), "class_accuracy_interval": intervals}
