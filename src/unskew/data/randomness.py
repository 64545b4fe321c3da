"""Random streams without hidden state.

Every draw of a run follows from (seed, stream name, counter) alone: a run can be resumed at any
step, split over processes or compared with another arm image by image, because nothing depends
on what was drawn before.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str, counter: int = 0) -> np.random.Generator:
    """A NumPy generator (Philox) that is a pure function of its three arguments.

    Parameters
    ----------
    seed: any non-negative int; the run's or the subset's seed.
    name: what is drawn ("order", "flip", "skew", ...); streams of different names are independent.
    counter: position in the stream's time, usually the epoch, or epoch * steps + step.
    """
    digest = hashlib.blake2b(f"{name}\0{seed}\0{counter}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
