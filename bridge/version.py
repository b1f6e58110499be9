"""The version of the program, from the metadata of its package."""

from __future__ import annotations


def program_version() -> str:
    """Return the installed version, or words that say why there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cstalk-bridge")
    except PackageNotFoundError:
        return "(not installed: run from its folder)"
