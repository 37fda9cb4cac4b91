"""The linear programme that finds a direction in which classes are separated.

After Konis, Linear programming algorithms for detecting separated data in binary logistic
regression models, 2007, for any number of classes: of a direction along which no margin falls, the
sum of the margins that grow, each counted up to 1, is maximised. It is zero where none grows, and
else at least 1, since a direction may be of any length. Few of the margins are needed to decide:
those that the last direction has made fall are added until there are none.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from .._typing import FloatArray
from .margins import Indices, WeighedRows

Finding = Literal["complete", "quasi-complete", "none", "unknown"]

# Unknowns of a programme; margins that are added at a time, at least and for each unknown.
_MOST_UNKNOWNS = 300
_FEWEST_ADDED, _ADDED_PER_UNKNOWN = 256, 2
_MOST_ROUNDS = 25
# Methods of HiGHS, which sometimes gives up, and how large elements of a direction may be, for
# margins of which the largest coefficient is about 1.
_ATTEMPTS = (("highs-ds", 1e5), ("highs-ds", 1e3), ("highs-ipm", 1e5))
_TOLERANCE = 1e-9
# Of the sum that is maximised: below it is what the solver's tolerance brings.
_LEAST_SUM = 1e-6
# Of margins, if the largest is 1: below it they are taken as zero.
_LEAST_MARGIN = 1e-8


def is_small_enough(rows: WeighedRows) -> bool:
    """Whether the programme is likely to be solved in a few seconds."""
    return rows.n_unknowns * (rows.n_classes - 1) <= _MOST_UNKNOWNS


@dataclass(frozen=True)
class _Survey:
    """All margins along a direction.

    Attributes
    ----------
    largest : float
    lowest : float
        Of those that aren't in the programme.
    pairs : ndarray of shape (n_chosen,), int64
        The lowest of these: rows times the number of classes, plus the other classes.
    """

    largest: float
    lowest: float
    pairs: Indices


def _normalise(rows: WeighedRows, design: FloatArray) -> FloatArray:
    """Rows whose largest elements are near 1, as they are with an intercept."""
    if rows.fit_intercept:
        return design
    largest = np.abs(design).max(axis=1, initial=0.0)
    exponents = np.frexp(largest)[1]
    normalised: FloatArray = np.ldexp(design, -exponents[:, None])
    return normalised


def _is_in(pairs: Indices, known: Indices) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(pairs), bool)
    places = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    is_in: npt.NDArray[np.bool_] = known[places] == pairs
    return is_in


def _survey(rows: WeighedRows, direction: FloatArray, known: Indices, n_wanted: int) -> _Survey:
    n_classes = rows.n_classes
    largest, lowest = -np.inf, np.inf
    pairs, lows = np.zeros(0, np.int64), np.zeros(0)
    for given in rows.blocks():
        block = replace(given, design=_normalise(rows, given.design))
        margins = block.margins(direction)
        finite = margins[np.isfinite(margins)]
        largest = max(largest, float(finite.max()))
        flat = margins.ravel()
        codes = (block.rows[:, None] * n_classes + np.arange(n_classes)).ravel()
        places = np.searchsorted(codes, known)
        places = places[places < len(codes)]
        flat[places[_is_in(codes[places], known)]] = np.inf
        n_kept = min(n_wanted, len(flat))
        chosen = np.argpartition(flat, n_kept - 1)[:n_kept]
        chosen = chosen[np.isfinite(flat[chosen])]
        pairs, lows = np.append(pairs, codes[chosen]), np.append(lows, flat[chosen])
        order = np.lexsort((pairs, lows))[:n_wanted]
        pairs, lows = pairs[order], lows[order]
    if len(lows):
        lowest = float(lows[0])
    return _Survey(largest, lowest, pairs)


class _Programme:
    """Margins, and the direction in which as many as can be grow.

    The sum of all margins is one of them: where it is zero, each of those that aren't in the
    programme is.
    """

    def __init__(self, rows: WeighedRows) -> None:
        self._rows = rows
        self.pairs = np.zeros(0, np.int64)
        self._distinct: set[bytes] = set()
        self._parts: list[csr_array] = [csr_array(self._total()[None])]

    @property
    def _size(self) -> int:
        return self._rows.n_unknowns * (self._rows.n_classes - 1)

    def _total(self) -> FloatArray:
        rows = self._rows
        by_class = np.zeros((rows.n_classes, rows.n_unknowns))
        for block in rows.blocks():
            design = _normalise(rows, block.design)
            for target in np.unique(block.targets):
                by_class[target] += design[block.targets == target].sum(axis=0)
        total = rows.n_classes * by_class - by_class.sum(axis=0)
        flat: FloatArray = total[1:].ravel()
        return flat / (np.abs(flat).max() or 1.0)

    def add(self, pairs: Indices, n_most: int) -> bool:
        """Take in some margins; whether there was a new one."""
        rows = self._rows
        row_numbers, others = np.divmod(pairs, rows.n_classes)
        distinct, places = np.unique(row_numbers, return_inverse=True)
        block = rows.take(distinct)
        design = _normalise(rows, block.design)[places]
        targets = block.targets[places]
        kept = []
        for place in range(len(pairs)):
            key = design[place].tobytes() + bytes(f"{targets[place]},{others[place]}", "ascii")
            if key in self._distinct:
                continue
            self._distinct.add(key)
            kept.append(place)
            if len(kept) == n_most:
                break
        if not kept:
            return False
        taken = np.array(kept)
        n_unknowns = rows.n_unknowns
        coefficients = np.zeros((len(taken), rows.n_classes, n_unknowns))
        count = np.arange(len(taken))
        coefficients[count, targets[taken]] = design[taken]
        coefficients[count, others[taken]] = -design[taken]
        self._parts.append(csr_array(coefficients[:, 1:].reshape(len(taken), -1)))
        self.pairs = np.sort(np.append(self.pairs, pairs[taken]))
        return True

    def solve(self) -> tuple[float, FloatArray] | None:
        """The sum, and the direction; None where the solver has failed."""
        margins = vstack(self._parts, format="csr")
        n_margins, size = margins.shape
        growths = eye_array(n_margins, format="csr")
        costs = np.append(np.zeros(size), np.full(n_margins, -1.0))
        differences = hstack([-margins, growths], format="csr")
        for method, longest in _ATTEMPTS:
            result = linprog(
                costs,
                A_ub=differences,
                b_ub=np.zeros(n_margins),
                bounds=np.array([[-longest, longest]] * size + [[0.0, 1.0]] * n_margins),
                method=method,
                options={
                    "primal_feasibility_tolerance": _TOLERANCE,
                    "dual_feasibility_tolerance": _TOLERANCE,
                },
            )
            if result.status == 0:
                break
        else:
            return None
        flat = result.x[:size].reshape(-1, self._rows.n_unknowns)
        return -float(result.fun), np.vstack([np.zeros(flat.shape[1]), flat]).T

    def holds_a_tie(self, direction: FloatArray, least: float) -> bool:
        """Whether one of its margins doesn't grow."""
        flat = direction.T[1:].ravel()
        return any(bool((part @ flat <= least).any()) for part in self._parts[1:])


def look_for_direction(rows: WeighedRows, model: FloatArray) -> Finding:
    """Whether there is a direction that separates classes.

    Parameters
    ----------
    rows : WeighedRows
    model : ndarray of shape (n_unknowns, n_classes)
        Whose lowest margins are looked at first.

    Returns
    -------
    {"complete", "quasi-complete", "none", "unknown"}
        Proven but for the rounding of the features' differences and the tolerance of the linear
        programme, about 1e-8 of the largest margin, unless "unknown".
    """
    n_added = max(_FEWEST_ADDED, _ADDED_PER_UNKNOWN * rows.n_unknowns * (rows.n_classes - 1))
    n_wanted = 4 * n_added
    programme = _Programme(rows)
    programme.add(_survey(rows, model, programme.pairs, n_wanted).pairs, n_added)
    for _ in range(_MOST_ROUNDS):
        solved = programme.solve()
        if solved is None:
            return "unknown"
        total, direction = solved
        if total < _LEAST_SUM:
            return "none"
        survey = _survey(rows, direction, programme.pairs, n_wanted)
        if survey.largest <= 0.0:
            return "none"
        least = _LEAST_MARGIN * survey.largest
        separates = survey.lowest >= -least
        if separates and programme.holds_a_tie(direction, least):
            return "quasi-complete"
        if survey.lowest > least:
            return "complete"
        if not programme.add(survey.pairs, n_added):
            return "quasi-complete" if separates else "unknown"
    return "unknown"
