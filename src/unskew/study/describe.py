"""What a report needs beside the runs: the data, some of its images, and the networks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unskew.data.batches import View
from unskew.data.imageset import Splits
from unskew.data.skew import describe_skew
from unskew.models.registry import build, description
from unskew.models.summary import summarise
from unskew.study.facts import (
    DATA,
    MODELS,
    SAMPLE_IMAGES,
    DataFacts,
    ModelFacts,
    SkewCounts,
    model_name,
)
from unskew.study.plan import PlannedRun
from unskew.training.files import save_tensors, write_whole, writing
from unskew.training.recipe import Recipe
from unskew.training.shown import select

SAMPLES = 8
"""Images of each class that a report shows, before and after each skew."""


def describe(out: Path, runs: list[PlannedRun], splits: Splits) -> None:
    """Write data.json, samples.safetensors and models.json into the study's folder.

    - data.json: `DataFacts`.
    - samples.safetensors: by skew uint8 (K, SAMPLES, H, W, 3); where a class has fewer
      images, the rest is 0 and the count in data.json tells.
    - models.json: `ModelFacts` by model with its options.

    Raises
    ------
    UserError: the folder cannot be written.
    """
    recipes = [run.recipe for run in runs if not run.for_choice]
    skews: dict[str, Recipe] = {}
    for recipe in recipes:
        skews.setdefault(describe_skew(recipe.skew), recipe)
    counts, samples = {}, {}
    for name, recipe in skews.items():
        shown = select(recipe, splits)
        counts[name] = SkewCounts(
            tuple(shown.train.counts().tolist()), tuple(shown.judged.counts().tolist())
        )
        samples[name] = _samples(shown.train)
    data = DataFacts(
        name=splits.name,
        fingerprint=splits.fingerprint,
        notes=tuple(splits.notes),
        class_names=splits.train.class_names,
        image_shape=splits.train.image_shape,
        skews=counts,
    )
    models = {name: asdict(model) for name, model in _models(recipes, splits).items()}
    with writing("the study's folder", out):
        write_whole(out / DATA, json.dumps(asdict(data), ensure_ascii=False, indent=2))
        save_tensors({k: torch.from_numpy(v) for k, v in samples.items()}, out / SAMPLE_IMAGES)
        write_whole(out / MODELS, json.dumps(models, ensure_ascii=False))


def _samples(view: View) -> NDArray[np.uint8]:
    images = view.images
    grid = np.zeros((images.num_classes, SAMPLES, *images.image_shape), dtype=np.uint8)
    for k in range(images.num_classes):
        chosen = view.positions[view.labels == k][:SAMPLES]
        grid[k, : len(chosen)] = images.images[chosen]
    return grid


def _models(recipes: list[Recipe], splits: Splits) -> dict[str, ModelFacts]:
    models: dict[str, ModelFacts] = {}
    for recipe in recipes:
        name = model_name(recipe)
        if name not in models:
            shape = splits.train.image_shape
            network = build(recipe.model, splits.train.num_classes, shape[0], recipe.model_options)
            layers = tuple(summarise(network, shape))
            models[name] = ModelFacts(description(recipe.model), layers)
    return models
