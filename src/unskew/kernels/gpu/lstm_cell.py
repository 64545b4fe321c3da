"""One step of an LSTM's cells, forward and backward, for many networks at once."""

from __future__ import annotations

import torch
from torch import Tensor

from unskew.kernels.gpu.triton_at_hand import takes


def step(gates: Tensor, cells: Tensor, new_cells: Tensor, hidden: Tensor) -> None:
    """c' = σ(f)·c + σ(i)·tanh(g) and h = σ(o)·tanh(c') (Hochreiter & Schmidhuber 1997).

    Parameters
    ----------
    gates: (R, B, 4H), before their activations, in PyTorch's order i, f, g, o. The last dimension
        is contiguous; so are those of the other tensors.
    cells: float32 (R, B, H), c.
    new_cells: float32 (R, B, H); c' is written here.
    hidden: (R, B, H); h is written here, rounded to its dtype.
    """
    if takes(gates):
        from unskew.kernels.gpu.in_triton import lstm_cell as in_triton

        in_triton.step(gates, cells, new_cells, hidden)
        return
    enter, forget, new, show = gates.float().chunk(4, dim=-1)
    torch.addcmul(forget.sigmoid() * cells, enter.sigmoid(), new.tanh(), out=new_cells)
    hidden.copy_(show.sigmoid() * new_cells.tanh())


def step_back(
    gates: Tensor,
    cells: Tensor,
    new_cells: Tensor,
    from_above: Tensor,
    from_next: Tensor,
    cell_gradient: Tensor,
    gate_gradient: Tensor,
) -> None:
    """The gradient of `step`.

    Parameters
    ----------
    gates, cells, new_cells: as `step` had and left them.
    from_above, from_next: (R, B, H), gradients at h; their sum is meant.
    cell_gradient: float32 (R, B, H), at c', and afterwards at c.
    gate_gradient: (R, B, 4H); written, at the gates.
    """
    if takes(gates):
        from unskew.kernels.gpu.in_triton import lstm_cell as in_triton

        in_triton.step_back(
            gates, cells, new_cells, from_above, from_next, cell_gradient, gate_gradient
        )
        return
    enter, forget, new, show = gates.float().chunk(4, dim=-1)
    enter, forget, new, show = enter.sigmoid(), forget.sigmoid(), new.tanh(), show.sigmoid()
    shown = new_cells.tanh()
    gradient = from_above.float() + from_next.float()
    cell_gradient.addcmul_(gradient * show, 1 - shown * shown)
    parts = (
        cell_gradient * new * enter * (1 - enter),
        cell_gradient * cells * forget * (1 - forget),
        cell_gradient * enter * (1 - new * new),
        gradient * shown * show * (1 - show),
    )
    gate_gradient.copy_(torch.cat(parts, dim=-1))
    cell_gradient.mul_(forget)
