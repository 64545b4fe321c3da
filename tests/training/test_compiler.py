"""A process that trains does without PyTorch's compiler, and one that compiles still can."""

import subprocess
import sys

TRAINS_THEN_COMPILES = """
import sys
import numpy as np
import torch
from unskew.data.imageset import ImageSet, Splits
from unskew.training.compiler import import_compiler_late
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

import_compiler_late()
half = ImageSet(np.zeros((20, 8, 8, 3), np.uint8), np.arange(20) % 2, ("a", "b"))
for optimizer in ("sgd", "adamw", "muon"):
    trainer = Trainer(Recipe(epochs=1, batch_size=10, optimizer=optimizer), Splits("s", half, half, ""))
    trainer.fit()
    trainer.save()
print("torch._dynamo.utils" in sys.modules)

graphs = []
def backend(graph, inputs):
    graphs.append(graph)
    return graph.forward
print(torch.compile(lambda x: x + 1, backend=backend)(torch.ones(1)).item(), len(graphs))
print("torch._dynamo.utils" in sys.modules, "Later" in repr(type(torch._dynamo)))
"""  # noqa: E501


def test_training_does_not_import_it_and_compiling_does():
    done = subprocess.run(
        [sys.executable, "-c", TRAINS_THEN_COMPILES], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "2.0", "1", "True", "False"]
