"""A finished study as a page that a person would hand in."""
