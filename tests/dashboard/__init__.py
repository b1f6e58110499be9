"""Tests of `cstalk_bridge.dashboard`."""
