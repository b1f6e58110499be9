"""Tests of cstalk_bridge.audio."""
