"""Columns of features that L1 penalties are minimised over."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from conftest import WITHOUT_JIT

from softreg_fast import reference
from softreg_fast.data.problem import Problem
from softreg_fast.kernels.columns import MOST_CURVED
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.passes import accumulator_of
from softreg_fast.objective.penalty import shortest_slopes, sum_absolute
from softreg_fast.objective.sparse import SparseAccumulator
from softreg_fast.runtime import tuning
from softreg_fast.solvers.proximal.column_choice import choose_columns
from softreg_fast.solvers.proximal.columns import Descent
from softreg_fast.solvers.proximal.quadratic import QuadraticModel
from softreg_fast.solvers.proximal.rows import Rows

N_FEATURES = 12
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# Columns of models: a number, a vector, some side by side, and groups of them.
N_COLUMNS = [1, 3, *(pytest.param(each, marks=pytest.mark.full) for each in (10, 30))]


def _problem(n_columns, *, is_sparse, dtype=DOUBLE, n_rows=101, has_weightless=False):
    """A feature that is in all rows, rarer ones, and one that is nowhere."""
    random = np.random.default_rng(0)
    n_rows = min(n_rows, 37) if WITHOUT_JIT else n_rows
    X = random.normal(1.0, 1.0, (n_rows, N_FEATURES))
    X *= random.uniform(size=X.shape) < np.geomspace(1.0, 0.1, N_FEATURES)
    X[:, 7] = 0.0
    X = X.astype(dtype)
    weights = random.exponential(size=n_rows)
    if has_weightless:
        weights[::4] = 0.0
    n_classes = max(2, n_columns)
    targets = random.integers(0, n_classes, n_rows).astype(np.int32)
    features = scipy.sparse.csr_array(X) if is_sparse else X
    return Problem(features, targets, n_classes, "identity", DOUBLE, weights, 0.1, 0.2)


def _dense(problem):
    X = problem.features.toarray() if problem.is_sparse else problem.features
    return X.astype(np.float64)[problem.weights() > 0.0]


def _prepare(problem, n_columns, *, fit_intercept=True, n_threads=1, are_exact=False):
    """Columns of all features, rows with random logits, and what they are in plain NumPy."""
    sums = sum_features(problem, n_threads)
    accumulator = accumulator_of(problem, n_columns, n_threads)
    columns = choose_columns(
        problem, sums, accumulator, n_columns, fit_intercept=fit_intercept, n_threads=n_threads,
        are_exact=are_exact,
    )  # fmt: skip
    for features in (np.array([5, 3, 11, 7]), np.arange(N_FEATURES)):
        columns.numbers_of(features)
    X = _dense(problem)
    if fit_intercept and not problem.is_sparse:
        X = X - sums.means
    if columns.are_rounded:
        X = X.astype(np.float32).astype(np.float64)
    matrix = np.hstack([np.ones((len(X), 1)), X])[:, columns.features + 1]
    rows = Rows(problem, columns, n_columns, n_threads)
    random = np.random.default_rng(1)
    rows.logits[:, :n_columns] = random.standard_normal((len(X), n_columns))
    rows.evaluate()
    weights = problem.weights()
    weights = weights[weights > 0.0] / problem.total_weight
    return SimpleNamespace(columns=columns, rows=rows, matrix=matrix, weights=weights)


def _some(n_columns, padded, n):
    values = np.zeros((n, padded))
    values[:, :n_columns] = np.random.default_rng(2).standard_normal((n, n_columns))
    return values


@pytest.mark.parametrize("has_weightless", [False, True])
@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize(
    ("is_sparse", "dtype", "are_exact"),
    [
        (True, DOUBLE, True),
        pytest.param(True, SINGLE, True, marks=pytest.mark.full),
        (False, SINGLE, True),
        (False, DOUBLE, False),
    ],
)
def test_products_equal_numpy(is_sparse, dtype, are_exact, n_columns, has_weightless):
    problem = _problem(n_columns, is_sparse=is_sparse, dtype=dtype, has_weightless=has_weightless)
    made = _prepare(problem, n_columns, are_exact=are_exact)
    columns, matrix = made.columns, made.matrix
    assert columns.are_rounded == (n_columns == 1 and not is_sparse and not are_exact)
    chosen = np.array([4, 0, 9, 2, 11, 7])
    by_column = _some(n_columns, columns.n_padded, len(columns))
    by_row = _some(n_columns, columns.n_padded, columns.n_rows)
    found = by_row.copy()
    columns.combine(chosen, by_column, found)
    np.testing.assert_allclose(
        found, by_row + matrix[:, chosen] @ by_column[chosen], rtol=0, atol=1e-12
    )
    found = columns.zeros()
    columns.contract(chosen, by_row, found)
    np.testing.assert_allclose(found[chosen], matrix[:, chosen].T @ by_row, rtol=0, atol=1e-12)
    assert not found[[1, 3, 5]].any()


@pytest.mark.parametrize("n_columns", N_COLUMNS)
def test_slopes_of_rows_equal_reference(n_columns):
    problem = _problem(n_columns, is_sparse=True)
    made = _prepare(problem, n_columns)
    rows = made.rows
    logits = rows.logits[:, :n_columns]
    loss, slopes = 0.0, []
    for logit, target, weight in zip(logits, problem.targets, made.weights, strict=True):
        own, _, _, slope = reference.accumulate(
            np.zeros((1, 1)), np.array([target]), np.array([weight]), np.zeros((1, n_columns)),
            logit, "identity", "exact",
        )  # fmt: skip
        loss += own
        slopes.append(slope)
    np.testing.assert_allclose(rows.loss, loss, rtol=1e-13)
    np.testing.assert_allclose(rows.slopes[:, :n_columns], slopes, rtol=1e-12, atol=1e-17)
    probabilities = reference.predict(
        np.zeros((1, 1)), np.zeros((1, n_columns)), logits, "identity"
    )[0]
    probabilities = probabilities[:, -n_columns:]
    np.testing.assert_allclose(rows.probabilities[:, :n_columns], probabilities, rtol=0, atol=1e-14)
    changes = _some(n_columns, rows.logits.shape[1], len(logits))
    found = np.zeros(changes.shape)
    rows.multiply(changes, found)
    expected = reference.take_slopes(probabilities, made.weights, changes[:, :n_columns])
    np.testing.assert_allclose(found[:, :n_columns], expected, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize(("is_sparse", "are_exact"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("is_grouped", [False, True])
def test_sweep_equals_reference(is_sparse, are_exact, n_columns, is_grouped):
    """That some changes are as long as they may be, and some weights become zero, is looked at."""
    problem = _problem(n_columns, is_sparse=is_sparse)
    made = _prepare(problem, n_columns, are_exact=are_exact)
    columns, rows = made.columns, made.rows
    n, padded = len(columns), columns.n_padded
    random = np.random.default_rng(3)
    l1, l2 = random.uniform(0.0, 0.6, n), random.uniform(0.0, 0.1, n)
    columns.most_changes[:] = most = np.where(np.arange(n) == 5, 0.02, 0.5)
    factors = np.full(n, MOST_CURVED if n_columns > 1 else 1.0)
    order = np.array([3, 0, 9, 5, 1, 9])
    start = 0.3 * _some(n_columns, padded, n)
    start[::3] = 0.0
    start[1] *= 0.01
    l1[1] = 1.0
    tilts = 0.1 * _some(n_columns, padded, n) * columns.are_rounded
    weights, slopes = start.copy(), rows.slopes.copy()
    violations, missing = np.full((2, n), -1.0)
    descent = Descent(
        l1, l2, is_grouped, tilts, slopes, weights, columns.zeros(), factors.copy(),
        np.zeros((2, padded)), violations, missing,
    )  # fmt: skip
    columns.descend(order, rows, descent, takes_curvatures=True, closeness=0.05)
    expected_slopes, expected, expected_violations = reference.descend_columns(
        made.matrix, order.tolist(), (l1, l2), most, made.weights,
        rows.probabilities[:, :n_columns], factors, rows.slopes[:, :n_columns],
        start[:, :n_columns], is_grouped=is_grouped, tilts=tilts[:, :n_columns],
    )  # fmt: skip
    is_first_time = np.isin(np.arange(n), order) & (np.arange(n) != 9)
    np.testing.assert_allclose(
        weights[is_first_time, :n_columns], expected[is_first_time], rtol=0, atol=1e-12
    )
    if n_columns == 1:  # whose second derivatives are always multiplied by one
        np.testing.assert_allclose(weights[:, :1], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(slopes[:, :1], expected_slopes, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            violations[order], expected_violations[order], rtol=0, atol=1e-12
        )
    assert not weights[:, n_columns:].any()
    changes = np.abs(weights - start)
    assert np.isclose(changes[5], 0.02).any()
    assert ((weights == 0.0) & (start != 0.0)).any()
    assert (violations[[2, 4]] == -1.0).all()
    slope = made.matrix[:, 3] @ rows.slopes[:, :n_columns] + tilts[3, :n_columns]
    sizes = np.linalg.norm(slope) if is_grouped else np.abs(slope)
    stays_zero = (sizes <= l1[3] - 0.05).all()
    assert (missing[3] == 0.0) == stays_zero


@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize(("is_sparse", "is_grouped"), [(False, False), (True, False), (True, True)])
def test_sweeps_and_conjugate_gradients_minimise_the_model(is_sparse, is_grouped, n_columns):
    """The slopes that go along are those of the model, which falls to where it is optimal."""
    problem = _problem(n_columns, is_sparse=is_sparse)
    made = _prepare(problem, n_columns)
    columns, rows, matrix = made.columns, made.rows, made.matrix
    model = QuadraticModel(
        columns, rows, n_columns, 0.01, 0.01, columns.zeros(), is_grouped=is_grouped
    )
    model.begin()
    numbers = np.flatnonzero(columns.features >= 0)
    probabilities, start = rows.probabilities[:, :n_columns], rows.slopes[:, :n_columns].copy()

    def look():
        weights = model.weights[:, :n_columns]
        logits = matrix @ weights
        slopes = start + reference.take_slopes(probabilities, made.weights, logits)
        np.testing.assert_allclose(model.slopes[:, :n_columns], slopes, rtol=0, atol=1e-12)
        value = 0.5 * np.sum((start + slopes) * logits)
        penalised = weights[numbers]
        value += 0.01 * sum_absolute(penalised, is_grouped=is_grouped)
        value += 0.005 * np.sum(penalised**2)
        gradient = matrix.T @ slopes
        gradient[numbers] += 0.01 * penalised
        gradient[numbers] = shortest_slopes(
            gradient[numbers], penalised, 0.01, is_grouped=is_grouped
        )
        return value, np.abs(gradient).max()

    values = []
    for number in range(18):
        model.sweep(numbers, takes_curvatures=number == 0)
        values.append(look()[0])
        if number % 3 == 2:
            model.shift(numbers)
            model.polish(numbers, 0.1)
            values.append(look()[0])
    assert (np.diff(values) <= 1e-13).all()
    assert look()[1] < 1e-3 * np.abs(matrix.T @ start).max()


def test_columns_over_many_panels_are_whole(monkeypatch):
    problem = _problem(3, is_sparse=True)
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 60)
    monkeypatch.setattr(tuning, "ELEMENTS_OF_A_FEATURE", 1)
    with SparseAccumulator(problem, 3) as accumulator:
        assert len(accumulator._panels) > 2
        features = np.array([11, 0, 7, 3])
        data, rows, lengths = accumulator.columns(features)
    expected = problem.features.tocsc()[:, features]
    np.testing.assert_array_equal(lengths, np.diff(expected.indptr))
    np.testing.assert_array_equal(rows, expected.indices)
    np.testing.assert_array_equal(data, expected.data)


def test_columns_are_gone_over_in_pieces(monkeypatch):
    """An interrupt doesn't have to wait for all of them."""
    made = _prepare(_problem(3, is_sparse=True), 3)
    numbers = np.array([4, 0, 9, 2, 7])
    assert len(made.columns.pieces(numbers)) == 1
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 100)
    pieces = made.columns.pieces(numbers)
    assert len(pieces) > 2
    np.testing.assert_array_equal(np.concatenate(pieces), numbers)


@pytest.mark.parametrize(("n_columns", "is_sparse"), [(1, True), (3, True), (1, False)])
def test_any_number_of_threads_gives_the_same_products(
    n_columns, is_sparse, eager_threads, started_threads
):
    problem = _problem(n_columns, is_sparse=is_sparse, n_rows=900 if is_sparse else 9_001)
    found = []
    for n_threads in (1, 2, 3):
        made = _prepare(problem, n_columns, n_threads=n_threads)
        out = made.columns.zeros()
        made.columns.contract(np.arange(len(out)), made.rows.slopes, out)
        logits = made.columns.row_zeros()
        made.columns.combine(np.arange(len(out)), out, logits)
        bent = made.columns.row_zeros()
        made.rows.multiply(made.rows.slopes, bent)
        found.append((made.rows.loss, out, bent, logits))
        assert bool(started_threads) == (n_threads > 1)
        started_threads.clear()
    for each in found[1:]:
        for array, expected in zip(each, found[0], strict=True):
            np.testing.assert_array_equal(array, expected)
