"""Diagnostics: `doctor` checks every part of a run, `listen` shows which streams arrive here."""
