"""Whether an optimum exists without a penalty.

Where a linear function tells the classes apart without an error, the loss falls as long as the
coefficients grow: there is none (complete separation; quasi-complete, where it tells some rows
apart and others not at all: Albert and Anderson, On the existence of maximum likelihood estimates
in logistic regression models, 1984). Rows without a weight don't count.

What is tried, until one decides:

1. A model that is right of every row proves complete separation.
2. `overlap.proves_overlap` proves that there is an optimum.
3. A sparse feature of one sign that no row of some class has, as categories are that are never of
   it, proves quasi-complete separation.
4. `separating_program.look_for_direction` finds which it is, where the product of features and
   classes is at most a few hundred.
5. Otherwise a further step of Newton's method, within each class, may raise a suspicion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..objective.coordinates import choose_coordinates
from ..objective.dense import LossAndGradient
from ..objective.feature_sums import sum_features
from ..objective.passes import accumulator_of
from ..solvers.newton.hessian import derive_blocks, factor_blocks
from ..solvers.newton.subsample import take_sample
from ..solvers.room import has_room
from .margins import WeighedRows, rounding_of
from .overlap import probabilities_of_others, proves_overlap
from .separating_program import is_small_enough, look_for_direction

Separation = Literal["complete", "quasi-complete", "suspected"]

# Of a step at the end, in logits: it is about 1 where coefficients grow without bound, however
# large they are, and next to nothing at an optimum.
_GROWTH = 0.5
# Of a step that separates: what a margin may fall, as a share of the largest growth.
_FALL = 0.1
# Of another class than the target, what is as good as none.
_DOUBT = 1e-2
# Of rows that are read in blocks, those that are taken to prove that classes overlap.
_SAMPLED_ROWS = 20_000


def find_separation(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    n_threads: int | None,
) -> Separation | None:
    """Whether rows can be separated, by the model that a solver has ended at.

    Where it can be proven, the model doesn't matter; one near the optimum saves time.

    Parameters
    ----------
    problem : Problem
        With a convex loss and without a penalty.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    fit_intercept : bool
    n_threads : int or None

    Returns
    -------
    {"complete", "quasi-complete", "suspected"} or None
        The first two are proven, to the accuracy that `look_for_direction` names. Of as many
        features and classes as that doesn't take, None may mean that nothing is known.
    """
    problem = problem.as_matrix()
    views = _views_of(problem, fit_intercept, n_threads)
    rows = views.some
    if not rows.n_unknowns:
        return None
    model = rows.direction_of(weights, bias)
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    if all(views.of_all(_IsRight(model))):
        return "complete"
    with np.errstate(all="ignore"):
        gradient = rows.gradient_of(totals.weights_gradient, totals.bias_gradient)
    if np.isfinite(gradient).all() and proves_overlap(rows, model, gradient):
        return None
    if problem.is_sparse and views.are_all and _lacks_a_class(problem, rows.rows):
        return "quasi-complete"
    if is_small_enough(rows):
        finding = look_for_direction(rows, model)
        if finding == "none":  # of some rows, hence of all
            return None
        if finding != "unknown" and views.are_all:
            return finding
    return _suspect(problem, views, weights, bias, totals, n_threads)


def describe(separation: Separation) -> str:
    """What a warning or an error says of it."""
    return {
        "complete": "the features separate the classes completely",
        "quasi-complete": "the features separate some rows from other classes (quasi-complete "
        "separation)",
        "suspected": "the features seem to separate some rows from other classes (quasi-complete "
        "separation), which can't be proven for so many coefficients",
    }[separation]


@dataclass(frozen=True)
class _Views:
    """Rows in the same coordinates.

    Attributes
    ----------
    some : WeighedRows
        All of them if they are in memory, else a sample of each class.
    of_all : callable
        Gives what a function gives for all rows, some at a time, in any number of parts.
    are_all : bool
        Whether `some` are all.
    """

    some: WeighedRows
    of_all: Callable[[Callable[[WeighedRows], Any]], list[Any]]
    are_all: bool


def _views_of(problem: Problem, fit_intercept: bool, n_threads: int | None) -> _Views:
    if not isinstance(problem, BlockedProblem):
        rows = WeighedRows(problem, fit_intercept=fit_intercept)
        return _Views(rows, lambda function: [function(rows)], are_all=True)
    blocks, kind = problem.rows, problem.kind
    found = blocks.map(_OfBlock(kind, fit_intercept, None, _limits_of), None, n_threads)
    lowest, highest = (np.array(each) for each in zip(*found, strict=True))
    limits = lowest.min(axis=0), highest.max(axis=0)
    counts = problem.class_counts
    n_taken = np.minimum(counts, -(-_SAMPLED_ROWS // len(counts)))
    part = problem.take(problem.draw(n_taken, seed=0), n_threads)
    return _Views(
        WeighedRows(part, fit_intercept=fit_intercept, limits=limits),
        lambda function: blocks.map(
            _OfBlock(kind, fit_intercept, limits, function), None, n_threads
        ),
        are_all=part.n_samples == counts.sum(),
    )


@dataclass(frozen=True)
class _OfBlock:
    """What a function gives for the rows of a block that have a weight."""

    kind: BlockKind
    fit_intercept: bool
    limits: tuple[FloatArray, FloatArray] | None
    function: Callable[[WeighedRows], Any]

    def __call__(self, block: Block, n_threads: int | None) -> Any:
        problem = self.kind.problem_of(block)
        rows = WeighedRows(problem, fit_intercept=self.fit_intercept, limits=self.limits)
        return self.function(rows)


def _limits_of(rows: WeighedRows) -> tuple[FloatArray, FloatArray]:
    return rows.find_limits()


@dataclass(frozen=True)
class _IsRight:
    """Whether a model is right of every row, beyond rounding."""

    model: FloatArray

    def __call__(self, rows: WeighedRows) -> bool:
        rounding = rounding_of(self.model)
        blocks = rows.blocks()
        return all(bool((block.margins(self.model) > rounding).all()) for block in blocks)


@dataclass(frozen=True)
class _GrowthAndFall:
    """By how much the margins of rows grow along a direction where a model is certain, or fall."""

    model: FloatArray
    direction: FloatArray

    def __call__(self, rows: WeighedRows) -> tuple[float, float]:
        growth = fall = 0.0
        for block in rows.blocks():
            margins = block.margins(self.direction)
            others = probabilities_of_others(block, self.model)
            grows = margins[(others < _DOUBT) & np.isfinite(margins)]
            growth = max(growth, float(grows.max(initial=0.0)))
            fall = max(fall, -float(margins.min()))
        return growth, fall


def _lacks_a_class(problem: Problem, rows: npt.NDArray[np.int64]) -> bool:
    """Whether some class has no row in which a sparse feature of one sign isn't zero."""
    features = csr_array(problem.features)[rows]
    features.eliminate_zeros()
    columns = features.tocsc()
    are_there = np.diff(columns.indptr) > 0
    starts = columns.indptr[:-1][are_there]
    if not len(starts):
        return False
    lowest, highest = (each.reduceat(columns.data, starts) for each in (np.minimum, np.maximum))
    is_sided = (lowest > 0.0) | (highest < 0.0)
    targets = problem.targets[rows][columns.indices]
    is_lacking = np.zeros(len(starts), bool)
    for label in range(problem.n_classes):
        is_lacking |= np.add.reduceat((targets == label).astype(np.int64), starts) == 0
    return bool((is_sided & is_lacking).any())


def _suspect(
    problem: Problem,
    views: _Views,
    weights: FloatArray,
    bias: FloatArray,
    totals: LossAndGradient,
    n_threads: int | None,
) -> Separation | None:
    """Whether a step of Newton's method goes on where it shouldn't.

    In a direction that separates, it moves logits by about 1 however far the model has come, and
    lowers no margin. A step towards an optimum near by is short, and one towards an optimum far
    away lowers some.
    """
    if not has_room(*weights.shape):
        return None
    rows = views.some
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=rows.fit_intercept)
    sample = take_sample(problem, coordinates, n_threads)
    total = problem.total_weight
    gradient = coordinates.gradient_of(
        totals.weights_gradient / total, totals.bias_gradient / total
    )
    without_penalty = np.zeros(sample.n_unknowns)
    point = coordinates.point_of(weights, bias)
    blocks = derive_blocks(sample, point, without_penalty, n_threads)
    divide = factor_blocks(blocks, without_penalty, len(bias))
    step = -divide(gradient.T.ravel()).reshape(len(bias), -1).T
    model = rows.direction_of(weights, bias)
    direction = rows.direction_of(*coordinates.model_of(step, np.zeros(len(bias))))
    found = views.of_all(_GrowthAndFall(model, direction))
    growth, fall = (max(each) for each in zip(*found, strict=True))
    return "suspected" if growth > _GROWTH and fall < _FALL * growth else None
