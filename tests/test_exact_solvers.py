"""Exact solvers against optima found by others, and their certificates."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, reference
from softreg_fast.data.problem import make_problem
from softreg_fast.objective.duality_gap import bound_objective
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.objective.passes import accumulator_of
from softreg_fast.objective.rounding import bounded_evaluation
from softreg_fast.solvers import lbfgs
from softreg_fast.solvers.base import SolverOptions
from softreg_fast.solvers.newton import solver as newton
from softreg_fast.solvers.sgd.options import SgdOptions, settle
from softreg_fast.solvers.sgd.scaling import weighted_moments
from softreg_fast.solvers.sgd.solver import descent_of

DOUBLE = np.dtype(np.float64)


def _load_synthetic(return_X_y):
    features, targets = make_classification(
        2000, 20, n_informative=8, n_redundant=8, n_classes=4, random_state=0
    )
    return features * np.geomspace(0.01, 100, 20) + 3.0, targets


def _load_means_of_breast_cancer(return_X_y):
    features, targets = load_breast_cancer(return_X_y=return_X_y)
    return features[:, :10], targets


LOADERS = {
    "iris": load_iris, "wine": load_wine, "means_of_breast_cancer": _load_means_of_breast_cancer,
    "breast_cancer": load_breast_cancer, "digits": load_digits, "synthetic": _load_synthetic,
}  # fmt: skip


def _problem(features, targets, C=1.0, activation="identity", sample_weight=None):
    problem = make_problem(features, targets, activation, DOUBLE)
    return replace(problem, l2_penalty=1 / C, sample_weight=sample_weight)


def _objective(problem, weights, bias):
    """The objective per unit of weight, and its gradient."""
    sample_weight = problem.sample_weight
    if sample_weight is None:
        sample_weight = np.ones(len(problem.features))
    loss, _, weights_gradient, bias_gradient = reference.accumulate(
        problem.features.astype(np.float64), problem.targets, sample_weight, weights, bias,
        problem.activation, "exact",
    )  # fmt: skip
    objective = loss + 0.5 * problem.l2_penalty * (weights**2).sum()
    gradient = np.vstack([weights_gradient + problem.l2_penalty * weights, bias_gradient])
    return objective / sample_weight.sum(), gradient / sample_weight.sum()


SOLVERS = {"newton": newton.solve, "lbfgs": lbfgs.solve}


@pytest.fixture(params=SOLVERS)
def minimise(request):
    return SOLVERS[request.param]


def _minimise(minimise, problem, tolerance=1e-9, max_iterations=5_000, gap=None, **settings):
    n_columns = (
        1 if problem.activation == "identity" and problem.n_classes == 2 else problem.n_classes
    )
    start = np.zeros((problem.features.shape[1], n_columns)), np.zeros(n_columns)
    return minimise(
        problem, SolverOptions(Tolerance(tolerance, gap), max_iterations, **settings), start
    )


@pytest.mark.parametrize("is_scaled", [False, True], ids=["raw", "scaled"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.full] * (name in ("breast_cancer", "digits")))
        for name in LOADERS
    ],
)
def test_reaches_the_optimum_that_newton_cholesky_finds(name, is_scaled, minimise):
    features, targets = LOADERS[name](return_X_y=True)
    features = scale(features) if is_scaled else features
    newton = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=200)
    newton.fit(features, targets)
    problem = _problem(features, targets)
    best, gradient = _objective(problem, newton.coef_.T, newton.intercept_)
    assert np.abs(gradient).max() < 1e-9

    solution = _minimise(minimise, problem)

    assert solution.converged
    objective, gradient = _objective(problem, solution.weights, solution.bias)
    np.testing.assert_allclose(solution.objective, objective, rtol=1e-12)
    # Both are sums of terms as large as the largest feature, whose rounding is all that differs.
    rounding = 2 * np.finfo(float).eps * np.abs(features).max()
    largest = np.abs(gradient).max()
    np.testing.assert_allclose(solution.optimality.gradient_norm, largest, rtol=0, atol=rounding)
    assert solution.optimality.gradient_norm <= 1e-9
    np.testing.assert_allclose(objective, best, rtol=1e-9)
    np.testing.assert_allclose(
        reference.predict(features, solution.weights, solution.bias, "identity")[0],
        newton.predict_proba(features),
        rtol=0,
        atol=1e-5,
    )


def test_sigmoid_link_reaches_a_stationary_point(iris):
    problem = _problem(*iris, activation="sigmoid")
    solution = _minimise(lbfgs.solve, problem, 1e-8)
    assert solution.converged
    assert np.isnan(solution.optimality.gap)
    assert np.abs(_objective(problem, solution.weights, solution.bias)[1]).max() <= 1.1e-8


def test_model_without_intercept_keeps_its_bias(make_data, minimise):
    features, targets = make_data(300, 5, 3)
    problem = _problem(features + 1.0, targets)
    solution = _minimise(minimise, problem, fit_intercept=False)
    assert solution.converged
    np.testing.assert_array_equal(solution.bias, 0.0)
    _, gradient = _objective(problem, solution.weights, solution.bias)
    assert np.abs(gradient[:-1]).max() <= 1.1e-9
    assert np.abs(gradient[-1]).max() > 1e-3


def test_scales_of_features_far_apart_do_not_matter(make_data, minimise):
    features, targets = make_data(400, 6, 4)
    features = features * 10.0 ** np.array([-8, -4, 0, 2, 4, 4]) + np.array([0, 1, 5, 0, 1e4, 0])
    features[:, 2] = 3.0
    for C in (1.0, 1e6, np.inf):
        solution = _minimise(minimise, _problem(features, targets, C), 1e-7)
        assert solution.converged
        assert solution.n_iterations < 200


def test_weight_of_a_row_counts_as_its_repetition(make_data, minimise):
    features, targets = make_data(200, 6, 3)
    counts = np.random.default_rng(0).integers(0, 4, 200)
    weighted = _problem(features, targets, sample_weight=counts.astype(float))
    repeated = _problem(features.repeat(counts, axis=0), targets.repeat(counts))
    found, expected = (_minimise(minimise, each, 1e-11) for each in (weighted, repeated))
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=1e-7, atol=1e-10)


def test_running_out_of_iterations_is_told(make_data, minimise):
    problem = _problem(*make_data(300, 20, 4))
    solution = _minimise(minimise, problem, 1e-12, max_iterations=3)
    assert (solution.converged, solution.n_iterations) == (False, 3)
    assert solution.optimality.gradient_norm > 1e-12


def test_tolerance_below_rounding_ends_all_the_same(make_data, minimise):
    solution = _minimise(minimise, _problem(*make_data(300, 20, 4)), 1e-30)
    assert solution.optimality.gradient_norm < 1e-14
    # Only rounding keeps it from the tolerance, and the gap says that it is near enough.
    assert solution.converged
    assert solution.optimality.gap < 1e-10
    unpenalised = _minimise(minimise, _problem(*make_data(300, 4, 3), C=np.inf), 1e-30)
    assert unpenalised.optimality.gradient_norm < 1e-14
    assert not unpenalised.converged


@pytest.mark.parametrize("order", ["C", "F"])
def test_moments_of_features(make_data, monkeypatch, order):
    monkeypatch.setattr("softreg_fast.objective.moments._NUMBERS_PER_BLOCK", 100)
    features, targets = make_data(300, 7, 3)
    features[:, 3] = 0.1
    weights = np.random.default_rng(1).exponential(size=300)
    problem = _problem(np.asarray(features, order=order), targets, sample_weight=weights)
    means, variances = weighted_moments(problem, center=True)
    expected = np.average(features, axis=0, weights=weights)
    np.testing.assert_allclose(means, expected, rtol=1e-12)
    np.testing.assert_allclose(
        np.delete(variances, 3),
        np.delete(np.average((features - expected) ** 2, axis=0, weights=weights), 3),
        rtol=1e-12,
    )
    assert variances[3] == 0.0
    means, variances = weighted_moments(problem, center=False)
    np.testing.assert_array_equal(means, 0.0)
    np.testing.assert_allclose(
        variances, np.average(features**2, axis=0, weights=weights), rtol=1e-12
    )


def _penalised(problem, weights, bias):
    """The objective per unit of weight, with an L1 penalty."""
    objective, _ = _objective(problem, weights, bias)
    return objective + problem.l1_penalty * np.abs(weights).sum() / problem.total_weight


class _Watch:
    """An observer that certifies every iterate, and knows the lowest objective."""

    def __init__(self, problem, fit_intercept):
        self.problem, self.fit_intercept = problem, fit_intercept
        self.sums = sum_features(problem)
        self.objectives, self.gaps = [], []

    def begin_iteration(self):
        pass

    def end_iteration(self, iteration):
        weights, bias = iteration.model()
        with accumulator_of(self.problem, len(bias)) as accumulator:
            totals = accumulator.evaluate(weights, bias)
        evaluation = bounded_evaluation(self.sums, totals, weights, bias)
        gap = bound_objective(
            self.problem, self.sums, evaluation, fit_intercept=self.fit_intercept
        ).gap
        self.objectives.append(_penalised(self.problem, weights, bias))
        self.gaps.append(gap)
        return False


def _assert_bounds(watch, lowest):
    gaps, objectives = np.array(watch.gaps), np.array(watch.objectives)
    assert ((gaps >= 0.0) & (gaps <= 1.0)).all()
    assert (gaps >= (objectives - lowest) / objectives - 1e-12).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.01, pytest.param(1.0, marks=pytest.mark.full), 100.0])
@pytest.mark.parametrize("n_classes", [2, 3, pytest.param(6, marks=pytest.mark.full)])
def test_gap_is_a_bound_at_every_iterate_and_falls(
    make_data, n_classes, C, fit_intercept, minimise
):
    features, targets = make_data(400, 6, n_classes)
    weights = np.random.default_rng(1).exponential(size=400)
    problem = _problem(features + 0.5, targets, C, sample_weight=weights)
    n_columns = 1 if n_classes == 2 else n_classes
    start = np.full((6, n_columns), 0.3), np.full(n_columns, -0.2 * fit_intercept)
    settings = SolverOptions(Tolerance(1e-12), 2_000, fit_intercept)
    lowest = minimise(problem, settings, start).objective
    watch = _Watch(problem, fit_intercept)
    found = minimise(problem, settings, start, watch)
    _assert_bounds(watch, lowest)
    # A gap is a difference from one: it can't be told more finely than the rounding of that.
    assert found.optimality.gap == pytest.approx(watch.gaps[-1], abs=2 * np.finfo(float).eps)
    assert found.optimality.gap < 1e-10


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_gap_is_a_bound_at_every_epoch_of_descent(make_data, n_classes, l1_ratio):
    features, targets = make_data(2_000, 5, n_classes)
    problem = replace(
        _problem(features, targets), l2_penalty=20.0 * (1.0 - l1_ratio), l1_penalty=20.0 * l1_ratio
    )
    n_columns = 1 if n_classes == 2 else n_classes
    start = np.zeros((5, n_columns)), np.zeros(n_columns)
    settings = settle(
        SgdOptions(batch_size=100), problem, n_epochs=60, tolerance=1e-4, fit_intercept=True
    )
    watch = _Watch(problem, True)
    descent_of(problem, replace(settings, patience=0), start, None).run(watch)
    expected = LogisticRegression(
        C=1 / 20.0, l1_ratio=l1_ratio, solver="saga", random_state=0, tol=1e-10, max_iter=100_000
    ).fit(features, targets)
    lowest = _penalised(problem, expected.coef_.T, expected.intercept_)
    _assert_bounds(watch, lowest)
    assert watch.gaps[-1] < 0.3 * watch.gaps[0]


def test_gap_stops_the_solver(make_data, minimise):
    problem = _problem(*make_data(500, 8, 4))
    coarse, fine = (_minimise(minimise, problem, 0.0, gap=gap) for gap in (1e-2, 1e-9))
    assert coarse.converged
    assert fine.converged
    assert fine.optimality.gap <= 1e-9 < coarse.optimality.gap <= 1e-2
    assert fine.n_iterations > coarse.n_iterations


def test_gap_is_unknown_without_a_penalty(make_data, minimise):
    solution = _minimise(minimise, _problem(*make_data(500, 4, 3), C=np.inf), 1e-6)
    assert solution.converged
    assert np.isnan(solution.optimality.gap)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({}, "use solver='lbfgs', 'sgd' or 'auto'$"),
        ({"gap_tol": 1e-3}, "use solver='lbfgs' or 'auto'$"),
        ({"Cs": 2}, "use solver='lbfgs' or 'auto'$"),
        ({"Cs": 2, "l1_ratios": [0.0, 1.0]}, "use solver='lbfgs' or 'auto'$"),
    ],
)
def test_solver_without_room_names_those_that_can_do_it(settings, remedy):
    X = np.random.default_rng(0).standard_normal((30, 4_000))
    estimator = SoftmaxClassifierCV if "Cs" in settings else SoftmaxClassifier
    model = estimator(solver="newton", **settings)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=rf"solver='newton' is not allowed with 4000 .*{remedy}"):
        model.fit(X, np.arange(30) % 3)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("settings", "holds_out", "message"),
    [
        ({"solver": "sgd"}, False, "solver='sgd'"),
        ({"early_stopping": True}, False, "solver='sgd'"),
        ({"activation": "sigmoid"}, False, "activation='sigmoid'"),
        ({"C": np.inf}, False, "C=inf"),
        ({}, True, "held-out samples"),
    ],
)
def test_gap_tol_that_nobody_keeps_is_refused(settings, holds_out, message):
    X = np.random.default_rng(0).standard_normal((30, 4))
    y = np.arange(30) % 3
    held_out = {"X_val": X[:9], "y_val": y[:9]} if holds_out else {}
    model = SoftmaxClassifier(gap_tol=1e-3, **settings)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=rf"gap_tol=0\.001 is not allowed with {message}"):
        model.fit(X, y, **held_out)
    assert vars(model) == before
