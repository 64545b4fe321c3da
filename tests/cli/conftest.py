"""The tiny study's fixtures."""

from tests.tiny_study import cache, data, finished, squares, tiny  # noqa: F401
