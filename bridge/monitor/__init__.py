"""Monitoring of a run: metrics, health, status lines and the log."""
