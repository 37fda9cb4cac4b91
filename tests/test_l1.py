"""Exact solutions with an L1 penalty."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.data.problem import make_problem
from softreg_fast.kernels.coordinate_descent import CoordinatesSpecialisation, descend_coordinates
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.solvers.base import SolverOptions
from softreg_fast.solvers.newton import solver as newton
from softreg_fast.solvers.shifts import best_shifts


def _objective(X, y, coef, intercept, C, l1_ratio):
    logits = X @ coef.T + intercept
    if len(coef) == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    loss = (logsumexp(logits, axis=1) - logits[np.arange(len(X)), y]).sum()
    return C * loss + l1_ratio * np.abs(coef).sum() + 0.5 * (1.0 - l1_ratio) * np.sum(coef**2)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("C", [0.1, 0.5])
@pytest.mark.parametrize(
    "load", [load_iris, load_wine, pytest.param(load_breast_cancer, marks=pytest.mark.full)]
)
def test_equals_saga(load, C, l1_ratio):
    X, y = load(return_X_y=True)
    X = scale(X)
    expected = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", random_state=0, tol=1e-9, max_iter=200_000
    ).fit(X, y)
    found = SoftmaxClassifier(C=C, l1_ratio=l1_ratio, tol=1e-10).fit(X, y)
    assert found.converged_
    lowest = _objective(X, y, expected.coef_, expected.intercept_, C, l1_ratio)
    reached = _objective(X, y, found.coef_, found.intercept_, C, l1_ratio)
    np.testing.assert_allclose(reached, lowest, rtol=1e-8)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), rtol=0, atol=1e-5)
    is_clear = (expected.coef_ == 0.0) | (np.abs(expected.coef_) > 1e-6)
    np.testing.assert_array_equal((found.coef_ == 0.0)[is_clear], (expected.coef_ == 0.0)[is_clear])
    assert (found.coef_ == 0.0).any()
    assert found.gap_ < 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_is_certified(make_data, n_classes, fit_intercept):
    X, y = make_data(400, 8, n_classes)
    X = X * np.geomspace(1e-3, 1e3, 8)
    weights = np.random.default_rng(0).exponential(size=400)
    settings = {"C": 0.3, "l1_ratio": 0.9, "fit_intercept": fit_intercept}
    model = SoftmaxClassifier(gap_tol=1e-9, **settings).fit(X, y, weights)
    assert model.converged_
    assert model.gap_ <= 1e-9


def test_blocks_of_classes_find_the_same(make_data, monkeypatch):
    X, y = make_data(1_100, 10, 4)
    complete = SoftmaxClassifier(C=0.2, l1_ratio=0.8, tol=1e-9).fit(X, y)
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_UNKNOWNS_BETWEEN_CLASSES_WITH_L1", 0)
    blocks = SoftmaxClassifier(C=0.2, l1_ratio=0.8, tol=1e-9).fit(X, y)
    assert blocks.converged_
    assert (blocks.coef_ != complete.coef_).any(), "they are the same steps"
    np.testing.assert_allclose(blocks.coef_, complete.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(blocks.coef_ == 0.0, complete.coef_ == 0.0)


def test_samples_of_rows_find_the_same(make_data, monkeypatch):
    X, y = make_data(3_000, 6, 3)
    whole = SoftmaxClassifier(C=0.05, l1_ratio=1.0, tol=1e-9).fit(X, y)
    monkeypatch.setattr("softreg_fast.solvers.newton.subsample._FEWEST_ROWS", 100)
    monkeypatch.setattr("softreg_fast.solvers.newton.solver._FEWEST_COARSE_ROWS", 200)
    sampled = SoftmaxClassifier(C=0.05, l1_ratio=1.0, tol=1e-9).fit(X, y)
    assert sampled.converged_
    assert (sampled.coef_ != whole.coef_).any(), "they are the same steps"
    np.testing.assert_allclose(sampled.coef_, whole.coef_, rtol=1e-6, atol=1e-8)


def test_strong_penalty_leaves_intercepts_alone(make_data):
    X, y = make_data(300, 5, 3)
    model = SoftmaxClassifier(C=1e-4, l1_ratio=1.0, tol=1e-10).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0.0)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / 300, rtol=1e-6)


@pytest.mark.parametrize("l2_penalty", [0.0, 0.3])
@pytest.mark.parametrize("n_classes", [2, 3, 4, 7])
def test_shifts_are_the_best(n_classes, l2_penalty):
    weights = np.random.default_rng(n_classes).standard_normal((20, n_classes))
    shifts = best_shifts(weights, 0.2, l2_penalty)

    def penalty(shift):
        moved = weights - shift
        return 0.2 * np.abs(moved).sum(axis=1) + 0.5 * l2_penalty * (moved**2).sum(axis=1)

    for distance in (1e-4, 1e-2, 1.0):
        assert (penalty(shifts) <= penalty(shifts + distance) + 1e-12).all()
        assert (penalty(shifts) <= penalty(shifts - distance) + 1e-12).all()


@pytest.mark.parametrize("n_blocks", [1, 3])
@pytest.mark.parametrize("n_corrections", [0, 4])
def test_steps_of_coordinate_descent_equal_reference(n_blocks, n_corrections):
    random = np.random.default_rng(0)
    n = 6
    matrices = np.empty((n_blocks, n, n))
    for block in range(n_blocks):
        factor = random.standard_normal((12, n))
        matrices[block] = factor.T @ factor
    matrices[0, 2], matrices[0, :, 2] = 0.0, 0.0
    size = n_blocks * n
    corrections = 0.3 * random.standard_normal((n_corrections, size))
    corrections[:, 2] = 0.0
    signs = np.ones(n_corrections)
    current, penalties = random.standard_normal(size), random.uniform(0, 8, size)
    current[::2], penalties[1] = 0.0, 0.0
    slopes = 5 * random.standard_normal(size)
    matrix = np.zeros((size, size))
    for block in range(n_blocks):
        rows = slice(block * n, block * n + n)
        matrix[rows, rows] = matrices[block]
    matrix += corrections.T @ corrections
    expected = reference.descend_coordinates(matrix, current, penalties, slopes, 2_000)
    step = np.zeros(size)
    n_sweeps = descend_coordinates.specialise(CoordinatesSpecialisation())(
        matrices, corrections, signs, matrix.diagonal().copy(), current, penalties, 1e-14, 2_000,
        slopes.copy(), np.zeros(n_corrections), step,
    )  # fmt: skip
    assert 1 < n_sweeps < 2_000
    np.testing.assert_allclose(step, expected, rtol=1e-9, atol=1e-11)
    assert ((current + step == 0.0) == (np.abs(current + expected) < 1e-12)).all()
    assert step[2] == 0.0
    n_sweeps = descend_coordinates.specialise(CoordinatesSpecialisation())(
        matrices, corrections, signs, matrix.diagonal().copy(), current, penalties, 0.0, 1,
        slopes.copy(), np.zeros(n_corrections), np.zeros(size),
    )  # fmt: skip
    assert n_sweeps == 1


def test_running_out_of_iterations_is_told(make_data):
    X, y = make_data(300, 5, 3)
    problem = replace(make_problem(X, y, "identity", np.dtype(np.float64)), l1_penalty=1.0)
    found = newton.solve(
        problem, SolverOptions(Tolerance(1e-12), 2), (np.zeros((5, 3)), np.zeros(3))
    )
    assert (found.converged, found.n_iterations) == (False, 2)


@pytest.mark.parametrize("seed", range(12))
def test_steps_go_on_where_rounding_hides_what_they_gain(seed):
    features, labels = make_classification(100, 20, random_state=seed)
    model = SoftmaxClassifier(l1_ratio=1.0, tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(features, labels)
    coef = model.coef_[0]
    errors = 1.0 / (1.0 + np.exp(-(features @ coef + model.intercept_))) - labels
    gradient = features.T @ errors
    is_zero = coef == 0.0
    assert np.abs(gradient + np.sign(coef))[~is_zero].max() < 2e-12 * len(labels)
    assert np.abs(gradient[is_zero]).max(initial=0.0) <= 1.0
