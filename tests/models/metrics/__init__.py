"""Tests of cstalk_bridge.models.metrics."""
