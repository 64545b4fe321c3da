"""Which parameters share a learning rate, a weight decay and a way of being moved."""

from __future__ import annotations

from typing import Any

from torch import nn

from unskew.models.whitening import whitening_of
from unskew.remedies.base import Remedy
from unskew.training.recipe import Recipe

Group = dict[str, Any]


def parameter_groups(
    recipe: Recipe,
    network: nn.Module,
    auxiliary: nn.Module | None,
    remedy: Remedy,
    weight_decay: float,
) -> list[Group]:
    """The optimiser's groups: a remedy's or the recipe's, divided where the recipe asks for it.

    A group's `lr_factor` is its learning rate over the recipe's, `orthogonal` that Muon moves it,
    `stem` that it trains in the first `stem_epochs` only.

    Parameters
    ----------
    auxiliary, remedy, weight_decay: as `make_optimizer` has them.
    """
    groups = remedy.parameter_groups(network, weight_decay)
    if groups is None:
        groups = decay_groups(network, weight_decay, recipe.decay)
    divided = [part for group in groups for part in _divide(group, network, recipe)]
    if auxiliary is not None:
        divided += decay_groups(auxiliary, weight_decay, recipe.decay)
    if recipe.decoupled_decay:
        for group in divided:
            group["weight_decay"] /= recipe.learning_rate * group.get("lr_factor", 1.0)
    for group in divided:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    # The recipe's own rate first: it is the one that progress and history show.
    return sorted((g for g in divided if g["params"]), key=lambda g: g.get("lr_factor", 1.0) != 1)


def decay_groups(module: nn.Module, weight_decay: float, decay: str) -> list[Group]:
    """Parameter groups with λ on all parameters or on weights only."""
    parameters = list(module.parameters())
    if decay == "all":
        return [{"params": parameters, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


def _divide(group: Group, network: nn.Module, recipe: Recipe) -> list[Group]:
    """A group's filters, biases and stem apart where they do not train as the rest does."""
    parts: dict[str, list[nn.Parameter]] = {"rest": [], "biases": [], "filters": [], "stem": []}
    stem = whitening_of(network)
    classifier = network.classifier if hasattr(network, "classifier") else nn.Identity()
    apart = {id(p) for p in classifier.parameters()}  # type: ignore[union-attr]
    for parameter in group["params"]:
        if stem is not None and recipe.stem_epochs is not None and parameter is stem.bias:
            kind = "stem"
        elif recipe.optimizer == "muon" and parameter.dim() == 4:
            kind = "filters"
        elif recipe.bias_learning_rate is not None and _is_bias(parameter, apart):
            kind = "biases"
        else:
            kind = "rest"
        parts[kind].append(parameter)
    factor = group.get("lr_factor", 1.0)
    bias_factor = factor * (recipe.bias_learning_rate or recipe.learning_rate)
    own: dict[str, Group] = {
        "rest": {},
        "biases": {"lr_factor": bias_factor / recipe.learning_rate},
        "stem": {"lr_factor": bias_factor / recipe.learning_rate, "stem": True},
        "filters": {
            "lr_factor": factor * recipe.filter_learning_rate / recipe.learning_rate,
            "momentum": recipe.filter_momentum,
            "weight_decay": 0.0,
            "orthogonal": True,
        },
    }
    return [{**group, **own[kind], "params": found} for kind, found in parts.items() if found]


def _is_bias(parameter: nn.Parameter, classifiers: set[int]) -> bool:
    return parameter.dim() < 2 and id(parameter) not in classifiers
