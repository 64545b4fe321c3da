"""Many runs of one architecture trained at once in one process.

One small network leaves a GPU idle: its kernels are too short to fill it and are launched one by
one. Here the parameters of R networks lie side by side in tensors (R, ...), a step of all of them
is one pass through the network under `torch.func.vmap`, and on a GPU that step is captured once
as a CUDA graph and replayed. Each run keeps its own seed, order of images, learning rate, λ
and loss, and its own state, history and folder: it can be stopped, and gone on with alone.
"""

from unskew.training.replicas.kin import kinship
from unskew.training.replicas.replicas import Replicas

__all__ = ["Replicas", "kinship"]
