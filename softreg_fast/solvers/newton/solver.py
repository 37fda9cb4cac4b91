"""Newton's method with second derivatives of a sample of the rows.

Steps divide by second derivatives that are taken anew from time to time (`curvature`); in between
they are corrected by what passes over all rows tell of them. Where the second derivatives are cheap
and of all rows, they are taken anew for each step. Of many rows a part is gone over first, until
its optimum is nearer than that of all rows is likely to be.
"""

from dataclasses import replace

import numpy as np

from ..._typing import Model
from ...data.blocked import BlockedProblem
from ...data.problem import Problem
from ...objective.coordinates import choose_coordinates
from ...objective.feature_sums import sum_features
from ...objective.objective import Objective
from ...objective.passes import AnyAccumulator, accumulator_of
from ..base import (
    Solver,
    SolverOptions,
    SolverResult,
    check_penalty,
    result_at,
    size_of,
)
from ..observer import Observer
from ..proximal import solver as proximal
from ..shifts import centre
from ..truncated import solver as truncated
from .compiled import FewUnknowns, are_few
from .costs import fits, most_products, relative_cost, takes_conjugate_gradients
from .iteration import Steps, descend
from .l1 import ProximalSteps
from .path import follow
from .smooth import SmoothSteps
from .subsample import count_rows, take_sample

# Of all rows, the part gone over first: every so many rows, if that leaves as many.
_LEAST_STRIDE = 8
_FEWEST_COARSE_ROWS = 20_000
_MOST_COARSE_ITERATIONS = 30


def solve(
    problem: Problem, options: SolverOptions, start: Model, observer: Observer | None = None
) -> SolverResult:
    """Minimise the objective of a problem with a convex loss; see `lbfgs.solve`."""
    if problem.l1_penalty > 0.0:
        problem = problem.as_matrix()
    if problem.l1_penalty > 0.0 and proximal.suits(problem, len(start[1])):
        return proximal.solve(problem, options, start, observer)
    if problem.l1_penalty == 0.0 and takes_conjugate_gradients(size_of(problem, len(start[1]))):
        return truncated.solve(problem, options, start, observer)
    check_penalty(problem)
    n_threads = options.n_threads
    weights, bias = start
    n_samples, n_features = problem.features.shape
    if isinstance(problem, BlockedProblem) and n_samples <= count_rows(n_features):
        problem = problem.take(np.arange(n_samples), n_threads)
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=options.fit_intercept)
    sample = take_sample(problem, coordinates, n_threads)
    if len(bias) > 1 and problem.l1_penalty == 0.0:
        start = centre(weights, bias, fit_intercept=options.fit_intercept)

    def begin(rows: Problem, accumulator: AnyAccumulator, start: Model) -> tuple[Steps, Objective]:
        objective = Objective(rows, accumulator, sums, coordinates, options.tolerance, bias)
        kind = ProximalSteps if problem.l1_penalty > 0.0 else SmoothSteps
        steps = kind(objective, sample, n_threads)
        steps.begin(*start)
        return steps, objective

    stride = n_samples // max(_FEWEST_COARSE_ROWS, 2 * len(sample.row_weights))
    if stride >= _LEAST_STRIDE:
        part = _take_part(problem, stride, n_threads)
        if part is not None:
            with accumulator_of(part, len(bias), n_threads) as accumulator:
                steps, _ = begin(part, accumulator, start)
                start = _descend_coarsely(steps, part)
    objectives: list[float] = []
    if are_few(problem, sample, options, bias):
        few = FewUnknowns(problem, sums, coordinates, sample, len(bias))
        found = few.minimise(problem, start, options, observer)
        objective = Objective(problem, None, sums, coordinates, options.tolerance, bias)
        with np.errstate(all="ignore"):  # looked at below
            point = objective.evaluation_of(*found.model, found.totals(problem.total_weight))
        if found.was_interrupted or objective.is_optimal(point):
            return result_at(
                objective, point, found.objectives, was_interrupted=found.was_interrupted
            )
        start, objectives = found.model, found.objectives
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        steps, objective = begin(problem, accumulator, start)
        was_interrupted = descend(steps, objective, options, objectives, observer)
        return result_at(objective, steps.place, objectives, was_interrupted=was_interrupted)


SOLVER = Solver(
    name="newton",
    solve=solve,
    is_exact=True,
    supports_l1=True,
    supports_groups=True,
    needs_convexity=True,
    supports_held_out=False,
    supports_streams=False,
    supports_blocks=True,
    default_max_iterations=1_000,
    most_products=most_products,
    has_room=fits,
    relative_cost=relative_cost,
    follow_paths=follow,
)


def _take_part(problem: Problem, stride: int, n_threads: int | None) -> Problem | None:
    """Every so many rows, if they have any weight."""
    if isinstance(problem, BlockedProblem):
        part = problem.take(np.arange(0, problem.n_samples, stride), n_threads)
    else:
        weights = problem.sample_weight
        part = replace(
            problem,
            features=problem.features[::stride],
            targets=np.ascontiguousarray(problem.targets[::stride]),
            sample_weight=None if weights is None else np.ascontiguousarray(weights[::stride]),
        )
    if part.sample_weight is not None and not part.sample_weight.any():
        return None
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
