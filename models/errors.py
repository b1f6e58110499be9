"""What can go wrong with a model, in words for its user."""


class WeightsError(ValueError):
    """A weights file is missing, damaged or does not fit: what, where, and the remedy."""
