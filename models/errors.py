"""Errors of models that a user can mend."""


class WeightsError(ValueError):
    """A weights file is missing, damaged or does not fit; the message names the remedy."""
