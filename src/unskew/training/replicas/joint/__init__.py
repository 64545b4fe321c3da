"""Layers of many networks at once: tensors (R, ...) in, tensors (R, ...) out.

PyTorch's rules for its own layers under `torch.func.vmap` cost copies of all activations, leave
cuDNN's fast convolutions for slow grouped ones, and have none for an LSTM.
"""
