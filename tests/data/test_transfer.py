import torch

from unskew.data.transfer import Constant, moved


def test_on_the_cpu_it_is_a_conversion():
    values = torch.tensor([1.5, 2.0], dtype=torch.float64)
    like = torch.zeros(3, dtype=torch.bfloat16)
    assert moved(values, like) is values
    halved = moved(values, like, like.dtype)
    assert halved.dtype == torch.bfloat16
    assert halved.tolist() == [1.5, 2.0]


def test_a_constant_is_converted_once_for_each_dtype():
    constant = Constant(torch.tensor([1.5, 2.0], dtype=torch.float64))
    single, half = (torch.zeros(1, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    assert constant.like(single).dtype == torch.float32
    assert constant.like(single) is constant.like(single)
    assert constant.like(half).dtype == torch.bfloat16
