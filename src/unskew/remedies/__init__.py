"""Cures for class imbalance, one file each, behind the one protocol of `unskew.remedies.base`."""
