"""Tests of the render of recordings."""
