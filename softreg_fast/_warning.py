"""Warnings that point at the line of the program that called."""

import sys
import warnings
from types import FrameType

# How many frames of wrappers lie between differs between versions of scikit-learn.
_PACKAGES_BETWEEN = (__name__.partition(".")[0], "sklearn", "joblib")


def _is_between(frame: FrameType) -> bool:
    """Whether it is a frame of this package, or of one that has called it for somebody else."""
    name = frame.f_globals.get("__name__", "")
    return str(name).partition(".")[0] in _PACKAGES_BETWEEN


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line outside this package, scikit-learn and joblib.

    Parameters
    ----------
    message : str
    category : type
        Of the warning.
    """
    frame: FrameType = sys._getframe()
    level = 1
    while frame.f_back is not None and _is_between(frame):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
