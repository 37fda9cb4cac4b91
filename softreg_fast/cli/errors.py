"""Errors that users make."""


class UserError(ValueError):
    """A mistake of the user; the message is one line, and names the remedy."""
