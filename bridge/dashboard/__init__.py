"""The dashboard: the state of a run in a terminal, and the keys that control it."""
