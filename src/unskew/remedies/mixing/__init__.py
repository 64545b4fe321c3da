"""Remedies that make one image of two."""
