import torch

from unskew.data.transfer import moved


def test_on_the_cpu_it_is_a_conversion():
    values = torch.tensor([1.5, 2.0], dtype=torch.float64)
    like = torch.zeros(3, dtype=torch.bfloat16)
    assert moved(values, like) is values
    halved = moved(values, like, like.dtype)
    assert halved.dtype == torch.bfloat16
    assert halved.tolist() == [1.5, 2.0]
