import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import HANG_GUARD, WITHOUT_JIT

from softreg_fast import reference
from softreg_fast.data.problem import make_problem
from softreg_fast.objective.dense import Accumulator
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.runtime import tuning
from softreg_fast.runtime import workspace as layout
from softreg_fast.solvers.base import SolverOptions
from softreg_fast.solvers.lbfgs import solve
from softreg_fast.solvers.sgd.dense import DenseDescent
from softreg_fast.solvers.sgd.options import SgdSettings
from softreg_fast.solvers.sgd.scaling import choose_scaling, weighted_moments
from softreg_fast.solvers.sgd.solver import sharpen
from softreg_fast.solvers.sgd.stream import advance, begin_stream

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
SETTINGS = SgdSettings(
    schedule="constant",
    learning_rate=0.3,
    batch_size=32,
    n_epochs=3,
    patience=0,
    tolerance=0.0,
    method="plain",
    momentum=0.0,
    feature_scaling="standard",
)


def _problem(make_data, n_samples=101, n_features=6, n_columns=3, activation="identity", **changes):
    features, targets = make_data(n_samples, n_features, max(n_columns, 2))
    features = features * np.geomspace(0.1, 30, n_features) + np.linspace(-5, 5, n_features)
    sample_weight = np.random.default_rng(4).exponential(size=n_samples)
    sample_weight[::7] = 0.0
    problem = make_problem(features, targets, activation, DOUBLE)
    problem = replace(problem, sample_weight=sample_weight, l2_penalty=1.0, l1_penalty=0.5)
    return replace(problem, **changes)


def _start(problem, n_columns, seed=3):
    random = np.random.default_rng(seed)
    n_features = problem.features.shape[1]
    return 0.1 * random.standard_normal((n_features, n_columns)), random.standard_normal(n_columns)


def _descend(problem, settings, start, n_threads=1, **run):
    descent = DenseDescent(problem, settings, start, n_threads)
    descent.run(**run)
    if settings.feature_scaling == "whiten":
        return *descent.solution, descent.objectives
    snapshot = descent.snapshot()
    return snapshot.weights[2], snapshot.biases[2], descent.objectives


def _expected(problem, settings, start):
    scales = settings.feature_scaling == "standard"
    scaling = choose_scaling(problem, center=scales and settings.fit_intercept, scale=scales)
    total_weight = problem.sample_weight.sum()
    return reference.proximal_descent(
        problem.features.astype(np.float64),
        problem.targets,
        problem.sample_weight,
        *start,
        problem.activation,
        means=scaling.means,
        factors=scaling.factors,
        l1_penalty=problem.l1_penalty / total_weight,
        l2_penalty=problem.l2_penalty / total_weight,
        method=settings.method,
        momentum=settings.momentum,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        fit_intercept=settings.fit_intercept,
    )


def _assert_equal(found, expected, tolerance=1e-11):
    for found_part, expected_part in zip(found, expected, strict=True):
        scale = np.abs(expected_part).max()
        np.testing.assert_allclose(found_part, expected_part, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "auto"])
@pytest.mark.parametrize(
    ("method", "momentum"),
    [("plain", 0.0), ("plain", 0.8), ("averaged", 0.0), ("averaged", 0.9), ("accelerated", 0.0)],
)
def test_steps_equal_reference(make_data, method, momentum, schedule):
    settings = replace(SETTINGS, method=method, momentum=momentum, schedule=schedule)
    if method == "accelerated":
        settings = replace(settings, batch_size=101, n_epochs=40)
    for n_columns, activation in [
        (1, "identity"),
        (2, "sigmoid"),
        (3, "identity"),
        (7, "identity"),
    ]:
        problem = _problem(make_data, n_columns=n_columns, activation=activation)
        for start in (_start(problem, n_columns), (np.zeros((6, n_columns)), np.zeros(n_columns))):
            found = _descend(problem, settings, start)
            _assert_equal(found, _expected(problem, settings, start))


@pytest.mark.parametrize(
    ("n_features", "order", "dtype"),
    [
        (3, "C", DOUBLE),
        (15, "C", DOUBLE),
        pytest.param(20, "C", DOUBLE, marks=pytest.mark.full),
        pytest.param(60, "C", DOUBLE, marks=pytest.mark.full),
        pytest.param(60, "F", DOUBLE, marks=pytest.mark.full),
        pytest.param(3, "C", SINGLE, marks=pytest.mark.full),
        pytest.param(3, "F", DOUBLE, marks=pytest.mark.full),
        pytest.param(20, "F", DOUBLE, marks=pytest.mark.full),
        pytest.param(3, "F", SINGLE, marks=pytest.mark.full),
        pytest.param(20, "C", SINGLE, marks=pytest.mark.full),
        pytest.param(20, "F", SINGLE, marks=pytest.mark.full),
        pytest.param(60, "C", SINGLE, marks=pytest.mark.full),
        pytest.param(60, "F", SINGLE, marks=pytest.mark.full),
    ],
)
def test_steps_on_any_layout_equal_reference(make_data, n_features, order, dtype):
    problem = _problem(make_data, n_features=n_features)
    features = np.asarray(problem.features, dtype, order=order)
    problem = replace(problem, features=features, dtype=dtype)
    settings = replace(SETTINGS, method="averaged", momentum=0.9)
    start = _start(problem, 3)
    tolerance = 1e-11 if dtype == DOUBLE else 2e-4
    _assert_equal(
        _descend(problem, settings, start), _expected(problem, settings, start), tolerance
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("feature_scaling", ["none", "standard"])
def test_steps_without_scaling_or_intercept_equal_reference(
    make_data, feature_scaling, fit_intercept
):
    problem = _problem(make_data)
    settings = replace(
        SETTINGS, feature_scaling=feature_scaling, fit_intercept=fit_intercept, learning_rate=1e-3
    )
    start = _start(problem, 3)
    found = _descend(problem, settings, start)
    _assert_equal(found, _expected(problem, settings, start))
    if not fit_intercept:
        np.testing.assert_array_equal(found[1], start[1])


def test_rounds_and_calls_change_nothing_but_rounding(make_data, monkeypatch):
    problem = _problem(make_data, n_samples=900, n_columns=5)
    settings = replace(SETTINGS, batch_size=700, method="averaged", momentum=0.5)
    start = _start(problem, 5)
    monkeypatch.setattr(tuning, "PRODUCTS_WORTH_CUTTING", 1)
    monkeypatch.setattr(tuning, "GRADIENTS_BYTES", 0)
    monkeypatch.setattr(tuning, "MOST_TILES_IN_A_CHUNK", 1)
    monkeypatch.setattr(tuning, "MOST_TILE_ROWS", 16)
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_OF_THE_FIRST_CALL", 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.SECONDS_PER_CALL", 0.0)
    _assert_equal(_descend(problem, settings, start), _expected(problem, settings, start))


@pytest.mark.parametrize("n_columns", [1, 3, 5])
@pytest.mark.parametrize("method", ["averaged", "accelerated"])
def test_any_number_of_threads_gives_the_same_bits(
    make_data, eager_threads, started_threads, method, n_columns
):
    problem = _problem(make_data, n_samples=200, n_columns=n_columns)
    settings = replace(SETTINGS, method=method, schedule="auto", n_epochs=3 if WITHOUT_JIT else 10)
    if method == "accelerated":
        settings = replace(settings, batch_size=200)
    start = _start(problem, n_columns)
    expected = _descend(problem, settings, start)
    assert started_threads == []
    for n_threads in (2, 3) if WITHOUT_JIT else (2, 3, 7):
        for found, wanted in zip(
            _descend(problem, settings, start, n_threads), expected, strict=True
        ):
            np.testing.assert_array_equal(found, wanted)
        assert started_threads
        started_threads.clear()


@pytest.mark.parametrize("broken_thread", [0, 1, 2])
def test_failure_of_a_thread_is_raised_and_not_waited_for(
    make_data, eager_threads, broken_thread, monkeypatch
):
    original = DenseDescent._call
    has_failed = threading.Event()

    def call(self, compiled, last_epoch, thread, n_threads, call):
        assert n_threads == 3
        if thread == broken_thread:
            has_failed.set()
            raise MemoryError("of the test")
        assert thread > 0 or has_failed.wait(HANG_GUARD)
        return original(self, compiled, last_epoch, thread, n_threads, call)

    monkeypatch.setattr(DenseDescent, "_call", call)
    problem = _problem(make_data, n_samples=200)
    for batch_size in (64, 200):
        settings = replace(SETTINGS, batch_size=batch_size)
        has_failed.clear()
        with pytest.raises(MemoryError, match="of the test"):
            _descend(problem, settings, _start(problem, 3), 3)


class _Observer:
    def __init__(self, stops_after):
        self.stops_after = stops_after
        self.objectives = []
        self.models = []
        self.n_begun = 0

    def begin_iteration(self):
        self.n_begun += 1

    def end_iteration(self, iteration):
        self.objectives.append(iteration.objective)
        self.models.append(iteration.model())
        assert self.n_begun == len(self.models)
        return len(self.models) == self.stops_after


def test_looking_after_each_epoch_changes_nothing(make_data):
    problem = _problem(make_data)
    settings = replace(SETTINGS, method="averaged", momentum=0.9, shuffle_seed=5)
    start = _start(problem, 3)
    observer = _Observer(stops_after=-1)
    found = _descend(problem, settings, start, observer=observer)
    for found_part, expected_part in zip(found, _descend(problem, settings, start), strict=True):
        np.testing.assert_array_equal(found_part, expected_part)
    np.testing.assert_array_equal(observer.objectives, found[2])
    stopped = _descend(problem, settings, start, observer=_Observer(stops_after=2))
    assert len(stopped[2]) == 2
    again = DenseDescent(problem, settings, start)
    again.run(_Observer(stops_after=2))
    np.testing.assert_array_equal(again.solution[0], observer.models[1][0])


def test_shuffled_rows_are_those_of_the_reference(make_data):
    problem = _problem(make_data)
    windows = layout.choose_windows(problem.features[0].nbytes)
    rows = reference.shuffled_rows(101, 5, 0, windows.block_bits, windows.window_rows)
    in_order = replace(
        problem,
        features=problem.features[rows],
        targets=problem.targets[rows],
        sample_weight=problem.sample_weight[rows],
    )
    start = _start(problem, 3)
    settings = replace(SETTINGS, n_epochs=1)
    found = _descend(problem, replace(settings, shuffle_seed=5), start)
    _assert_equal(found, _expected(in_order, settings, start))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_rotated_descent_is_that_of_rotated_features(make_data, fit_intercept):
    problem = _problem(make_data, l1_penalty=0.0)
    problem = replace(problem, features=problem.features @ np.random.default_rng(0).uniform(
        size=(6, 6)
    ))  # fmt: skip
    weight = problem.sample_weight / problem.sample_weight.sum()
    centre = weight @ problem.features if fit_intercept else np.zeros(6)
    centred = problem.features - centre
    _, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred)
    weights, bias = _start(problem, 3)
    settings = replace(
        SETTINGS, batch_size=101, n_epochs=20, method="accelerated", fit_intercept=fit_intercept
    )
    rotated = replace(problem, features=centred @ axes)
    expected_weights, expected_bias, objectives = _expected(
        rotated, settings, (axes.T @ weights, bias + centre @ weights)
    )
    expected_weights = axes @ expected_weights
    found = _descend(problem, replace(settings, feature_scaling="whiten"), (weights, bias))
    _assert_equal(
        found, (expected_weights, expected_bias - centre @ expected_weights, objectives), 1e-9
    )


def test_automatic_rate_goes_back_where_the_objective_rises(make_data):
    problem = _problem(make_data, l1_penalty=0.0)
    settings = replace(
        SETTINGS, schedule="auto", learning_rate=300.0, n_epochs=60, method="averaged", momentum=0.9
    )
    start = np.zeros((6, 3)), np.zeros(3)
    descent = DenseDescent(problem, settings, start)
    descent.run()
    assert descent._states[0]["caution"] > 1
    assert descent.objectives[-1] < 0.7 * np.log(3)
    _assert_equal(
        (*descent.solution, descent.objectives), _expected(problem, settings, start), 1e-8
    )


def test_divergence_is_an_error(make_data):
    problem = _problem(make_data, l1_penalty=0.0, l2_penalty=0.0, activation="identity")
    problem = replace(problem, features=problem.features * 1e200)
    settings = replace(SETTINGS, feature_scaling="none", learning_rate=1e200)
    with pytest.raises(FloatingPointError, match="infinite or NaN in epoch 1"):
        _descend(problem, settings, _start(problem, 3))


def test_stops_after_epochs_without_progress(make_data):
    problem = _problem(make_data)
    settings = replace(
        SETTINGS, method="averaged", schedule="auto", learning_rate=None, n_epochs=500, patience=3,
        tolerance=1e-3,
    )  # fmt: skip
    objectives = _descend(problem, settings, _start(problem, 3))[2]
    assert 5 < len(objectives) < 100
    lowest = objectives[0]
    since = 0
    for objective in objectives[1:]:
        since += 1
        if objective < lowest * (1 - settings.tolerance):
            lowest, since = objective, 0
    assert since == settings.patience


def test_weight_of_a_row_counts_as_its_repetition_in_full_batches(make_data):
    counts = np.random.default_rng(0).integers(0, 4, 101)
    problem = _problem(make_data, sample_weight=counts.astype(float), l1_penalty=0.0)
    repeated = replace(
        problem,
        features=problem.features.repeat(counts, axis=0),
        targets=problem.targets.repeat(counts),
        sample_weight=None,
    )
    start = _start(problem, 3)
    for feature_scaling in ("none", "standard", "whiten"):
        settings = replace(
            SETTINGS, feature_scaling=feature_scaling, schedule="auto", learning_rate=None,
            method="accelerated", n_epochs=50,
        )  # fmt: skip
        found = _descend(problem, replace(settings, batch_size=101), start)
        expected = _descend(repeated, replace(settings, batch_size=counts.sum()), start)
        _assert_equal(found, expected, 1e-9)


@pytest.mark.parametrize(("method", "batch_size"), [("averaged", 16), ("accelerated", 101)])
def test_penalty_of_absolute_weights_gives_zeros(make_data, method, batch_size):
    problem = _problem(make_data, l1_penalty=10.0, l2_penalty=0.0)
    settings = replace(
        SETTINGS, schedule="auto", learning_rate=None, n_epochs=200, batch_size=batch_size,
        method=method, momentum=0.9,
    )  # fmt: skip
    descent = DenseDescent(problem, settings, (np.zeros((6, 3)), np.zeros(3)))
    descent.run()
    weights, bias = sharpen(problem, settings, *descent.solution)
    assert 3 < np.count_nonzero(weights == 0.0) < 18
    objective = _objective(problem, weights, bias)
    assert objective <= _objective(problem, *descent.solution) * (1 + 1e-12)
    longer = replace(settings, method="accelerated", batch_size=101, n_epochs=500)
    lowest = _descend(problem, longer, (np.zeros((6, 3)), np.zeros(3)))[2].min()
    assert lowest * (1 - 1e-12) <= objective < 1.01 * lowest


def _objective(problem, weights, bias):
    with Accumulator(problem, len(bias)) as accumulator:
        loss = accumulator.evaluate(weights, bias).loss
    penalty = 0.5 * problem.l2_penalty * (weights**2).sum()
    return (loss + penalty + problem.l1_penalty * np.abs(weights).sum()) / problem.total_weight


def _average_of_blocks(problem, settings, block_rows, n_samples_total):
    stream = begin_stream(np.zeros((6, 3)), np.zeros(3))
    for first in range(0, len(problem.features), block_rows):
        rows = slice(first, first + block_rows)
        block = replace(
            problem,
            features=problem.features[rows],
            targets=problem.targets[rows],
            sample_weight=None if problem.sample_weight is None else problem.sample_weight[rows],
        )
        stream = advance(stream, block, settings, n_samples_total)
    return stream


@pytest.mark.parametrize(("method", "momentum"), [("plain", 0.5), ("averaged", 0.9)])
def test_blocks_of_a_stream_give_the_bits_of_an_epoch(make_data, method, momentum):
    problem = _problem(make_data, n_samples=160, l1_penalty=0.0, sample_weight=None)
    problem = replace(problem, features=problem.features / 30)
    settings = replace(
        SETTINGS, n_epochs=1, batch_size=16, method=method, momentum=momentum,
        feature_scaling="none",
    )  # fmt: skip
    expected = _descend(problem, settings, (np.zeros((6, 3)), np.zeros(3)))
    stream = _average_of_blocks(problem, settings, 32, 160)
    for found_part, expected_part in zip(stream.model, expected, strict=False):
        np.testing.assert_array_equal(found_part, expected_part)


def test_stream_knows_the_moments_of_all_its_rows(make_data):
    problem = _problem(make_data)
    for fit_intercept in (True, False):
        settings = replace(SETTINGS, n_epochs=1, fit_intercept=fit_intercept)
        stream = _average_of_blocks(problem, settings, 40, None)
        means, variances = weighted_moments(problem, center=fit_intercept)
        assert stream.n_samples == 101
        np.testing.assert_allclose(stream.total_weight, problem.total_weight)
        np.testing.assert_allclose(stream.means, means, rtol=1e-12)
        np.testing.assert_allclose(stream.variances, variances, rtol=1e-12)


def test_automatic_stream_comes_close_to_the_lowest_objective(make_data):
    problem = _problem(make_data, n_samples=8000, l1_penalty=0.0)
    settings = replace(SETTINGS, schedule="auto", learning_rate=None, n_epochs=1, method="averaged")
    weights, bias = _average_of_blocks(problem, settings, 500, 8000).model
    start = np.zeros((6, 3)), np.zeros(3)
    lowest = solve(problem, SolverOptions(Tolerance(1e-8), 1000), start).objective
    assert lowest < _objective(problem, weights, bias) < 1.01 * lowest
