"""Tests of `bridge.control`."""
