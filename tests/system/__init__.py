"""Tests of cstalk_bridge.system."""
