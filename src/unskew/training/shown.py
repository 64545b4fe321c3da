"""Which images a recipe trains on and which it is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.data.batches import View, whole
from unskew.data.imageset import Splits
from unskew.data.skew import skew_indices
from unskew.data.split import stratified_split
from unskew.errors import UserError
from unskew.remedies.base import Facts
from unskew.training.recipe import Recipe


@dataclass(frozen=True)
class Shown:
    """A recipe's images.

    Attributes
    ----------
    train: after skew, without what is held out.
    held_out: training images kept apart for a remedy's adjustment; None if it asks for none.
    judged: what the run is evaluated on.
    split: "test", or "validation" where the recipe holds out training images for a choice; the
        test images are then never looked at.
    """

    train: View
    held_out: View | None
    judged: View
    split: str

    def facts(self, recipe: Recipe, num_features: int) -> Facts:
        """What a remedy may know of the run, whose network has `num_features` features."""
        return Facts(
            counts=self.train.counts(),
            labels=self.train.labels,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            num_features=num_features,
        )


def select(recipe: Recipe, splits: Splits, held_out: float = 0.0) -> Shown:
    """Skew the training images, then hold out what is not to be trained on.

    All choices follow from the recipe's `subset_seed`, so every arm of a study sees the same.

    Raises
    ------
    UserError: the skew or the batch size does not fit the data.
    """
    train = whole(splits.train)
    if recipe.skew is not None:
        kept = skew_indices(
            recipe.skew, splits.train.labels, splits.train.num_classes, recipe.subset_seed
        )
        train = train.select(kept)
    judged, split = whole(splits.test), "test"
    if recipe.test_skew is not None:
        kept = skew_indices(
            recipe.test_skew, splits.test.labels, splits.test.num_classes, recipe.subset_seed
        )
        judged, split = judged.select(kept), "skewed test"
    if recipe.validation:
        train, judged = _hold_out(train, recipe.validation, recipe.subset_seed)
        split = "validation"
    apart = None
    if held_out:
        # Another seed, so that the images held out twice are not chosen by the same draw.
        train, apart = _hold_out(train, held_out, recipe.subset_seed + 1)
    if recipe.batch_size > len(train):
        raise UserError(
            f"batch_size {recipe.batch_size} is larger than the {len(train)} training images: "
            f"choose {len(train)} or less"
        )
    if not len(judged):
        raise UserError(
            "no image is left to judge by, since a class keeps its last one for training: lower "
            "the skew, or leave validation out"
        )
    return Shown(train, apart, judged, split)


def _hold_out(view: View, share: float, seed: int) -> tuple[View, View]:
    rest, held_out = stratified_split(view.labels, share, seed, view.images.num_classes)
    return view.select(rest), view.select(held_out)
