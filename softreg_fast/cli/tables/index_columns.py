"""Columns that number the rows, or name each one, by their names and values."""

import re

_UNNAMED = re.compile(r"(unnamed: ?\d+|column 1|__index_level_\d+__|)", re.IGNORECASE)
_IDENTIFIER = re.compile(
    r"(id|ids|index|idx|uuid|guid|key|row|row ?_?(id|no|number|num|index))|.+[_ .-](id|uuid|guid)"
    r"|.*[a-z]I[dD]",
    re.IGNORECASE,
)
# Fewer integers may follow each other by chance.
FEWEST_IN_SEQUENCE = 20


def is_unnamed(name: str) -> bool:
    """Whether a name is one that programs write for an index."""
    return _UNNAMED.fullmatch(name.strip()) is not None


def is_identifier(name: str) -> bool:
    """Whether a name is one that identifiers have."""
    return _IDENTIFIER.fullmatch(name.strip()) is not None
