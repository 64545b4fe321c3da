"""The report's sections, one file each: results in, blocks out."""
