"""What PyTorch has no kernel for on a GPU, in Triton (`in_triton`).

Most functions here take PyTorch's operators where their tensors are on a CPU or Triton is not at
hand; for others the caller has another way. So nothing needs a GPU, and what the kernels compute is
tested against what they stand for.
"""
