"""Tests of bridge.audio."""
