"""Bench: what is promised, measured on the machine at hand."""
