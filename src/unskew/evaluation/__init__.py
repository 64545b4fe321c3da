"""How good a classifier is, class by class, and whether one is better than another."""
