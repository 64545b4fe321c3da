"""A tiny network, data and run on which every remedy can be watched."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from unskew.data.randomness import stream
from unskew.models.base import Network
from unskew.remedies.base import Batch, Draw, Facts, HeldOut, Remedy
from unskew.remedies.criterion import Criterion
from unskew.training.optimisation import make_optimizer
from unskew.training.recipe import Recipe
from unskew.training.stages import enter_stage, hold_frozen, trainable

FEATURES = 6
SHOWN = 48


def make_facts(counts, epochs=5) -> Facts:
    """A run on classes of these sizes."""
    counts = np.array(counts, dtype=np.int64)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    return Facts(counts, labels, epochs, batch_size=8, seed=0, num_features=FEATURES)


FACTS = make_facts([40, 10, 1, 0])
"""A large class, a small one, one with a single image and one with none."""


class Tiny(Network):
    """One convolution and one linear layer."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_features = FEATURES
        self.convolution = nn.Conv2d(3, FEATURES, 3)
        self.classifier = nn.Linear(FEATURES, num_classes)

    def features(self, images):
        return self.convolution(images).relu().mean(dim=(2, 3))


def make_batch(indices, facts: Facts, remedy: Remedy, copies=None) -> Batch:
    """Images whose colour tells their class, with as many views as the remedy wants."""
    labels = torch.from_numpy(facts.labels)[indices]

    def view(number):
        rng = stream(number, "scene images")
        noise = rng.standard_normal((len(facts.labels), 3, 8, 8), dtype=np.float32)
        images = torch.from_numpy(noise)[indices]
        images[torch.arange(len(labels)), labels % 3] += 1
        return images.contiguous(memory_format=torch.channels_last)

    views = tuple(view(number) for number in range(1, 1 + remedy.views))
    return Batch(view(0), labels, indices, copies=copies, views=views)


def rehearse(
    remedy: Remedy,
    facts: Facts = FACTS,
    dtype: torch.dtype = torch.float32,
    decay: float = 1e-2,
    weights: bool = True,
):
    """All that shows of a remedy in a run of one step an epoch: a flat float64 tensor.

    What is drawn, mixed, weighed and minimised in every epoch, the predictions and weights at
    the end. `dtype` is that of autocast, `decay` the recipe's weight decay. Without `weights`,
    which a remedy may have more or fewer of, what is left has one shape wherever as many images
    are shown.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        remedy.check(facts)
        network = Tiny(facts.num_classes)
        remedy.prepare(network, facts)
        auxiliary = remedy.auxiliary(facts)
    trains = trainable(network)
    seen: list[torch.Tensor] = []
    epoch = 0
    for number, stage in enumerate(remedy.stages(facts.epochs)):
        acting = stage.remedy or remedy
        enter_stage(network, stage, facts.seed, number)
        hold_frozen(network, stage, trains)
        recipe = Recipe(learning_rate=0.1 * stage.learning_rate)
        own_decay = decay if stage.weight_decay is None else stage.weight_decay
        optimizer = make_optimizer(recipe, network, auxiliary, acting, own_decay)
        for _ in range(stage.epochs):
            seen += _step(acting, network, auxiliary, optimizer, facts, epoch, dtype)
            epoch += 1
    remedy.after_training(network, facts)
    everything = make_batch(torch.arange(len(facts.labels)), facts, remedy)
    with torch.no_grad():
        logits = network(everything.images)
    held_out = HeldOut(logits)
    if remedy.held_out:
        held_out = replace(held_out, logits=logits, labels=everything.labels)
    adjustment = remedy.adjustment(facts, held_out)
    seen.append(logits if adjustment is None else adjustment(logits))
    if weights:
        seen += [parameter.detach() for parameter in network.parameters()]
    return torch.cat([part.double().flatten() for part in seen])


def _step(remedy, network, auxiliary, optimizer, facts, epoch, dtype):
    """One step of one epoch, as the trainer takes it; what it was made of."""
    rng = stream(facts.seed, "order", epoch)
    draw = remedy.draw(facts, epoch, rng) or Draw(rng.permutation(len(facts.labels)))
    indices = torch.from_numpy(draw.indices[:SHOWN])
    copies = None if draw.copies is None else torch.from_numpy(draw.copies[:SHOWN])
    batch = make_batch(indices, facts, remedy, copies)
    if draw.partners is not None:
        partners = torch.from_numpy(draw.partners[:SHOWN])
        batch = batch.with_(partners=make_batch(partners, facts, remedy))
    batch = remedy.transform(batch, facts, stream(facts.seed, "transform", epoch))
    criterion = Criterion(remedy.loss(facts, epoch), remedy.class_weights(facts, epoch))

    def backward(classes=None):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            special = remedy.objective(network, auxiliary, batch, criterion, facts, epoch)
            logits = network(batch.images) if special is None else special[1]
        loss = criterion(logits, batch, classes) if special is None else special[0]
        loss.backward()
        return loss.detach()

    loss = remedy.update(backward, optimizer, network, facts)
    remedy.after_step(network, facts, epoch)
    return [torch.tensor(len(draw.indices)), indices, batch.images, loss]
