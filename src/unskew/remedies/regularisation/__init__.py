"""Remedies that act on the weights: where they decay, how long they are, how flat they lie."""
