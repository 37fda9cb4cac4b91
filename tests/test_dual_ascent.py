"""Dual coordinate ascent, from which truncated Newton begins."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from conftest import WITHOUT_JIT
from random_problems import sparse_problem
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.objective.sparse import SparseAccumulator
from softreg_fast.runtime import tuning
from softreg_fast.solvers import lbfgs
from softreg_fast.solvers.base import SolverOptions
from softreg_fast.solvers.truncated import dual_ascent
from softreg_fast.solvers.truncated.dual_ascent import DualAscent, shuffle_rows
from softreg_fast.solvers.truncated.solver import solve

N_FEATURES = 60
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# Columns of models: a number, half a vector, some vectors side by side, and groups of them.
N_COLUMNS = [1, 3, *(pytest.param(each, marks=pytest.mark.full) for each in (10, 30))]
TYPES = [(DOUBLE, np.int32), pytest.param((SINGLE, np.int64), marks=pytest.mark.full)]


def _problem(n_columns, types=(DOUBLE, np.int32), n_samples=150, l2_penalty=1.0):
    """Rare features, one that is nowhere, a row without any, and rows that weigh nothing."""
    n_samples = min(n_samples, 37) if WITHOUT_JIT else n_samples
    shares = np.geomspace(0.5, 0.03, N_FEATURES)
    problem = sparse_problem(n_columns, types, n_samples, shares, mean=0.2, spread=0.4)
    problem.sample_weight[3] = 2.0
    return replace(problem, l2_penalty=l2_penalty)


def _ascent(problem, n_columns, *, fit_intercept):
    accumulator = SparseAccumulator(problem, n_columns, 1)
    sums = sum_features(problem)
    return DualAscent(problem, accumulator, sums, n_columns, fit_intercept=fit_intercept)


def _zeros(problem, n_columns):
    return np.zeros((N_FEATURES, n_columns)), np.zeros(n_columns)


def _options(tolerance=1e-9, *, fit_intercept=True, n_threads=1, max_iterations=100):
    return SolverOptions(Tolerance(tolerance), max_iterations, fit_intercept, n_threads)


def _assert_epochs_equal_reference(problem, n_columns, *, fit_intercept, tolerance):
    X, weights = problem.features.toarray().astype(np.float64), problem.weights()
    mean_square = np.average((X**2).sum(axis=1), weights=weights)
    bias_square = 0.25 * mean_square if fit_intercept else 0.0
    targets = np.eye(problem.n_classes)[problem.targets]
    expected = targets, np.zeros((N_FEATURES, len(targets[0]))), np.zeros(len(targets[0]))
    random = np.random.default_rng(0)
    ascent = _ascent(problem, n_columns, fit_intercept=fit_intercept)
    found = ascent._accumulator.model
    # Two columns that differ by the weights of a single one have half of their squares.
    l2_penalty = problem.l2_penalty * (2.0 if n_columns == 1 else 1.0)
    for _ in range(3):
        order = shuffle_rows(np.flatnonzero(weights), random)
        *expected, divergence = reference.ascend_dual(
            X, weights, l2_penalty, bias_square, order, *expected
        )
        residual = weights @ (expected[0] - targets)
        expected[2] -= bias_square / l2_penalty * residual
        ascent.advance(1, found)
        own, bias = expected[1:]
        if n_columns == 1:
            own, bias = own[:, 1:] - own[:, :1], bias[1:] - bias[:1]
        scale = np.abs(own).max()
        np.testing.assert_allclose(found[:-1, :n_columns], own, atol=tolerance * scale)
        np.testing.assert_allclose(found[-1, :n_columns], bias, atol=tolerance * scale)
        assert ascent.divergence == pytest.approx(divergence / weights.sum(), rel=1e-3)
    assert not found[:, n_columns:].any()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize("types", TYPES)
def test_epochs_equal_reference(n_columns, types, fit_intercept, monkeypatch):
    problem = _problem(n_columns, types)
    if fit_intercept:  # by many calls
        monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 1_000)
    _assert_epochs_equal_reference(problem, n_columns, fit_intercept=fit_intercept, tolerance=1e-6)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_epochs_over_long_rows_equal_reference(n_columns):
    """Whose probabilities Newton's method doesn't find at once."""
    problem = replace(_problem(n_columns, l2_penalty=1e-2), sample_weight=None)
    _assert_epochs_equal_reference(problem, n_columns, fit_intercept=False, tolerance=1e-4)


@pytest.mark.parametrize(("n_rows", "length"), [(0, 1), (5, 1), (900, 1), (4_100, 8), (30_000, 32)])
def test_rows_are_all_taken_neighbours_soon_after_each_other(n_rows, length):
    rows = np.arange(n_rows) * 3
    order = shuffle_rows(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(order), rows)
    blocks = order[: n_rows // length * length].reshape(-1, length) // 3
    assert (np.ptp(blocks, axis=1) == length - 1).all()
    if n_rows > 5:
        assert np.mean(np.diff(blocks.min(axis=1)) == length) < 0.1


@pytest.mark.parametrize("l2_penalty", [30.0, 1.0, 0.5])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_leads_near_the_optimum_first(n_columns, fit_intercept, l2_penalty):
    problem = _problem(n_columns, l2_penalty=l2_penalty)
    assert dual_ascent.suits(problem, sum_features(problem))
    start, options = _zeros(problem, n_columns), _options(fit_intercept=fit_intercept)
    found = solve(problem, options, start)
    expected = lbfgs.solve(problem, replace(options, max_iterations=2_000), start)
    assert found.converged
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-6)
    np.testing.assert_allclose(found.bias, expected.bias, atol=1e-6)
    to_go = np.log(problem.n_classes) - expected.objective
    assert 0.0 < found.objectives[0] - expected.objective < 0.1 * to_go


@pytest.mark.parametrize("n_columns", [1, 3])
def test_any_number_of_threads_gives_the_same_bits(n_columns, eager_threads, started_threads):
    problem = _problem(n_columns, n_samples=700, l2_penalty=5.0)
    start = _zeros(problem, n_columns)
    expected = solve(problem, _options(), start)
    assert started_threads == []
    for n_threads in (2, 3):
        found = solve(problem, _options(n_threads=n_threads), start)
        np.testing.assert_array_equal(found.weights, expected.weights)
        np.testing.assert_array_equal(found.objectives, expected.objectives)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_rows_without_weight_change_no_bit(n_columns):
    """Whatever is in them."""
    problem = _problem(n_columns)
    is_weightless = problem.sample_weight == 0.0
    assert is_weightless.any()
    other = problem.features.copy()
    other.data[np.repeat(is_weightless, np.diff(other.indptr))] *= -7.0
    targets = np.where(is_weightless, 0, problem.targets).astype(np.int32)
    changed = replace(problem, features=other, targets=targets)
    start = _zeros(problem, n_columns)
    expected, found = (solve(each, _options(), start) for each in (problem, changed))
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.objectives, expected.objectives)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_is_not_begun_where_it_would_take_long(n_columns, monkeypatch):
    problem = _problem(n_columns)
    n_elements = problem.n_elements / problem.features.shape[1]
    monkeypatch.setattr(tuning, "MOST_ELEMENTS_FOR_DUAL_ASCENT", n_elements)
    sums = sum_features(problem)
    assert dual_ascent.suits(problem, sums)
    for others in (
        replace(problem, l2_penalty=0.0),
        replace(problem, l2_penalty=problem.l2_penalty / 100.0),
        replace(problem, features=scipy.sparse.csr_array(problem.features[:, :1])),
    ):
        assert not dual_ascent.suits(others, sum_features(others))


@pytest.mark.parametrize("n_columns", [1, 3])
def test_start_worse_than_zeros_is_not_taken(n_columns, monkeypatch):
    problem = _problem(n_columns)
    start = _zeros(problem, n_columns)
    with monkeypatch.context() as without:
        without.setattr(dual_ascent, "suits", lambda *_: False)
        expected = solve(problem, _options(), start)
    monkeypatch.setattr(DualAscent, "advance", lambda _, n_epochs, model: model.fill(1e3))
    found = solve(problem, _options(), start)
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.objectives, expected.objectives)


def test_other_starts_than_zeros_are_begun_at(monkeypatch):
    problem = _problem(3)
    monkeypatch.setattr(DualAscent, "advance", None)
    start = _zeros(problem, 3)[0], np.array([1.0, 0.0, 0.0])
    assert solve(problem, _options(), start).converged


def test_epochs_end_where_they_lead_nowhere():
    ascent = _ascent(_problem(3), 3, fit_intercept=True)
    assert ascent.epochs_for(0.0) == 4
    ascent.advance(4, ascent._accumulator.model)
    assert ascent._rate < 0.5
    n_epochs = ascent.epochs_for(1e-2)
    assert 0 < n_epochs <= 7
    assert ascent.epochs_for(1e-4) in (2 * n_epochs - 1, 2 * n_epochs)
    assert ascent.epochs_for(1e-300) == 0  # in no time
    ascent._rate = 0.6
    assert ascent.epochs_for(1e-2) == 0


@pytest.fixture
def text():
    random = np.random.default_rng(0)
    X = scipy.sparse.random_array((400, 6_000), density=0.005, rng=random, format="csr")
    return X, (X[:, :3_000].sum(axis=1) > X[:, 3_000:].sum(axis=1)).astype(int)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gap_that_is_asked_for_is_reached(text, fit_intercept):
    model = SoftmaxClassifier(gap_tol=1e-3, fit_intercept=fit_intercept).fit(*text)
    assert 1e-12 < model.gap_ <= 1e-3
    assert model.n_iter_ <= 3


def test_iterations_are_limited(text):
    model = SoftmaxClassifier(max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model.fit(*text)
    assert model.n_iter_ == len(model.loss_curve_) == 1
