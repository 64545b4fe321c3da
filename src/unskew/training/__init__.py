"""One training run: its recipe, its loop, its state, its outcome."""
