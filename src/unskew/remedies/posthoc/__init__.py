"""Remedies that change logits after training, and nothing before."""
