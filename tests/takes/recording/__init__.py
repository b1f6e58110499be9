"""Tests of the recording of takes."""
