"""Tests of cstalk_bridge.models.cstalk."""
