"""Images with labels: where they come from, how they are skewed, split, drawn and augmented."""
