"""Kernels for a GPU; importing them imports Triton."""
