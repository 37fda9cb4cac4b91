"""Coordinate descent on a quadratic function plus weighted absolute values."""

from dataclasses import dataclass

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel


@dataclass(frozen=True)
class CoordinatesSpecialisation:
    """The types that the entry point is compiled for: there is one."""


def _coordinates_types(_: CoordinatesSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    vector, fixed = array_type(double, 1), array_type(double, 1, readonly=True)
    return (
        array_type(double, 3, readonly=True),
        array_type(double, 2, readonly=True),
        fixed,
        fixed,
        fixed,
        fixed,
        types.float64,
        types.int64,
        vector,
        vector,
        vector,
    )


@kernel
def _soften(value, threshold):
    """The value nearer to zero by the threshold."""
    if value > threshold:
        return value - threshold
    if value < -threshold:
        return value + threshold
    return 0.0


@entry_point(_coordinates_types)
def descend_coordinates(
    matrices,
    corrections,
    signs,
    diagonal,
    current,
    penalties,
    tolerance,
    n_sweeps,
    slopes,
    products,
    step_out,
):
    """Minimise ``slopes @ step + step @ H @ step / 2 + penalties @ abs(current + step)``.

    ``H`` is made of blocks on the diagonal, plus the outer squares of some vectors. One coordinate
    is moved after the other: all of them, then those that aren't zero until these hardly change any
    more, then all again.

    Parameters
    ----------
    matrices : (n_blocks, n, n)
        Symmetric.
    corrections : (n_corrections, n_blocks * n)
    signs : (n_corrections,)
        Of the outer squares, 1 or -1.
    diagonal : (n_blocks * n,)
        That of ``H``; a coordinate for which it is zero is left alone.
    current, penalties : (n_blocks * n,)
    tolerance : float
        Of the largest change of the slopes that a sweep brings, relative to the first sweep's.
    n_sweeps : int
        At most, over all or some coordinates.
    slopes : (n_blocks * n,)
        Those where `step_out` begins; what ``matrices`` bring from there on is added.
    products : (n_corrections,)
        Zero at first; becomes ``corrections`` times the change of `step_out`.
    step_out : (n_blocks * n,)
        The start, changed in place.

    Returns
    -------
    int
        Sweeps.
    """
    n_coordinates = len(current)
    n = matrices.shape[1]
    n_corrections = len(signs)
    largest_first = 0.0
    takes_all = True
    for sweep in range(n_sweeps):
        largest = 0.0
        for place in range(n_coordinates):
            curvature = diagonal[place]
            before = current[place] + step_out[place]
            if curvature <= 0.0 or not (takes_all or before != 0.0):
                continue
            slope = slopes[place]
            for each in range(n_corrections):
                slope += signs[each] * corrections[each, place] * products[each]
            after = _soften(before - slope / curvature, penalties[place] / curvature)
            change = after - before
            if change == 0.0:
                continue
            # So that it is zero where it should be, without rounding.
            step_out[place] = -current[place] if after == 0.0 else step_out[place] + change
            block = place // n
            row = matrices[block, place - block * n]
            part = slopes[block * n : block * n + n]
            for other in range(n):
                part[other] += change * row[other]
            for each in range(n_corrections):
                products[each] += change * corrections[each, place]
            largest = max(largest, curvature * abs(change))
        largest_first = max(largest_first, largest)
        is_done = largest <= tolerance * largest_first
        if is_done and takes_all:
            return sweep + 1
        takes_all = is_done
    return n_sweeps
