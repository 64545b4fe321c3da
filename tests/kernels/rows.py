"""What holds for every kernel that takes a batch."""

from collections.abc import Callable

import torch
from torch import Tensor


def assert_rows_stand_alone(function: Callable[[Tensor], Tensor], batch: Tensor) -> None:
    """A row's result depends neither on the rows beside it nor on the number of threads."""
    before = torch.get_num_threads()
    whole = function(batch)
    assert torch.equal(torch.cat([function(part) for part in batch.split(2)]), whole)
    torch.set_num_threads(2)
    shared = function(batch)
    torch.set_num_threads(before)
    assert torch.equal(shared, whole)
