"""Newton's method with second derivatives of a sample of the rows.

Steps divide by second derivatives that are taken anew from time to time (`curvature`); in between
they are corrected by what passes over all rows tell of them. Where the second derivatives are cheap
and of all rows, they are taken anew for each step. Of many rows a part is gone over first, until
its optimum is nearer than that of all rows is likely to be.
"""

from dataclasses import replace

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...objective.coordinates import choose_coordinates
from ...objective.dense import Accumulator
from ...objective.moments import sum_features
from ...objective.objective import Objective
from ...objective.passes import accumulator_of
from ...objective.sparse import SparseAccumulator
from ..base import ExactSettings, Minimum, Progress, check_penalty, minimum_of
from ..observer import Monitor
from .compiled import FewUnknowns, are_few
from .iteration import Steps
from .l1 import ProximalSteps
from .smooth import SmoothSteps
from .subsample import count_rows, take_sample

# Of all rows, the part gone over first: every so many rows, if that leaves as many.
_LEAST_STRIDE = 8
_FEWEST_COARSE_ROWS = 20_000
_MOST_COARSE_ITERATIONS = 30
_MOST_BYTES_OF_DERIVATIVES = 1 << 28
# Steps that may bring nothing: of Newton's method itself, and where second derivatives are only
# nearly right.
_PATIENCE_OF_EXACT, _PATIENCE = 10, 40


def has_room(n_features: int, n_columns: int) -> bool:
    """Whether second derivatives within each class, and their factors, take at most 256 MiB."""
    return 16 * n_columns * (n_features + 1) ** 2 <= _MOST_BYTES_OF_DERIVATIVES


def relative_cost(n_samples: int, n_features: int) -> float:
    """Products of taking second derivatives, over those of a pass over the rows.

    Both are in proportion to the number of columns.

    Parameters
    ----------
    n_samples : int
        Or, of sparse rows, as many as would have their elements if they were dense.
    n_features : int
    """
    n_unknowns = n_features + 1
    n_rows = min(n_samples, count_rows(n_features))
    return n_unknowns * (n_rows / 2 + n_unknowns / 6) / (3 * n_samples)


def minimise(
    problem: Problem,
    settings: ExactSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Minimum:
    """Minimise the objective of a problem with a convex loss; see `lbfgs.minimise`."""
    check_penalty(problem)
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=settings.fit_intercept)
    sample = take_sample(problem, coordinates)
    start = weights, bias
    if len(bias) > 1 and problem.l1_penalty == 0.0:
        start = _centre(weights, bias, fit_intercept=settings.fit_intercept)

    def begin(
        rows: Problem, accumulator: Accumulator | SparseAccumulator, start: Model
    ) -> tuple[Steps, Objective]:
        objective = Objective(
            rows, accumulator, sums, settings.tolerance, fit_intercept=settings.fit_intercept
        )
        kind = ProximalSteps if problem.l1_penalty > 0.0 else SmoothSteps
        steps = kind(objective, coordinates, sample, bias, n_threads)
        steps.begin(*start)
        return steps, objective

    stride = problem.n_samples // max(_FEWEST_COARSE_ROWS, 2 * len(sample.row_weights))
    if stride >= _LEAST_STRIDE:
        part = _take_part(problem, stride)
        if part is not None:
            with accumulator_of(part, len(bias), n_threads) as accumulator:
                steps, _ = begin(part, accumulator, start)
                start = _descend_coarsely(steps, part)
    objectives: list[float] = []
    if are_few(problem, sample, settings, bias):
        few = FewUnknowns(problem, sums, coordinates, sample, len(bias))
        found = few.minimise(problem, start, settings, monitor)
        objective = Objective(
            problem, None, sums, settings.tolerance, fit_intercept=settings.fit_intercept
        )
        with np.errstate(all="ignore"):  # looked at below
            point = objective.point_of(*found.model, found.totals(problem.total_weight))
        if found.was_stopped or objective.is_optimal(point):
            return minimum_of(objective, point, found.objectives)
        start, objectives = found.model, found.objectives
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        steps, objective = begin(problem, accumulator, start)
        descend(steps, objective, settings, objectives, monitor)
        return minimum_of(objective, steps.place.point, objectives)


def _centre(weights: FloatArray, bias: FloatArray, *, fit_intercept: bool) -> Model:
    """A model of the same probabilities, with the lowest penalty."""
    with np.errstate(all="ignore"):  # looked at when it is evaluated
        weights = weights - weights.mean(axis=1, keepdims=True)
        return weights, bias - bias.mean() if fit_intercept else bias


def descend(
    steps: Steps,
    objective: Objective,
    settings: ExactSettings,
    objectives: list[float],
    monitor: Monitor | None = None,
) -> None:
    """Take steps until it is optimal; the objective after each is added to the list.

    Or until steps lead nowhere any more. The monitor changes nothing, but that it may stop them.
    """
    progress = Progress(steps.place, _PATIENCE_OF_EXACT if steps.is_exact else _PATIENCE)
    while len(objectives) < settings.max_iterations and not objective.is_optimal(steps.place.point):
        if monitor is not None:
            monitor.begin_iteration()
        if not steps.advance():
            break
        value = steps.place.point.objective
        objectives.append(value)
        if monitor is not None and monitor.end_iteration(value, lambda: steps.model):
            break
        if not progress.goes_on(steps.place, value):
            steps.place = progress.best
            break


def _take_part(problem: Problem, stride: int) -> Problem | None:
    """Every so many rows, if they have any weight."""
    weights = problem.sample_weight
    weights = None if weights is None else np.ascontiguousarray(weights[::stride])
    if weights is not None and not weights.any():
        return None
    part = replace(
        problem,
        features=problem.features[::stride],
        targets=np.ascontiguousarray(problem.targets[::stride]),
        sample_weight=weights,
    )
    share = part.total_weight / problem.total_weight
    return replace(
        part, l2_penalty=problem.l2_penalty * share, l1_penalty=problem.l1_penalty * share
    )


def _descend_coarsely(steps: Steps, part: Problem) -> Model:
    """A model near the optimum of a part of the rows."""
    # What the optima of the part and of all rows differ by, if the model is right: half of the
    # number of unknowns, divided by the rows (Akaike, A new look at the statistical model
    # identification, 1974).
    tolerance = steps.place.variables.size / (2.0 * part.n_samples)
    steps.prepare()
    for _ in range(_MOST_COARSE_ITERATIONS):
        if steps.decrease_expected <= tolerance or not steps.advance():
            break
    return steps.model
