import torch

from unskew.data.side_by_side import side_by_side


def test_a_step_of_all_runs_is_one_slice():
    rows = [torch.arange(7) + 100 * run for run in range(3)]
    joined = side_by_side(rows, 3)
    assert joined[:9].tolist() == [0, 1, 2, 100, 101, 102, 200, 201, 202]
    assert joined[9:18].tolist() == [3, 4, 5, 103, 104, 105, 203, 204, 205]
    assert joined[18:].tolist() == [6, 106, 206]  # the shorter last batch of each


def test_what_each_position_has_may_be_a_pair_and_batches_may_fill_the_epoch():
    rows = [torch.arange(8).view(4, 2), torch.arange(8).view(4, 2) + 10]
    joined = side_by_side(rows, 2)
    assert joined.shape == (8, 2)
    assert joined[:, 0].tolist() == [0, 2, 10, 12, 4, 6, 14, 16]
    assert side_by_side(rows, 9).tolist() == torch.cat(rows).tolist()
