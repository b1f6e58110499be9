"""Tests of `cstalk_bridge.control`."""
