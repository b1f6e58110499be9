"""Tests of cstalk_bridge.models.speech_emotion."""
