"""Passes over rows of numbers and categories."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import WITHOUT_JIT

from softreg_fast import reference
from softreg_fast.data.problem import Problem
from softreg_fast.data.table import Table
from softreg_fast.inference.prediction import decide, predict
from softreg_fast.objective import table as module
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.passes import accumulator_of
from softreg_fast.objective.table import TableAccumulator

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# Columns of models: a number, half a vector, some vectors side by side, and groups of them.
N_COLUMNS = [1, 3, *(pytest.param(each, marks=pytest.mark.full) for each in (10, 30))]
TYPES = [(DOUBLE, np.uint8), pytest.param((SINGLE, np.uint16), marks=pytest.mark.full)]


def _table(types=(DOUBLE, np.uint8), n_numbers=3, n_categories=(4, 1, 6), n_samples=150):
    """Some rows are of no known category; columns are in any order."""
    dtype, kind = types
    random = np.random.default_rng(0)
    n_samples = min(n_samples, 37) if WITHOUT_JIT else n_samples
    numbers = random.normal(1.0, 1.0, (n_numbers, n_samples)).astype(dtype)
    codes = [random.integers(0, count + 1, n_samples) for count in n_categories]
    codes = np.array(codes, kind).reshape(len(n_categories), n_samples)
    order = random.permutation(n_numbers + sum(n_categories))
    return Table(numbers, codes, n_categories, order)


def _one_hot(table):
    """The matrix, made element by element."""
    columns = list(table.numbers.astype(np.float64))
    for codes, count in zip(table.codes, table.n_categories, strict=True):
        columns += [(codes == category).astype(np.float64) for category in range(count)]
    return np.array(columns)[table.order].T


def _problem(n_columns, table=None, **changes):
    table = _table() if table is None else table
    random = np.random.default_rng(1)
    n_classes = max(n_columns, 2)
    n_samples = table.shape[0]
    targets = random.integers(0, n_classes, n_samples).astype(np.int32)
    weights = random.exponential(size=n_samples) * (random.uniform(size=n_samples) > 0.2)
    problem = Problem(table, targets, n_classes, "identity", DOUBLE, weights, 0.3)
    return replace(problem, **changes)


def _model(table, n_columns, seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((table.shape[1], n_columns)), random.standard_normal(n_columns)


def _assert_equals_reference(problem, n_columns, n_threads=1):
    model = _model(problem.features, n_columns)
    loss, _, *gradients = reference.accumulate(
        _one_hot(problem.features), problem.targets, problem.weights(), *model,
        problem.activation, "exact",
    )  # fmt: skip
    with accumulator_of(problem, n_columns, n_threads) as accumulator:
        assert isinstance(accumulator, TableAccumulator)
        accumulator.evaluate(*_model(problem.features, n_columns, seed=5))
        found = accumulator.evaluate(*model)
        assert accumulator.loss(*model) == found.loss
    np.testing.assert_allclose(found.loss, loss, rtol=1e-12)
    scale = np.abs(gradients[1]).max()
    for part, expected in zip(
        (found.weights_gradient, found.bias_gradient), gradients, strict=True
    ):
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("n_columns", N_COLUMNS)
@pytest.mark.parametrize("types", TYPES)
def test_sums_equal_reference(n_columns, types):
    problem = _problem(n_columns, _table(types))
    _assert_equals_reference(problem, n_columns)
    _assert_equals_reference(replace(problem, sample_weight=None), n_columns)


@pytest.mark.parametrize("n_columns", [1, 3])
@pytest.mark.parametrize(("n_numbers", "n_categories"), [(0, (5, 2)), (4, ()), (1, (3,))])
def test_sums_of_numbers_or_categories_alone_equal_reference(n_numbers, n_categories, n_columns):
    table = _table(n_numbers=n_numbers, n_categories=n_categories)
    _assert_equals_reference(_problem(n_columns, table), n_columns)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_any_number_of_threads_gives_the_same_sums(
    n_columns, eager_threads, started_threads, monkeypatch
):
    monkeypatch.setattr(module, "_FEWEST_ROWS", 10)
    problem = _problem(n_columns)
    model = _model(problem.features, n_columns)
    found = []
    for n_threads in (1, 2, 3):
        accumulator = TableAccumulator(problem, n_columns, n_threads)
        assert len(accumulator._parts) > 1
        found.append(accumulator.evaluate(*model))
        assert bool(started_threads) == (n_threads > 1)
        started_threads.clear()
    _assert_equals_reference(problem, n_columns)
    for totals in found[1:]:
        for name, expected in vars(found[0]).items():
            np.testing.assert_array_equal(getattr(totals, name), expected)


def test_matrix_equals_reference():
    table = _table()
    np.testing.assert_array_equal(table.toarray(), _one_hot(table))
    assert table.tocsr().has_sorted_indices
    assert table.tocsr().nnz < table.size  # nothing is stored for unknown categories
    for rows in (slice(3, 30, 4), np.array([5, 2, 2])):
        np.testing.assert_array_equal(table[rows].toarray(), _one_hot(table)[rows])


@pytest.mark.parametrize("is_weighted", [True, False], ids=["weighted", "unweighted"])
@pytest.mark.parametrize(("n_numbers", "n_categories"), [(3, (4, 1, 6)), (0, (5, 2)), (4, ())])
def test_moments_equal_reference(n_numbers, n_categories, is_weighted):
    problem = _problem(3, _table(n_numbers=n_numbers, n_categories=n_categories))
    if not is_weighted:
        problem = replace(problem, sample_weight=None)
    matrix, weights = _one_hot(problem.features), problem.weights()
    sums = sum_features(problem, 1)
    by_class, squares = reference.sum_features(matrix, problem.targets, weights, 3, sums.origin)
    np.testing.assert_allclose(sums.about_origin, by_class, atol=1e-11)
    np.testing.assert_allclose(sums.squares, squares, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(sums.means, np.average(matrix, axis=0, weights=weights), rtol=1e-12)


@pytest.mark.parametrize(
    ("n_columns", "activation"),
    [
        (1, "identity"),
        (3, "sigmoid"),
        *(pytest.param(each, "identity", marks=pytest.mark.full) for each in (3, 10, 30)),
    ],
)
def test_predictions_equal_reference(n_columns, activation):
    table = _table()
    model = _model(table, n_columns)
    expected, values, logits = reference.predict(_one_hot(table), *model, activation)
    found = predict(table, *model, activation, keep_steps=True, n_threads=1)
    for part, wanted in zip(found, (expected, values, logits), strict=False):
        np.testing.assert_allclose(part, wanted, rtol=1e-12, atol=1e-12)
    assert found[3]
    decided, _ = decide(table, *model, activation, n_threads=1)
    np.testing.assert_allclose(decided, values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_overflow_is_told(n_columns):
    table = _table()
    weights, bias = _model(table, n_columns)
    weights[0] = 1e308
    huge = replace(table, numbers=1e10 * table.numbers, order=np.arange(table.shape[1]))
    assert not predict(huge, weights, bias, "identity", keep_steps=True, n_threads=1)[3]
    assert not decide(huge, weights, bias, "identity", n_threads=1)[1]
