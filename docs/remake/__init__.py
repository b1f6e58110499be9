"""One module for each of README's pictures."""
