import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import HANG_GUARD, WITHOUT_JIT

from softreg_fast import reference
from softreg_fast.data.problem import make_problem
from softreg_fast.objective.dense import Accumulator
from softreg_fast.runtime import tuning

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
TOLERANCE = {DOUBLE: 1e-12, SINGLE: 2e-5}


def _model(n_features, n_columns, seed=3):
    random = np.random.default_rng(seed)
    scale = 1 / np.sqrt(n_features)
    return scale * random.standard_normal((n_features, n_columns)), random.standard_normal(
        n_columns
    )


def _weights(n_samples, seed=4):
    """Some of them zero."""
    random = np.random.default_rng(seed)
    return random.exponential(size=n_samples) * (random.uniform(size=n_samples) > 0.2)


def _evaluate(problem, weights, bias, n_threads=1):
    with Accumulator(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
        again = accumulator.evaluate(weights, bias)
    for name, found in vars(totals).items():
        np.testing.assert_array_equal(found, getattr(again, name))
    return totals


def _assert_equals_reference(problem, weights, bias):
    sample_weight = problem.sample_weight
    if sample_weight is None:
        sample_weight = np.ones(len(problem.features))
    expected = reference.accumulate(
        problem.features.astype(np.float64), problem.targets, sample_weight, weights, bias,
        problem.activation, "exact",
    )  # fmt: skip
    loss, _, *gradients = expected
    totals = _evaluate(problem, weights, bias)
    found = totals.loss, totals.weights_gradient, totals.bias_gradient
    scale = np.abs(np.append(expected[2], expected[3])).max()
    for found_part, expected_part, size in zip(
        found, [loss, *gradients], [abs(loss), scale, scale], strict=True
    ):
        np.testing.assert_allclose(
            found_part, expected_part, rtol=0, atol=TOLERANCE[problem.dtype] * size
        )


@pytest.mark.parametrize("is_weighted", [True, False], ids=["weighted", "unweighted"])
@pytest.mark.parametrize(
    ("features_dtype", "dtype", "order"),
    [
        (DOUBLE, DOUBLE, "C"),
        (DOUBLE, DOUBLE, "F"),
        pytest.param(SINGLE, DOUBLE, "C", marks=pytest.mark.full),
        pytest.param(SINGLE, DOUBLE, "F", marks=pytest.mark.full),
        pytest.param(SINGLE, SINGLE, "C", marks=pytest.mark.full),
        pytest.param(SINGLE, SINGLE, "F", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_columns", "activation"),
    [
        (1, 3, 2, "sigmoid"),
        (70, 4, 3, "sigmoid"),
        (70, 60, 3, "identity"),
        (600, 50, 10, "identity"),
        # These have kernels of their own.
        pytest.param(200, 30, 1, "identity", marks=pytest.mark.full),
        pytest.param(600, 50, 7, "identity", marks=pytest.mark.full),
    ],
)
def test_sums_equal_reference(
    make_data, n_rows, n_features, n_columns, activation, features_dtype, dtype, order, is_weighted
):
    n_samples = min(n_rows, 19) if WITHOUT_JIT else n_rows
    features, targets = make_data(n_samples, n_features, max(n_columns, 2))
    features = np.asarray(features, features_dtype, order=order)
    problem = make_problem(features, targets, activation, dtype)
    if is_weighted:
        problem = replace(problem, sample_weight=_weights(n_samples) + (n_samples == 1))
    _assert_equals_reference(problem, *_model(n_features, n_columns))


def test_sums_over_many_rounds_and_calls_equal_reference(make_data, monkeypatch):
    monkeypatch.setattr(tuning, "GRADIENTS_BYTES", 0)
    monkeypatch.setattr(tuning, "MOST_TILES_IN_A_CHUNK", 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_PER_CALL", 1)
    features, targets = make_data(900, 6, 5)
    problem = replace(
        make_problem(features, targets, "identity", DOUBLE), sample_weight=_weights(900)
    )
    _assert_equals_reference(problem, *_model(6, 5))


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_number_of_threads_gives_the_same_sums(
    make_data, eager_threads, started_threads, order
):
    features, targets = make_data(200, 30, 10)
    problem = replace(
        make_problem(np.asarray(features, order=order), targets, "identity", DOUBLE),
        sample_weight=_weights(200),
    )
    model = _model(30, 10)
    expected = _evaluate(problem, *model)
    assert started_threads == []
    for n_threads in (2, 3) if WITHOUT_JIT else (2, 3, 4, 7):
        for name, found in vars(_evaluate(problem, *model, n_threads)).items():
            np.testing.assert_array_equal(found, getattr(expected, name), err_msg=name)
        assert started_threads
        started_threads.clear()


def test_weight_of_a_row_counts_as_its_repetition(make_data):
    features, targets = make_data(200, 6, 3)
    counts = np.random.default_rng(0).integers(0, 4, 200)
    weighted = replace(
        make_problem(features, targets, "identity", DOUBLE), sample_weight=counts.astype(float)
    )
    repeated = replace(
        make_problem(features, targets, "identity", DOUBLE),
        features=features.repeat(counts, axis=0),
        targets=weighted.targets.repeat(counts),
    )
    assert weighted.total_weight == repeated.total_weight == counts.sum()
    model = _model(6, 3)
    found, expected = _evaluate(weighted, *model), _evaluate(repeated, *model)
    for name, sums in vars(found).items():
        np.testing.assert_allclose(sums, getattr(expected, name), rtol=1e-12)


@pytest.mark.parametrize("broken_thread", [0, 1, 2])
def test_failure_of_a_thread_is_raised_and_not_waited_for(
    make_data, eager_threads, broken_thread, monkeypatch
):
    features, targets = make_data(200, 6, 5)
    original = Accumulator._call
    has_failed = threading.Event()

    def call(self, compiled, start, stop, thread, n_threads, call):
        assert n_threads == 3
        if thread == broken_thread:
            has_failed.set()
            raise MemoryError("of the test")
        assert thread > 0 or has_failed.wait(HANG_GUARD)
        return original(self, compiled, start, stop, thread, n_threads, call)

    monkeypatch.setattr(Accumulator, "_call", call)
    problem = make_problem(features, targets, "sigmoid", DOUBLE)
    with (
        pytest.raises(MemoryError, match="of the test"),
        Accumulator(problem, 5, 3) as accumulator,
    ):
        accumulator.evaluate(*_model(6, 5))


@pytest.mark.parametrize("n_columns", [1, 3])
def test_other_weights_of_the_same_rows_equal_reference(make_data, n_columns):
    features, targets = make_data(60, 4, max(n_columns, 2))
    problem = make_problem(features, targets, "identity", DOUBLE)
    model = _model(4, n_columns)
    found, expected = [], []
    with Accumulator(problem, n_columns, 1) as accumulator:
        for seed in range(3):
            weights = np.random.default_rng(seed).exponential(size=60)
            accumulator.turn_to(replace(problem, sample_weight=weights))
            found.append(accumulator.evaluate(*model))
            expected.append(
                reference.accumulate(features, targets, weights, *model, "identity", "exact")
            )
    for totals, (loss, _, weights_gradient, bias_gradient) in zip(found, expected, strict=True):
        np.testing.assert_allclose(totals.loss, loss, rtol=1e-12)
        np.testing.assert_allclose(totals.weights_gradient, weights_gradient, rtol=1e-11)
        np.testing.assert_allclose(totals.bias_gradient, bias_gradient, rtol=1e-11)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("n_columns", [1, 3, 7])
def test_logits_of_weightless_rows_may_be_anything(make_data, n_columns, activation):
    if n_columns == 1 and activation == "sigmoid":
        return
    features, targets = make_data(70, 6, max(n_columns, 2))
    weights = _weights(70)
    weights[[0, 33, 69]] = 0.0
    model = _model(6, n_columns)
    problem = replace(make_problem(features, targets, activation, DOUBLE), sample_weight=weights)
    expected = _evaluate(problem, *model)
    for value in (1e308, -1e308):
        other = features.copy()
        other[[0, 33, 69]] = value * np.array([1.0, -1.0, 0.5, 1e-300, 1.0, -1.0])
        found = replace(problem, features=other)
        with np.errstate(all="ignore"):
            _assert_equals_reference(found, *model)
        for name, sums in vars(_evaluate(found, *model)).items():
            np.testing.assert_array_equal(sums, getattr(expected, name), err_msg=name)
