"""What a run minimises as a whole, of every remedy: its slope, and logits beyond measure."""

import pytest
import torch

from tests.remedies.scene import FACTS, Tiny, make_batch
from unskew.data.randomness import stream
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy, names

LAST = FACTS.epochs - 1
"""Whatever is deferred has begun by then."""

STEP = 2e-3
INDICES = torch.tensor([0, 3, 40, 41, 50, 7])
PARTNERS = torch.tensor([50, 42, 1, 5, 43, 40])

OPTIONS = {"glmc": {"glmc": {"gamma": 0}}}
"""The target of GLMC's consistency is held fixed, so that its slope is none of the loss's: see
`test_glmc.py`. Without it the rest is left.
"""


class Scene:
    """A remedy's objective on one batch, as a function of all weights at once."""

    def __init__(self, spec, scale=1.0):
        self.remedy = make_remedy(spec, OPTIONS.get(spec))
        torch.manual_seed(0)
        self.network = Tiny(4)
        self.remedy.prepare(self.network, FACTS)
        self.auxiliary = self.remedy.auxiliary(FACTS)
        with torch.no_grad():
            self.network.classifier.weight.mul_(scale)
        batch = make_batch(INDICES, FACTS, self.remedy)
        batch = batch.with_(partners=make_batch(PARTNERS, FACTS, self.remedy))
        self.batch = self.remedy.transform(batch, FACTS, stream(1, "objectives"))
        loss, weights = self.remedy.loss(FACTS, LAST), self.remedy.class_weights(FACTS, LAST)
        self.criterion = Criterion(loss, weights)

    @property
    def weights(self):
        modules = [self.network] + ([] if self.auxiliary is None else [self.auxiliary])
        return [p for module in modules for p in module.parameters()]

    def __call__(self):
        special = self.remedy.objective(
            self.network, self.auxiliary, self.batch, self.criterion, FACTS, LAST
        )
        if special is not None:
            return special[0]
        return self.criterion(self.network(self.batch.images), self.batch)

    def moved(self, direction, by):
        """The objective, a step along `direction`."""
        with torch.no_grad():
            for weight, part in zip(self.weights, direction, strict=True):
                weight.add_(part, alpha=by)
            value = self().item()
            for weight, part in zip(self.weights, direction, strict=True):
                weight.add_(part, alpha=-by)
        return value


SPECS = [*names(), "cutmix+balanced_softmax", "ldam+drw", "mixup+effective_number", "remix+focal"]


@pytest.mark.parametrize("spec", SPECS)
def test_the_slope_is_that_of_finite_differences(spec):
    """Of all weights, heads of its own among them, through weights of classes and mixed labels."""
    scene = Scene(spec)
    scene().backward()
    slopes = [torch.zeros_like(w) if w.grad is None else w.grad.clone() for w in scene.weights]
    for number in range(3):
        rng = torch.Generator().manual_seed(number)
        # A part that no gradient is to reach does not move.
        direction = [
            torch.randn(w.shape, generator=rng) * (w.grad is not None) for w in scene.weights
        ]
        length = torch.cat([part.flatten() for part in direction]).norm()
        direction = [part / length for part in direction]
        found = sum((a * b).sum() for a, b in zip(slopes, direction, strict=True)).item()
        wanted = (scene.moved(direction, STEP) - scene.moved(direction, -STEP)) / (2 * STEP)
        assert found == pytest.approx(wanted, rel=0.03, abs=2e-3)
        assert found != 0


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("scale", [0.0, 100.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_finite_however_far_the_logits_lie_apart(spec, scale, dtype):
    scene = Scene(spec, scale)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not torch.float32):
        value = scene()
    value.backward()
    assert value.isfinite()
    for weight in scene.weights:
        assert weight.grad is None or weight.grad.isfinite().all()
