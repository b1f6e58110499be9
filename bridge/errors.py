"""Errors that the user can mend: each names the place, the limit and the remedy."""

from cstalk_bridge.models.errors import Problem, UserError

__all__ = ["Problem", "UserError"]
