"""How much memory second derivatives may take."""

_MOST_BYTES_OF_DERIVATIVES = 1 << 28


def has_room(n_features: int, n_columns: int) -> bool:
    """Whether second derivatives within each class, and their factors, take at most 256 MiB."""
    return 16 * n_columns * (n_features + 1) ** 2 <= _MOST_BYTES_OF_DERIVATIVES
