"""Tests of cstalk_bridge.models.evaluation.suites."""
