"""The one error that a user can cause."""


class UserError(ValueError):
    """Bad input, in one line: what was wrong and what would be right. Commands print it without a traceback."""
