"""Remedies that choose which examples an epoch shows."""
