"""Parts of a training step that PyTorch does in several passes over memory, done in one.

Each kernel is a small C file, one in the folder of each number format, that the machine's own
compiler builds once, at first use, into the user's cache; the Python file of its name gives it to
PyTorch's autograd. Where there is no compiler, or it fails, networks run on PyTorch's own operators
and the run says so.
"""
