"""Tests of cstalk_bridge.timecode."""
