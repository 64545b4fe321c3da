"""Remedies that learn the features first and the classifier after (Kang et al. 2020)."""
