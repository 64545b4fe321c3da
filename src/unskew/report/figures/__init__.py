"""The report's figures, one kind a file; each returns a Matplotlib figure."""
