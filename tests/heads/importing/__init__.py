"""Tests of the import of heads."""
