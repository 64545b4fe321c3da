"""Remedies that compare features of several views beside classifying them."""
