"""Passes over all rows of a sparse matrix."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from conftest import HANG_GUARD, WITHOUT_JIT

from softreg_fast import reference
from softreg_fast.data.problem import Problem
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.moments import sum_sparse_squares
from softreg_fast.objective.sparse import SparseAccumulator
from softreg_fast.runtime import tuning
from softreg_fast.runtime.sparse_workspace import take_panel

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
# Of columns: a number, half a vector, a vector, some side by side, and groups of them.
QUICK_TYPES = [
    (1, DOUBLE, np.int32),
    (4, SINGLE, np.int32),
    (4, DOUBLE, np.int64),
    (5, DOUBLE, np.int32),
]
FULL_TYPES = [
    (2, DOUBLE, np.int64),
    (5, SINGLE, np.int64),
    (30, DOUBLE, np.int32),
    (100, DOUBLE, np.int64),
]


def _problem(n_columns=3, dtype=DOUBLE, index_dtype=np.int32, n_samples=101, **changes):
    """Features of very different frequency, one that is nowhere, and a row without any."""
    random = np.random.default_rng(0)
    n_samples = min(n_samples, 19) if WITHOUT_JIT else n_samples
    shape = n_samples, 40
    is_there = random.uniform(size=shape) < np.geomspace(0.9, 0.02, 40)
    is_there[:, 20] = is_there[3] = False
    matrix = scipy.sparse.csr_array((is_there * random.normal(1.0, 1.0, shape)).astype(dtype))
    matrix.indices = matrix.indices.astype(index_dtype)
    matrix.indptr = matrix.indptr.astype(index_dtype)
    n_classes = max(n_columns, 2)
    targets = random.integers(0, n_classes, n_samples).astype(np.int32)
    weights = random.exponential(size=n_samples) * (random.uniform(size=n_samples) > 0.2)
    problem = Problem(matrix, targets, n_classes, "identity", DOUBLE, sample_weight=weights)
    return replace(problem, **changes)


def _model(n_columns, seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((40, n_columns)), random.standard_normal(n_columns)


def _evaluate(problem, model, n_threads=1):
    """Sums, the same for a second time, and between them the loss of another model alone."""
    with SparseAccumulator(problem, len(model[1]), n_threads) as accumulator:
        totals = accumulator.evaluate(*model)
        other = accumulator.loss(*_model(len(model[1]), seed=5))
        again = accumulator.evaluate(*model)
        assert accumulator.loss(*model) == totals.loss != other
    _assert_same(totals, again)
    return totals


def _assert_same(found, expected):
    for name, sums in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), sums, err_msg=name)


def _assert_equals_reference(problem, model):
    totals = _evaluate(problem, model)
    loss, _, weights_gradient, bias_gradient = reference.accumulate(
        problem.features.toarray().astype(np.float64), problem.targets, problem.weights(), *model,
        problem.activation, "exact",
    )  # fmt: skip
    np.testing.assert_allclose(totals.loss, loss, rtol=1e-12)
    scale = np.abs(bias_gradient).max()
    for found, expected in (
        (totals.weights_gradient, weights_gradient),
        (totals.bias_gradient, bias_gradient),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize(
    ("n_columns", "dtype", "index_dtype"),
    [*QUICK_TYPES, *(pytest.param(*each, marks=pytest.mark.full) for each in FULL_TYPES)],
)
def test_sums_equal_reference(n_columns, dtype, index_dtype):
    problem = _problem(n_columns, dtype, index_dtype)
    _assert_equals_reference(problem, _model(n_columns))
    _assert_equals_reference(replace(problem, sample_weight=None), _model(n_columns))
    if n_columns > 1:
        _assert_equals_reference(replace(problem, activation="sigmoid"), _model(n_columns))


@pytest.mark.parametrize("n_columns", [1, 5])
def test_sums_over_many_panels_equal_reference(n_columns, monkeypatch):
    problem = _problem(n_columns)
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 100)
    monkeypatch.setattr(tuning, "ELEMENTS_OF_A_FEATURE", 1)
    assert len(SparseAccumulator(problem, n_columns)._panels) > 1
    _assert_equals_reference(problem, _model(n_columns))


@pytest.mark.parametrize("n_columns", [1, 5])
def test_any_number_of_threads_gives_the_same_sums(
    n_columns, eager_threads, started_threads, monkeypatch
):
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 3_000)
    problem = _problem(n_columns, n_samples=700)
    expected = _evaluate(problem, _model(n_columns))
    assert started_threads == []
    for n_threads in (2, 3) if WITHOUT_JIT else (2, 3, 4, 7):
        _assert_same(_evaluate(problem, _model(n_columns), n_threads), expected)
        assert started_threads
        started_threads.clear()


def test_late_thread_is_waited_for_before_another_pass(eager_threads, monkeypatch):
    """It may still write what the pass before has written."""
    original = SparseAccumulator._call
    within, n_late = set(), [0]

    def call(self, *arguments):
        thread, _, number = arguments[-3:]
        if thread == 0:
            assert within <= {number}
            original(self, *arguments)
            return
        within.add(number)
        time.sleep(0.1)
        n_late[0] += 1
        within.remove(number)

    monkeypatch.setattr(SparseAccumulator, "_call", call)
    with SparseAccumulator(_problem(5, n_samples=700), 5, 2) as accumulator:
        while not n_late[0]:
            accumulator.evaluate(*_model(5))
            time.sleep(0.01)
            accumulator.loss(*_model(5))


def test_failure_of_a_thread_is_raised_and_not_waited_for(eager_threads, monkeypatch):
    original = SparseAccumulator._call
    has_failed = threading.Event()

    def call(self, *arguments):
        if arguments[-3] == 1:
            has_failed.set()
            raise MemoryError("of the test")
        assert has_failed.wait(HANG_GUARD)
        original(self, *arguments)

    monkeypatch.setattr(SparseAccumulator, "_call", call)
    with (
        pytest.raises(MemoryError, match="of the test"),
        SparseAccumulator(_problem(5), 5, 2) as accumulator,
    ):
        accumulator.evaluate(*_model(5))


@pytest.mark.parametrize("n_columns", [1, 5])
def test_other_weights_of_the_same_rows(n_columns):
    problem = _problem(n_columns)
    model = _model(n_columns)
    with SparseAccumulator(problem, n_columns, 1) as accumulator:
        for seed in range(2):
            weights = np.random.default_rng(seed).exponential(size=problem.n_samples)
            accumulator.turn_to(replace(problem, sample_weight=weights))
            expected = _evaluate(replace(problem, sample_weight=weights), model)
            _assert_same(accumulator.evaluate(*model), expected)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("n_columns", [1, 5])
def test_logits_of_weightless_rows_may_be_anything(n_columns, activation):
    if n_columns == 1 and activation == "sigmoid":
        return
    problem = _problem(n_columns, activation=activation)
    weights = problem.weights()
    weights[[0, 9, 18]] = 0.0
    problem = replace(problem, sample_weight=weights)
    expected = _evaluate(problem, _model(n_columns))
    for value in (1e308, -1e308):
        features = problem.features.toarray()
        features[[0, 9, 18]] = value
        features[9, ::3] = 0.0
        found = replace(problem, features=scipy.sparse.csr_array(features))
        _assert_same(_evaluate(found, _model(n_columns)), expected)


@pytest.mark.parametrize(
    ("features_dtype", "index_dtype"),
    [
        (DOUBLE, np.int64),
        (SINGLE, np.int32),
        pytest.param(DOUBLE, np.int32, marks=pytest.mark.full),
        pytest.param(SINGLE, np.int64, marks=pytest.mark.full),
    ],
)
def test_panel_equals_reference(features_dtype, index_dtype, monkeypatch):
    """The elements of its rows by columns, in the order of the rows, for any number of threads."""
    matrix = _problem(dtype=features_dtype, index_dtype=index_dtype).features
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    for start, stop in ((0, matrix.shape[0]), (5, 17), (3, 4)):
        (elements,) = np.nonzero((rows >= start) & (rows < stop))
        elements = elements[np.argsort(matrix.indices[elements], kind="stable")]
        counts = np.bincount(matrix.indices[elements], minlength=40)
        for n_threads in (1, 2, 3):
            panel = take_panel(matrix, matrix.indptr, start, stop, n_threads)
            np.testing.assert_array_equal(panel.data, matrix.data[elements])
            np.testing.assert_array_equal(panel.rows, rows[elements] - start)
            np.testing.assert_array_equal(np.diff(panel.pointers), counts)
            assert panel.data.dtype == features_dtype
            assert (panel.cuts[0], panel.cuts[-1]) == (0, 40)


@pytest.mark.parametrize("is_weighted", [True, False], ids=["weighted", "unweighted"])
@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_moments_equal_reference(mean, dtype, is_weighted, monkeypatch):
    """Also of features whose means are far from zero, and of panels; of any number of threads."""
    problem = _problem(dtype=dtype)
    problem.features.data += dtype.type(mean)
    if not is_weighted:
        problem = replace(problem, sample_weight=None)
    X, weights = problem.features.toarray().astype(np.float64), problem.weights()
    found = [sum_features(problem, 1), sum_features(problem, 2)]
    with SparseAccumulator(problem, 3, 1) as accumulator:
        found.append(sum_features(problem, 1, accumulator.panels))
    monkeypatch.setattr(tuning, "ELEMENTS_PER_CALL", 100)
    monkeypatch.setattr(tuning, "ELEMENTS_OF_A_FEATURE", 1)
    found.append(sum_features(problem, 1))
    for sums in found:
        by_class, squares = reference.sum_features(X, problem.targets, weights, 3, sums.origin)
        size = weights.sum() * max(mean, 1.0)
        np.testing.assert_allclose(sums.about_origin, by_class, rtol=0, atol=1e-13 * size)
        np.testing.assert_allclose(sums.squares, squares, rtol=1e-12, atol=1e-13 * size)
        np.testing.assert_allclose(sums.means, np.average(X, axis=0, weights=weights), rtol=1e-12)
        np.testing.assert_array_equal(sums.squares, found[0].squares)
        square = np.average((X**2).sum(axis=1), weights=weights)
        assert sums.mean_square == pytest.approx(square, rel=1e-10)
    np.testing.assert_array_equal(sum_sparse_squares(problem, sums.origin), sums.squares)
    np.testing.assert_allclose(sum_sparse_squares(problem), weights @ X**2, rtol=1e-12)
