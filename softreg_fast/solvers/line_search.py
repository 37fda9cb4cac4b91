"""The line search of all solvers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

There = TypeVar("There")

# Armijo's condition.
SUFFICIENT_DECREASE = 1e-4
# Of the value: what differences may be nothing but rounding of.
ROUNDING = 1e-11
_LEAST_SHRINKING, _MOST_SHRINKING = 0.5, 0.1
_LEAST_GROWTH, _MOST_GROWTH = 1.5, 10.0


@dataclass(frozen=True)
class Trial(Generic[There]):
    """A point on the line.

    Attributes
    ----------
    there : object
        What the search is given back.
    rise : float
        The value there, less that at the start of the line.
    slope : float
        The derivative of the value along the line; NaN if it isn't known.
    """

    there: There
    rise: float
    slope: float = float("nan")


@dataclass(frozen=True)
class Found(Generic[There]):
    """Where a search has ended.

    Attributes
    ----------
    there : object
    was_too_long : bool
        Whether the first length had to be shortened.
    """

    there: There
    was_too_long: bool


def search(
    evaluate: Callable[[float], Trial[There]],
    value: float,
    slope: float,
    *,
    max_trials: int,
    length: float = 1.0,
    rounding: float = 0.0,
    steepest_end: float | None = None,
) -> Found[There] | None:
    """A point that is enough lower.

    It is lower by Armijo's condition, or by the approximate one of Hager and Zhang, A new conjugate
    gradient method with guaranteed descent and an efficient line search, 2005, where differences of
    values are nothing but rounding.

    Parameters
    ----------
    evaluate : callable
        Gives the trial at a length.
    value : float
        At the start of the line.
    slope : float
        There, below zero.
    max_trials : int
    length : float, default=1
        Of the first trial.
    rounding : float, default=0
        A rise that counts as none in Armijo's condition.
    steepest_end : float, default=None
        The slope at the end must be at least this share of that at the start (Wolfe's condition);
        else longer ones are tried. None asks for nothing.

    Returns
    -------
    Found or None
        None if there is no such point.
    """
    lower, upper = 0.0, np.inf
    slope_at_lower = slope
    was_too_long = False
    best: There | None = None
    for _ in range(max_trials):
        trial = evaluate(length)
        if not _is_low_enough(trial, length, value, slope, rounding):
            was_too_long = was_too_long or lower == 0.0
            upper = length
            length = lower + (upper - lower) * _shrinking(trial, slope_at_lower)
            continue
        if steepest_end is None or trial.slope >= steepest_end * slope:
            return Found(trial.there, was_too_long)
        best = trial.there
        before, lower = lower, length
        length = _lengthen(before, lower, upper, slope_at_lower, trial.slope)
        slope_at_lower = trial.slope
    return None if best is None else Found(best, was_too_long)


def _is_low_enough(
    trial: Trial[There], length: float, value: float, slope: float, rounding: float
) -> bool:
    if trial.rise <= SUFFICIENT_DECREASE * length * slope + rounding:
        return True
    is_near = (2.0 * SUFFICIENT_DECREASE - 1.0) * slope >= trial.slope
    return trial.rise <= ROUNDING * abs(value) and is_near


def _shrinking(trial: Trial[There], slope: float) -> float:
    """How much of an interval to go, whose end isn't low enough."""
    factor = _MOST_SHRINKING
    if trial.slope > slope:  # where the slope is zero, if it changes evenly
        factor = slope / (slope - trial.slope)
    elif np.isfinite(trial.rise):
        factor = _LEAST_SHRINKING
    return min(max(factor, _MOST_SHRINKING), _LEAST_SHRINKING)


def _lengthen(before: float, length: float, upper: float, slope: float, slope_here: float) -> float:
    """A longer length, where the slope is zero if it changes evenly."""
    way = length - before
    change = slope_here - slope
    growth = -slope_here / change if change > 0.0 else np.inf
    if np.isfinite(upper):
        share = growth * way / (upper - length)
        return length + (upper - length) * min(max(share, _MOST_SHRINKING), _LEAST_SHRINKING)
    longest = _MOST_GROWTH * length
    return min(max(length + growth * way, _LEAST_GROWTH * length), longest)
