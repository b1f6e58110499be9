"""Tests of `cstalk_bridge.diagnostics`."""
