"""What a study's folder tells of its data and networks, beside the runs; read without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.models.layer_row import LayerRow
from unskew.training.recipe import Recipe

DATA, MODELS, SAMPLE_IMAGES = "data.json", "models.json", "samples.safetensors"


@dataclass(frozen=True)
class SkewCounts:
    """Images of each class under one skew, (K,)."""

    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True)
class DataFacts:
    """data.json: what a report says of the data.

    Attributes
    ----------
    notes: what was noticed when they were opened.
    image_shape: height, width and channels.
    skews: by the skew's short name.
    """

    name: str
    fingerprint: str
    notes: tuple[str, ...]
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    skews: dict[str, SkewCounts]

    def __post_init__(self) -> None:
        """Raise a ValueError unless there are classes, training sets, and one count a class in
        each: a file may have been edited.
        """
        if not self.class_names or not self.skews:
            raise ValueError("there is no class, or no training set")
        for counts in self.skews.values():
            if {len(counts.train), len(counts.test)} != {len(self.class_names)}:
                raise ValueError(f"there are {len(self.class_names)} classes: count each")


@dataclass(frozen=True)
class ModelFacts:
    """One network of models.json: a description, and its layers in their order."""

    description: str
    layers: tuple[LayerRow, ...]


def model_name(recipe: Recipe) -> str:
    """What models.json calls a recipe's network: its name with its options."""
    options = ",".join(f"{k}={v}" for k, v in recipe.model_options.items())
    return f"{recipe.model}({options})" if options else recipe.model
