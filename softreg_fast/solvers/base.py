"""What all solvers have in common: options, what they return, and what they can do.

A solver minimises the objective of a problem from a start::

    solver.solve(problem, options, start, observer) -> SolverResult

It declares in a `Solver` what it can do and what it costs; `registry` chooses by that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray, Model
from ..data.blocked import BlockedProblem
from ..data.problem import Penalty, Problem
from ..objective.dense import LossAndGradient
from ..objective.moments import FeatureSums
from ..objective.objective import Evaluation, Objective
from ..objective.optimality import Optimality, Tolerance
from .observer import Observer
from .sgd.options import SgdOptions

There = TypeVar("There")

# Of the objective, what gradient descent may leave without a warning.
CLOSE = 0.01
# Of the gradient, and of the objective: what counts as progress.
_PROGRESS = 0.9
LEAST_FALL = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class SolverOptions:
    """How to minimise.

    Attributes
    ----------
    tolerance : Tolerance
        When to stop.
    max_iterations : int
        Iterations or epochs.
    fit_intercept : bool, default=True
        Whether the bias is fitted. Otherwise it stays what it is at the start.
    n_threads : int or None, default=None
        See `runtime.threads.count_threads`.
    sgd : SgdOptions
        Only used by gradient descent.
    """

    tolerance: Tolerance
    max_iterations: int
    fit_intercept: bool = True
    n_threads: int | None = None
    sgd: SgdOptions = field(default_factory=SgdOptions)


@dataclass(frozen=True)
class SolverResult:
    """A model, the way there, and how good it is.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    objectives : ndarray of shape (n_iterations,)
        The objective after each iteration, divided by the sum of the sample weights. Gradient
        descent takes the losses of an epoch as the rows are met.
    objective : float
        Of the model, divided by the sum of the sample weights; NaN if the solver doesn't know.
    converged : bool
        Whether the tolerance was reached; with held-out rows, whether their loss has stopped
        falling. Gradient descent doesn't know of its tolerance.
    optimality : Optimality or None
        How good the model is, if the solver knows.
    has_stopped : bool
        Whether the solver ended before its last iteration, because the objective, or the loss of
        held-out rows, fell too little.
    was_interrupted : bool
        Whether the observer ended it.
    remaining : float
        About (objective - optimum) / objective, or a bound of it; NaN if it isn't known.
    validation_losses : ndarray of shape (n_iterations,) or None
        Mean loss of the held-out rows after each epoch.
    sums : FeatureSums or None
        Of the problem's features.
    totals : LossAndGradient or None
        Loss and gradient of the model, if gradient descent knows them.
    """

    weights: FloatArray
    bias: FloatArray
    objectives: FloatArray
    objective: float = field(default=float("nan"), kw_only=True)
    converged: bool = field(default=False, kw_only=True)
    optimality: Optimality | None = field(default=None, kw_only=True)
    has_stopped: bool = field(default=False, kw_only=True)
    was_interrupted: bool = field(default=False, kw_only=True)
    remaining: float = field(default=float("nan"), kw_only=True)
    validation_losses: FloatArray | None = field(default=None, kw_only=True)
    sums: FeatureSums | None = field(default=None, kw_only=True)
    totals: LossAndGradient | None = field(default=None, kw_only=True)

    @property
    def model(self) -> Model:
        """Weights and bias."""
        return self.weights, self.bias

    @property
    def n_iterations(self) -> int:
        """Iterations or epochs."""
        return len(self.objectives)

    @property
    def is_close(self) -> bool:
        """Whether gradient descent ended where it should: close to the lowest objective."""
        return self.has_stopped and not self.remaining > CLOSE


Solve = Callable[[Problem, SolverOptions, Model, Observer | None], SolverResult]
Report = Callable[[int, int, SolverResult], None]
"""Told of the number of a fold, that of a penalty, and what was found for them."""
FollowPaths = Callable[
    [
        Problem,
        Sequence[npt.NDArray[np.int64]],
        Sequence[Penalty],
        SolverOptions,
        int,
        Report,
    ],
    None,
]


@dataclass(frozen=True)
class Size:
    """Of a problem and its model.

    Attributes
    ----------
    n_elements : int
        Numbers that the features of all rows are made of; of sparse ones those that are stored.
    n_features, n_columns : int
    is_sparse : bool, default=False
        Whether the rows are.
    is_path : bool, default=False
        Whether it is that of many fits, which may share second derivatives.
    is_table : bool, default=False
        Whether the rows are those of a table with categories.
    is_blocked : bool, default=False
        Whether the rows are read in blocks.
    """

    n_elements: int
    n_features: int
    n_columns: int
    is_sparse: bool = False
    is_path: bool = False
    is_table: bool = False
    is_blocked: bool = False

    @property
    def n_products(self) -> int:
        """Multiplications of a pass over the rows."""
        return self.n_elements * self.n_columns

    @property
    def n_dense_rows(self) -> int:
        """Rows, or as many as would have their elements if they were dense."""
        return max(1, self.n_elements // self.n_features)


def size_of(problem: Problem, n_columns: int, *, is_path: bool = False) -> Size:
    """The size of a problem whose model has some columns."""
    n_features = problem.features.shape[1]
    return Size(
        problem.n_elements,
        n_features,
        n_columns,
        problem.is_sparse,
        is_path,
        problem.is_table,
        isinstance(problem, BlockedProblem),
    )


def _always_fits(size: Size, l1_ratio: float) -> bool:
    return True


def _as_many_as_there_are(size: Size) -> float:
    return float("inf")


def _costs_nothing(size: Size) -> float:
    return 0.0


@dataclass(frozen=True)
class Solver:
    """A solver: what it can do, and what it costs.

    Attributes
    ----------
    name : str
        What users call it.
    solve : callable
        Takes a problem, `SolverOptions`, a start and an observer; gives a `SolverResult`.
    is_exact : bool
        Whether it stops by the gradient or by the duality gap, in float64.
    supports_l1 : bool
        Whether it takes an L1 penalty.
    supports_groups : bool
        Whether that may be of features' norms.
    needs_convexity : bool
        Whether the loss has to be convex in the logits.
    supports_held_out : bool
        Whether it can stop by the loss of held-out rows.
    supports_streams : bool
        Whether it learns from blocks of rows, one after the other.
    supports_blocks : bool
        Whether it fits rows that are read in blocks.
    default_max_iterations : int
    most_products : callable
        Multiplications of a pass over the rows of a `Size` up to which "auto" takes it.
    has_room : callable
        Whether a problem of a `Size`, with an L1 ratio, fits its memory.
    relative_cost : callable
        Products that it needs for a `Size` beside its passes over the rows, over those of a pass.
    follow_paths : callable or None
        Minimises for many penalties and folds of the rows that help each other; see `path.follow`
        for the arguments.
    """

    name: str
    solve: Solve
    is_exact: bool
    supports_l1: bool
    supports_groups: bool
    needs_convexity: bool
    supports_held_out: bool
    supports_streams: bool
    supports_blocks: bool
    default_max_iterations: int
    most_products: Callable[[Size], float] = _as_many_as_there_are
    has_room: Callable[[Size, float], bool] = _always_fits
    relative_cost: Callable[[Size], float] = _costs_nothing
    follow_paths: FollowPaths | None = None


class Progress(Generic[There]):
    """Whether iterations still lead lower, or rounding lets nothing fall any more.

    Parameters
    ----------
    place : object
        Where they begin.
    norm : float
        Of the gradient there.
    patience : int
        How many of them may bring nothing.

    Attributes
    ----------
    best : object
        The best place so far.
    """

    def __init__(self, place: There, norm: float, patience: int) -> None:
        self.best = place
        self._patience = patience
        self._lowest: float | None = None
        self._smallest = norm
        self._n_without = 0

    @property
    def is_stuck(self) -> bool:
        """Whether the last iteration has brought nothing."""
        return self._n_without > 0

    def goes_on(
        self, place: There, norm: float, value: float, least_fall: float = LEAST_FALL
    ) -> bool:
        """Whether it is worth going on after an iteration that has led to a place.

        Parameters
        ----------
        place : object
        norm : float
            Of the gradient there.
        value : float
            The objective there, or its difference to that of some other place.
        least_fall : float
            Of the lowest value so far, what counts as progress.
        """
        lowest = self._lowest
        has_fallen = lowest is None or value < lowest - least_fall * abs(lowest)
        self._n_without += 1
        if has_fallen or norm < _PROGRESS * self._smallest:
            self._n_without = 0
        if has_fallen or norm <= self._smallest:
            self.best = place
        self._lowest = value if lowest is None else min(lowest, value)
        self._smallest = min(self._smallest, norm)
        return self._n_without < self._patience


def check_penalty(problem: Problem) -> None:
    """Raise ValueError if the penalty per unit of weight is not finite."""
    penalty = problem.l2_penalty / problem.total_weight
    if not np.isfinite(penalty):
        raise ValueError(
            f"the penalty, {penalty:g} per unit of weight, is not finite: use a larger C"
        )


def check_start(objective: float, gradient_norm: float) -> None:
    """Raise ValueError if the objective or its gradient overflows at the start."""
    if not np.isfinite([objective, gradient_norm]).all():
        raise ValueError(
            f"the objective at the start is {objective} and the largest component of its "
            f"gradient {gradient_norm}: scale the features, or start elsewhere"
        )


def result_at(
    objective: Objective,
    point: Evaluation,
    objectives: list[float],
    *,
    was_interrupted: bool = False,
) -> SolverResult:
    """The result of an exact solver that ends at a point."""
    optimality = objective.judge(point)
    return SolverResult(
        point.weights,
        point.bias,
        np.array(objectives),
        objective=point.objective,
        converged=optimality.converged,
        optimality=optimality,
        was_interrupted=was_interrupted,
        sums=objective.sums,
    )
