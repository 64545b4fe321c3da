"""What a report needs beside the runs: the data, some of its images, and the networks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from unskew.data.batches import View
from unskew.data.imageset import Splits
from unskew.data.skew import describe_skew
from unskew.models.registry import build, description
from unskew.models.summary import summarise
from unskew.study.plan import PlannedRun
from unskew.training.recipe import Recipe
from unskew.training.run import write_whole
from unskew.training.shown import select

SAMPLES = 8
"""Images of each class that a report shows, before and after each skew."""


def describe(out: Path, runs: list[PlannedRun], splits: Splits) -> None:
    """Write data.json, samples.safetensors and models.json into the study's folder.

    - data.json: name, fingerprint, notes, class names, image size, and for each skew the
      training and test images of every class.
    - samples.safetensors: for each skew uint8 (K, SAMPLES, H, W, 3); where a class has fewer
      images, the rest is 0 and the count in data.json tells.
    - models.json: for each model with its options a description and its layers.
    """
    recipes = [run.recipe for run in runs if not run.for_choice]
    skews: dict[str, Recipe] = {}
    for recipe in recipes:
        skews.setdefault(describe_skew(recipe.skew), recipe)
    counts, samples = {}, {}
    for name, recipe in skews.items():
        shown = select(recipe, splits)
        counts[name] = {
            "train": shown.train.counts().tolist(), "test": shown.judged.counts().tolist()
        }  # fmt: skip
        samples[name] = _samples(shown.train)
    data = {
        "name": splits.name,
        "fingerprint": splits.fingerprint,
        "notes": list(splits.notes),
        "class_names": list(splits.train.class_names),
        "image_shape": list(splits.train.image_shape),
        "skews": counts,
    }
    write_whole(out / "data.json", json.dumps(data, ensure_ascii=False, indent=2))
    save_file(samples, out / "samples.safetensors")
    write_whole(out / "models.json", json.dumps(_models(recipes, splits), ensure_ascii=False))


def _samples(view: View) -> NDArray[np.uint8]:
    images = view.images
    grid = np.zeros((images.num_classes, SAMPLES, *images.image_shape), dtype=np.uint8)
    for k in range(images.num_classes):
        chosen = view.positions[view.labels == k][:SAMPLES]
        grid[k, : len(chosen)] = images.images[chosen]
    return grid


def _models(recipes: list[Recipe], splits: Splits) -> dict[str, object]:
    models: dict[str, object] = {}
    for recipe in recipes:
        options = ",".join(f"{k}={v}" for k, v in recipe.model_options.items())
        name = f"{recipe.model}({options})" if options else recipe.model
        if name not in models:
            shape = splits.train.image_shape
            network = build(recipe.model, splits.train.num_classes, shape[0], recipe.model_options)
            models[name] = {
                "description": description(recipe.model),
                "layers": [asdict(row) for row in summarise(network, shape)],
            }
    return models
