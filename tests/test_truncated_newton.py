"""Truncated Newton on sparse rows."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from conftest import WITHOUT_JIT
from random_problems import sparse_problem
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, reference
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.objective.sparse import SparseAccumulator
from softreg_fast.runtime import tuning
from softreg_fast.solvers import lbfgs
from softreg_fast.solvers.base import Size, SolverOptions
from softreg_fast.solvers.newton.costs import takes_conjugate_gradients
from softreg_fast.solvers.registry import Needs, choose
from softreg_fast.solvers.truncated import conjugate_gradients
from softreg_fast.solvers.truncated.solver import TruncatedNewton, solve

N_FEATURES = 30
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# Columns of models: a number, half a vector, some vectors side by side, and groups of them.
N_COLUMNS = [1, 3, *(pytest.param(each, marks=pytest.mark.full) for each in (10, 30))]
TYPES = [
    (DOUBLE, np.int32),
    pytest.param((SINGLE, np.int64), marks=pytest.mark.full),
]


def _problem(n_columns, types=(DOUBLE, np.int32), n_samples=150, **changes):
    """Features of different frequency, one that is nowhere, and rows that weigh nothing."""
    n_samples = min(n_samples, 37) if WITHOUT_JIT else n_samples
    shares = np.geomspace(1.0, 0.05, N_FEATURES)
    problem = sparse_problem(n_columns, types, n_samples, shares, mean=1.0, spread=1.0)
    return replace(problem, **{"l2_penalty": 0.3} | changes)


def _options(tolerance=1e-9, *, fit_intercept=True, n_threads=1, max_iterations=100):
    return SolverOptions(Tolerance(tolerance), max_iterations, fit_intercept, n_threads)


def _model(n_columns, *, fit_intercept=True):
    random = np.random.default_rng(3)
    weights = 0.3 * random.standard_normal((N_FEATURES, n_columns))
    bias = random.standard_normal(n_columns)
    if n_columns > 1:
        weights -= weights.mean(axis=1, keepdims=True)
        bias -= bias.mean() if fit_intercept else 0.0
    return weights, bias


def _take_step(problem, model, options):
    """The step of a model, the slope along it, and the norm of the gradient where it begins."""
    with TruncatedNewton(problem, options, model[1]) as newton:
        newton.begin(problem, model)
        _, bias_gradient = newton._pass_over(newton._model)
        norm = newton._gradients.begin(newton._model, bias_gradient)
        step, slope = newton._gradients.solve(newton._model)
        n_classes = len(model[1])
        assert not step[:, n_classes:].any()
        return step[:-1, :n_classes], step[-1, :n_classes], slope, norm


def _expected_step(problem, model, *, fit_intercept):
    X, weights = problem.features.toarray().astype(np.float64), problem.weights()
    total = weights.sum()
    shares = weights / total
    means = shares @ X if fit_intercept else np.zeros(N_FEATURES)
    centred = X - means
    _, _, by_weights, by_bias = reference.accumulate(
        X, problem.targets, weights, *model, problem.activation, "exact"
    )
    by_weights = by_weights / total - np.outer(means, by_bias / total)
    by_weights += problem.l2_penalty / total * model[0]
    penalties = np.full(N_FEATURES, problem.l2_penalty / total)
    logits = X @ model[0] + model[1]
    if len(model[1]) == 1:
        probabilities = 1.0 / (1.0 + np.exp(-logits))
        shares = (shares[:, None] * probabilities * (1.0 - probabilities))[:, 0]
    else:
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if fit_intercept:
        centred = np.hstack([centred, np.ones((len(X), 1))])
        by_weights = np.vstack([by_weights, by_bias / total])
        penalties = np.append(penalties, 0.0)
    step, decrease, _ = reference.solve_newton_equation(
        centred, probabilities, shares, penalties, by_weights, conjugate_gradients._FORCING
    )
    bias_step = step[-1] - means @ step[:-1] if fit_intercept else np.zeros(len(model[1]))
    return step[:N_FEATURES], bias_step, -2.0 * decrease


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize("types", TYPES)
def test_step_equals_reference(n_columns, types, fit_intercept, monkeypatch):
    problem = _problem(n_columns, types)
    model = _model(n_columns, fit_intercept=fit_intercept)
    expected = _expected_step(problem, model, fit_intercept=fit_intercept)
    options = _options(fit_intercept=fit_intercept)
    found = _take_step(problem, model, options)
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 100)
    monkeypatch.setattr(tuning, "ELEMENTS_OF_A_FEATURE", 1)
    assert SparseAccumulator(problem, n_columns).n_panels > 2
    for each in (found, _take_step(problem, model, options)):
        np.testing.assert_allclose(each[0], expected[0], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(each[1], expected[1], rtol=1e-7, atol=1e-9)
        assert each[2] == pytest.approx(expected[2], rel=1e-9)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_any_number_of_threads_takes_the_same_step(n_columns, eager_threads, started_threads):
    problem = _problem(n_columns, n_samples=700)
    model = _model(n_columns)
    expected = _take_step(problem, model, _options())
    assert started_threads == []
    for n_threads in (2, 3):
        found = _take_step(problem, model, _options(n_threads=n_threads))
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(left, right)
        assert started_threads
        started_threads.clear()


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
    model = _model(n_columns)
    expected, found = (_take_step(each, model, _options()) for each in (problem, changed))
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_there_is_no_step_where_nothing_is_curved(n_columns):
    """All rows are certain of what they are, and only the intercepts have a gradient."""
    problem = _problem(n_columns, l2_penalty=0.0, sample_weight=None)
    problem.features.data[:] = 0.0
    certain = np.zeros((N_FEATURES, n_columns)), 1e3 * np.arange(1.0, n_columns + 1)
    weights, bias, slope, norm = _take_step(problem, certain, _options())
    assert not weights.any()
    assert not bias.any()
    assert slope == 0.0
    _, _, _, by_bias = reference.accumulate(
        problem.features.toarray(),
        problem.targets,
        problem.weights(),
        *certain,
        "identity",
        "exact",
    )
    assert norm > 0.3
    assert norm == pytest.approx(np.abs(by_bias).max() / problem.n_samples)
    found = solve(problem, _options(), certain)
    assert found.n_iterations == 0
    assert not found.converged


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_columns", [1, 3])
@pytest.mark.parametrize("l2_penalty", [30.0, 0.3, 1e-4])
def test_ends_where_lbfgs_does(n_columns, fit_intercept, l2_penalty):
    problem = _problem(n_columns, l2_penalty=l2_penalty)
    start = np.zeros((N_FEATURES, n_columns)), np.zeros(n_columns)
    options = _options(1e-10, fit_intercept=fit_intercept, max_iterations=2_000)
    found, expected = solve(problem, options, start), lbfgs.solve(problem, options, start)
    assert found.converged
    assert found.n_iterations < expected.n_iterations
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-5)
    np.testing.assert_allclose(found.bias, expected.bias, atol=1e-5)
    assert found.objective == pytest.approx(expected.objective, rel=1e-12)
    assert (np.diff(found.objectives) <= 1e-15).all()


def test_ends_at_the_rounding_of_an_optimum():
    problem = _problem(3)
    start = np.zeros((N_FEATURES, 3)), np.zeros(3)
    found = solve(problem, _options(1e-30), start)
    assert found.n_iterations < 40
    assert found.objective == pytest.approx(solve(problem, _options(), start).objective, rel=1e-13)


@pytest.fixture
def wide():
    """Features whose second derivatives take more than there is room for."""
    random = np.random.default_rng(0)
    X = scipy.sparse.random_array((300, 6_000), density=0.01, rng=random, format="csr")
    X.data = random.standard_normal(len(X.data))
    return X, random.integers(0, 3, 300)


@pytest.mark.parametrize(
    ("n_elements", "n_features", "is_sparse", "gap_tol", "name"),
    [
        (1_500_000, 100_000, True, None, "newton"),
        (1_500_000, 100_000, False, None, "lbfgs"),
        (10_000_000, 50_000, True, None, "lbfgs"),  # whose features have 200 elements
        (10_000_000, 50, True, None, "newton"),  # by second derivatives
        (400_000, 300, True, None, "lbfgs"),
        (1_000_000_000, 100_000_000, True, None, "sgd"),
        (1_000_000_000, 100_000_000, True, 1e-3, "newton"),
    ],
)
def test_solver_is_chosen_by_how_rare_features_are(
    n_elements, n_features, is_sparse, gap_tol, name
):
    size = Size(n_elements, n_features, 20, is_sparse)
    assert choose("auto", Needs("identity", gap_tol=gap_tol), size).name == name


def test_paths_share_second_derivatives_of_sparse_rows():
    single, path = (Size(400_000, 300, 20, True, is_path) for is_path in (False, True))
    assert takes_conjugate_gradients(single)
    assert not takes_conjugate_gradients(path)
    assert choose("auto", Needs("identity"), path, exact=True).name == "newton"


def test_newton_takes_sparse_rows_of_any_width(wide):
    model = SoftmaxClassifier(solver="newton", tol=1e-9).fit(*wide)
    other = SoftmaxClassifier(solver="lbfgs", tol=1e-9).fit(*wide)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
    assert model.gap_ < 1e-6
    assert model.n_iter_ < other.n_iter_
    auto = SoftmaxClassifier(tol=1e-9).fit(*wide)
    np.testing.assert_array_equal(auto.coef_, model.coef_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_gap_that_is_asked_for_is_reached(wide, n_classes):
    X, y = wide
    model = SoftmaxClassifier(solver="newton", gap_tol=1e-4).fit(X, y % n_classes)
    assert 1e-9 < model.gap_ <= 1e-4


class _Witness:
    """Ends a fit after some iterations."""

    def __init__(self, n_iterations):
        self.n_iterations = n_iterations
        self.seen = []

    def begin_iteration(self):
        pass

    def end_iteration(self, iteration):
        self.seen.append((iteration.objective, iteration.model()))
        return len(self.seen) == self.n_iterations


def test_observer_sees_the_model_of_each_step_and_may_end_them():
    witness = _Witness(3)
    problem = _problem(3)
    start = np.zeros((N_FEATURES, 3)), np.zeros(3)
    found = solve(problem, _options(), start, witness)
    assert found.was_interrupted
    assert found.objectives.tolist() == [objective for objective, _ in witness.seen]
    assert (np.diff(found.objectives) < 0.0).all()
    np.testing.assert_array_equal(found.weights, witness.seen[-1][1][0])
    others = solve(problem, _options(max_iterations=2), start)
    np.testing.assert_array_equal(others.weights, witness.seen[1][1][0])


def test_features_whose_squares_overflow_are_refused(wide):
    X, y = wide
    model = SoftmaxClassifier(solver="newton")
    with pytest.raises(ValueError, match="overflows float64: scale the features"):
        model.fit(X * 1e160, y)
    assert not hasattr(model, "coef_")


def test_separable_classes_without_penalty_are_named(wide):
    X, y = wide
    with pytest.warns(ConvergenceWarning, match="separate the classes completely"):
        SoftmaxClassifier(solver="newton", C=np.inf).fit(X, y)


def test_paths_go_on_where_the_last_penalty_ended(wide):
    X, y = wide
    found, expected = (
        SoftmaxClassifierCV(Cs=[0.01, 1.0, 100.0], cv=3, solver=solver, tol=1e-9).fit(X, y)
        for solver in ("newton", "lbfgs")
    )
    for name in ("scores_", "coef_", "C_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
