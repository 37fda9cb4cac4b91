"""Kernels against their NumPy twins; the same tests run with and without the JIT."""

import threading

import numpy as np
import pytest
from conftest import AT_RANDOM, HANG_GUARD, WITHOUT_JIT
from hypothesis import example, given
from hypothesis import strategies as st

from softreg_fast import reference
from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.inference.prediction import decide, predict
from softreg_fast.kernels import shapes
from softreg_fast.kernels.compile import entry_point
from softreg_fast.kernels.simd.lanes import exponential, load, logarithm, store
from softreg_fast.runtime import workspace as layout
from softreg_fast.runtime.workspace import Windows, choose_windows
from softreg_fast.solvers import notebook_sgd as sgd
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent

KINDS = [("sigmoid", "notebook"), ("sigmoid", "exact"), ("identity", "exact")]
DTYPES = [np.dtype(np.float64), np.dtype(np.float32)]
# Each pair has kernels of its own.
PAIRS = [
    pytest.param(features, dtype, id=f"{features}-{dtype}", marks=[pytest.mark.full] * has_single)
    for features in DTYPES
    for dtype in DTYPES
    for has_single in [np.float32 in (features, dtype)]
]
TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}


def _start(n_features, n_classes, dtype, seed=3):
    """Weights and bias of a model of so many columns."""
    random = np.random.default_rng(seed)
    scale = 1 / np.sqrt(n_features)
    weights = (scale * random.standard_normal((n_features, n_classes))).astype(dtype)
    return weights, random.standard_normal(n_classes).astype(dtype)


def _descend(features, targets, start, dtype, activation, gradient, **settings):
    settings = {"learning_rate": 1.0, "n_epochs": 1, "patience": 0, **settings}
    problem = make_problem(features, targets, activation, np.dtype(dtype))
    descent = GradientDescent(problem, DescentSettings(gradient=gradient, **settings), *start)
    log = EpochLog(verbose=False)
    descent.run(log)
    return log, *descent.solution


def _assert_close(found, expected, dtype):
    """Within the tolerance of the largest element."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[np.dtype(dtype)] * scale)


def _assert_batch_equals_reference(features, targets, n_classes, dtype, activation, gradient):
    """The gradient is what one huge step leaves of the parameters: the start drowns in it."""
    start = _start(features.shape[1], n_classes, dtype)
    in_double = [part.astype(np.float64) for part in start]
    loss, weights_gradient, bias_gradient = reference.batch(
        features.astype(np.float64), targets, *in_double, activation, gradient
    )
    step = 2.0**30
    log, weights, bias = _descend(
        features, targets, start, dtype, activation, gradient,
        learning_rate=step, batch_size=len(features),
    )  # fmt: skip
    # A confident row's loss is the logarithm of a sum near 1, its slope a probability near 1 less
    # 1: they are as exact as these are.
    rounding = np.finfo(dtype).eps
    np.testing.assert_allclose(log.losses[0], loss, rtol=TOLERANCE[dtype], atol=rounding)
    gradient_scale = max(np.abs(weights_gradient).max(), np.abs(bias_gradient).max())
    for found, before, expected, factor in [
        (weights, start[0], weights_gradient, np.abs(features).mean(axis=0).max()),
        (bias, start[1], bias_gradient, 1.0),
    ]:
        np.testing.assert_allclose(
            (before - found.astype(np.float64)) / step,
            expected,
            rtol=0,
            atol=TOLERANCE[dtype] * gradient_scale + rounding * factor,
        )


@pytest.mark.parametrize(("activation", "gradient"), KINDS)
@pytest.mark.parametrize(("features_dtype", "dtype"), PAIRS)
def test_batch_equals_reference_in_all_dtypes(
    make_data, features_dtype, dtype, activation, gradient
):
    for n_classes in (2, 3, 7, 10, 19, 40):
        features, targets = make_data(41, 11, n_classes)
        _assert_batch_equals_reference(
            features.astype(features_dtype), targets, n_classes, dtype, activation, gradient
        )


def _function_types(specialisation):
    matrix = entry_point.array_type(specialisation.dtype, 2)
    return shapes.blocks_type(specialisation), matrix, matrix, matrix


@entry_point.entry_point(_function_types)
def _exponentials_and_logarithms(blocks, x, exponentials_out, logarithms_out):
    width = blocks[0]
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], len(width)):
            vector = load(x, row, column, width)
            store(exponentials_out, row, column, exponential(vector))
            store(logarithms_out, row, column, logarithm(vector))


N_POINTS = 1 << (8 if WITHOUT_JIT else 20)


def _evaluate(points, lanes):
    dtype = points.dtype
    shape = shapes.Shape(1, 1)
    specialisation = shapes.Specialisation(
        dtype, dtype, lanes, shape, shape, 0, 0, transposes=False
    )
    padded = np.ones((-(-len(points) // 64), 64), dtype)
    padded.ravel()[: len(points)] = points
    results = np.empty((2, *padded.shape), dtype)
    _exponentials_and_logarithms.specialise(specialisation)(specialisation.blocks, padded, *results)
    return results.reshape(2, -1)[:, : len(points)]


def _largest_error(found, exact, dtype):
    """In units in the last place."""
    return (np.abs(found - exact) / np.spacing(np.abs(exact.astype(dtype)))).max()


# The quick tier has the vectors of this CPU.
LANES = [
    pytest.param(dtype, lanes, marks=[pytest.mark.full] * (lanes != own_lanes))
    for dtype, some_lanes in zip(DTYPES, [(4, 8), (4, 8, 16)], strict=True)
    for own_lanes in [shapes.choose_specialisation(dtype, dtype, 1, 1, "rows").lanes]
    for lanes in some_lanes
]


@pytest.mark.parametrize(("dtype", "lanes"), LANES)
def test_exponential_over_its_range(dtype, lanes):
    """Against extended precision."""
    smallest, largest = (-600.0, 700.0) if dtype == np.float64 else (-80.0, 87.0)
    random = np.random.default_rng(0)
    points = np.concatenate(
        [
            [0.0, -0.0, 1e-30, -1e-30, smallest, largest],
            random.uniform(smallest, largest, N_POINTS // 2),
            random.uniform(-1, 1, N_POINTS // 2),
        ]
    ).astype(dtype)
    found, _ = _evaluate(points, lanes)
    assert _largest_error(found, np.exp(points.astype(np.longdouble)), dtype) < 1.5


@pytest.mark.parametrize(("dtype", "lanes"), LANES)
def test_exponential_below_its_range(dtype, lanes):
    """The flush to zero, infinity and NaN."""
    smallest = -600.0 if dtype == np.float64 else -80.0
    below = np.nextafter(dtype.type(smallest), dtype.type(-np.inf))
    lowest = np.finfo(dtype).min
    points = np.array([below, -1e3, -1e5, -1e30, lowest, -np.inf, np.nan], dtype)
    found, _ = _evaluate(points, lanes)
    np.testing.assert_array_equal(found, [0, 0, 0, 0, 0, 0, np.nan])
    assert (_evaluate(np.array([smallest], dtype), lanes)[0] > 0).all()


@pytest.mark.parametrize(("dtype", "lanes"), LANES)
def test_logarithm_over_its_range(dtype, lanes):
    """Against extended precision."""
    random = np.random.default_rng(0)
    information = np.finfo(dtype)
    exponents = random.uniform(np.log2(information.tiny), np.log2(information.max), N_POINTS // 4)
    points = np.concatenate(
        [
            np.array([information.max, information.tiny], dtype),
            np.exp2(exponents).astype(dtype),
            random.uniform(0.4, 2.5, N_POINTS // 2).astype(dtype),
            (1 + random.uniform(-1e-3, 1e-3, N_POINTS // 4)).astype(dtype),
        ]
    )
    _, found = _evaluate(points, lanes)
    exact = np.log(points.astype(np.longdouble))
    assert _largest_error(found[exact != 0], exact[exact != 0], dtype) < 1.5
    np.testing.assert_array_equal(found[exact == 0], 0)


@pytest.mark.parametrize(("dtype", "lanes"), LANES)
def test_logarithm_of_nan_is_nan_and_of_one_zero(dtype, lanes):
    _, found = _evaluate(np.array([np.nan, -np.nan, 1.0], dtype), lanes)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0.0])


# Wide rows have many kernels, which take long to compile: the quick tier has a few of them.
@given(
    st.integers(1, 80), st.integers(1, 11), st.integers(2, 36), st.sampled_from(KINDS),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
@example(1, 1, 2, ("sigmoid", "notebook"), 0)
@example(1, 1, 2, ("identity", "exact"), 667553315)
@example(8, 8, 1000, ("sigmoid", "notebook"), 0)
@example(9, 3, 1000, ("identity", "exact"), 0)
@example(45, 2, 1000, ("sigmoid", "notebook"), 0)
@example(45, 60, 3, ("identity", "exact"), 0)
@example(70, 33, 4, ("sigmoid", "notebook"), 0)
@pytest.mark.parametrize(
    "dtype", [DTYPES[0], pytest.param(DTYPES[1], marks=pytest.mark.full)], ids=str
)
def test_batch_of_narrow_rows_equals_reference_at_odd_shapes(
    dtype, n_samples, n_features, n_classes, kind, seed
):
    _assert_odd_shape_equals_reference(dtype, n_samples, n_features, n_classes, kind, seed)


@pytest.mark.full
@given(
    st.integers(1, 80), st.integers(1, 70), st.integers(2, 36), st.sampled_from(KINDS),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
@example(5, 600, 3, ("sigmoid", "exact"), 0)
@example(45, 1500, 3, ("identity", "exact"), 0)
@example(19, 9000, 2, ("sigmoid", "notebook"), 0)
@example(70, 50, 14, ("identity", "exact"), 0)
@example(300, 48, 6, ("sigmoid", "exact"), 0)
@example(45, 60, 7, ("identity", "exact"), 0)
@example(70, 33, 8, ("sigmoid", "notebook"), 0)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_batch_equals_reference_at_odd_shapes(dtype, n_samples, n_features, n_classes, kind, seed):
    _assert_odd_shape_equals_reference(dtype, n_samples, n_features, n_classes, kind, seed)


@pytest.mark.soak
@AT_RANDOM
@given(
    st.sampled_from(DTYPES), st.integers(1, 300), st.integers(1, 200), st.integers(2, 80),
    st.sampled_from(KINDS), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_batch_equals_reference_at_random_shapes(
    dtype, n_samples, n_features, n_classes, kind, seed
):
    _assert_odd_shape_equals_reference(dtype, n_samples, n_features, n_classes, kind, seed)


def _assert_odd_shape_equals_reference(dtype, n_samples, n_features, n_classes, kind, seed):
    random = np.random.default_rng(seed)
    features = random.standard_normal((n_samples, n_features))
    targets = random.integers(0, n_classes, n_samples)
    targets[-1] = n_classes - 1
    _assert_batch_equals_reference(features, targets, n_classes, dtype, *kind)


@given(st.integers(2, 70), st.integers(1, 9), st.integers(2, 12), st.sampled_from(KINDS), st.data())
def test_epochs_equal_reference_step_by_step(n_samples, n_features, n_classes, kind, data):
    batch_size = data.draw(st.integers(1, n_samples), label="batch_size")
    random = np.random.default_rng(n_samples)
    features = random.standard_normal((n_samples, n_features))
    targets = random.integers(0, n_classes, n_samples)
    targets[-1] = n_classes - 1
    start = weights, bias = _start(n_features, n_classes, np.float64)
    losses, accuracies = [], []
    for n_epochs in (1, 2, 3):
        loss, accuracy, weights, bias = reference.epoch(
            features, targets, weights, bias, 0.3, batch_size, *kind
        )
        losses.append(loss)
        accuracies.append(accuracy)

        log, found_weights, found_bias = _descend(
            features, targets, start, np.float64, *kind,
            n_epochs=n_epochs, batch_size=batch_size, learning_rate=0.3,
        )  # fmt: skip

        _assert_close(log.losses, losses, np.float64)
        np.testing.assert_array_equal(log.accuracies, accuracies)
        _assert_close(found_weights, weights, np.float64)
        _assert_close(found_bias, bias, np.float64)


@pytest.mark.full
@pytest.mark.parametrize("n_features", [1, 7, 54, 300])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_column_equals_reference(make_data, n_features, dtype):
    features, targets = make_data(75, n_features, 2)
    _assert_batch_equals_reference(features, targets, 1, dtype, "identity", "exact")

    start = _start(n_features, 1, dtype)
    in_double = [part.astype(np.float64) for part in start]
    expected, _, logits = reference.predict(features, *in_double, "identity")
    found = predict(features, *start, "identity", keep_steps=True, n_threads=1)
    _assert_close(found[0], expected, dtype)
    _assert_close(found[1], logits, dtype)
    _assert_close(found[2], logits, dtype)
    log, *_ = _descend(
        features, targets, start, dtype, "identity", "exact", batch_size=75, learning_rate=1e-30
    )
    assert log.accuracies[0] == np.mean(found[0].argmax(axis=1) == targets)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 16, 17, 1000])
@pytest.mark.parametrize("windows", [(0, 1), (0, 64), (2, 16), (5, 8192)])
def test_shuffled_order_takes_every_row_once_and_another_way_each_epoch(n_samples, windows):
    orders = [reference.shuffled_rows(n_samples, seed, epoch, *windows) for seed, epoch in
              [(0, 0), (0, 1), (1, 0), (2**64 - 1, 5)]]  # fmt: skip
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(n_samples))
    if n_samples >= 16:
        assert len({tuple(order) for order in orders}) == 4


@pytest.mark.runs_if(not WITHOUT_JIT)  # too slow
@pytest.mark.full
@pytest.mark.parametrize("windows", [(0, 1), (0, 64), (2, 64), (5, 64)])
def test_shuffled_order_mixes_well(windows):
    """Where a row comes, and which follows which, are spread as by chance."""
    n_samples, n_orders = 64, 2000
    orders = np.array(
        [reference.shuffled_rows(n_samples, 7, epoch, *windows) for epoch in range(n_orders)]
    )
    expected = n_orders / n_samples
    for position in (0, 1, 31, 63):
        counts = np.bincount(orders[:, position], minlength=n_samples)
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert chi_square < 63 + 5 * np.sqrt(2 * 63)
    steps = np.diff(orders, axis=1) % n_samples
    counts = np.bincount(steps.ravel(), minlength=n_samples)[1:]
    expected = steps.size / (n_samples - 1)
    assert np.abs(counts / expected - 1).max() < 0.1


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n_features", "batch_size"), [(5, 20), (5, 83), (60, 33)])
@pytest.mark.parametrize("windows", [None, Windows(0, 16), Windows(2, 4), Windows(2, 32)])
def test_shuffled_epochs_equal_reference(
    make_data, monkeypatch, n_features, batch_size, order, windows
):
    features, targets = make_data(83, n_features, 4)
    windows = windows or choose_windows(8 * n_features)
    for user in (layout, sgd):
        monkeypatch.setattr(user, "choose_windows", lambda row_bytes: windows)
    weights, bias = start = _start(n_features, 4, np.float64)
    losses, accuracies = [], []
    for epoch in range(3):
        rows = reference.shuffled_rows(83, 11, epoch, windows.block_bits, windows.window_rows)
        loss, accuracy, weights, bias = reference.epoch(
            features[rows], targets[rows], weights, bias, 0.3, batch_size, "identity", "exact"
        )
        losses.append(loss)
        accuracies.append(accuracy)

    log, found_weights, found_bias = _descend(
        np.asarray(features, order=order), targets, start, np.float64, "identity", "exact",
        n_epochs=3, batch_size=batch_size, learning_rate=0.3, shuffle_seed=11,
    )  # fmt: skip

    _assert_close(log.losses, losses, np.float64)
    np.testing.assert_array_equal(log.accuracies, accuracies)
    _assert_close(found_weights, weights, np.float64)
    _assert_close(found_bias, bias, np.float64)


@pytest.mark.parametrize("n_samples", [2, 3])
def test_shuffled_training_takes_fewer_rows_than_a_block(n_samples):
    assert n_samples < 2 ** choose_windows(8 * 5).block_bits
    features = np.random.default_rng(0).standard_normal((n_samples, 5))
    arguments = features, [0, 3, 1][:n_samples], _start(5, 4, np.float64), "f8", "identity", "exact"
    settings = {"n_epochs": 3, "batch_size": n_samples}
    expected, *_ = _descend(*arguments, **settings)
    log, *_ = _descend(*arguments, **settings, shuffle_seed=1)
    _assert_close(log.losses, expected.losses, np.float64)
    np.testing.assert_array_equal(log.accuracies, expected.accuracies)


def test_accuracy_can_be_left_out(make_data):
    features, targets = make_data(50, 6, 3)
    arguments = features, targets, _start(6, 3, np.float64), np.float64, "sigmoid", "exact"
    settings = {"n_epochs": 4, "batch_size": 20}
    scored, *expected = _descend(*arguments, **settings)
    log, *found = _descend(*arguments, **settings, score=False)
    np.testing.assert_array_equal(log.losses, scored.losses)
    assert np.isnan(log.accuracies).all()
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, other)


def _layouts(features, tmp_path):
    wide = np.zeros((2 * len(features), 3 * features.shape[1]))
    wide[::2, 1::3] = features
    read_only = features.copy()
    read_only.flags.writeable = False
    np.save(tmp_path / "features.npy", features)
    return {
        "C": features,
        "F": np.asfortranarray(features),
        "strided": wide[::2, 1::3],
        "reversed": features[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "memory-mapped": np.load(tmp_path / "features.npy", mmap_mode="r"),
    }


@pytest.mark.parametrize(("activation", "gradient"), KINDS)
def test_every_layout_gives_the_same_bits_without_a_copy(make_data, tmp_path, activation, gradient):
    features, targets = make_data(45, 10, 5)
    start = _start(10, 5, np.float64)
    results = {}
    for name, array in _layouts(features, tmp_path).items():
        np.testing.assert_array_equal(array, features)
        problem = make_problem(array, targets, activation, DTYPES[0])
        assert problem.features.base is array or problem.features is array
        log, weights, bias = _descend(
            array, targets, start, np.float64, activation, gradient, n_epochs=2, batch_size=20
        )
        results[name] = np.concatenate([log.losses, weights.ravel(), bias])

    for name, result in results.items():
        np.testing.assert_array_equal(result, results["C"], err_msg=name)


@pytest.mark.parametrize("n_classes", [pytest.param(1, marks=pytest.mark.full), 3, 7, 10])
@pytest.mark.parametrize(("features_dtype", "dtype"), PAIRS)
def test_columns_equal_reference_and_nothing_around_them_is_read(
    make_data, n_classes, features_dtype, dtype
):
    for n_samples, n_features in [(1, 3), (45, 1), (131, 14), (70, 61)]:
        contents, targets = make_data(n_samples, n_features, max(n_classes, 2))
        everything = np.full((n_samples + 20, n_features + 2), np.nan, features_dtype, order="F")
        features = everything[3 : 3 + n_samples, 1:-1]
        features[:] = contents
        start = _start(n_features, n_classes, dtype)
        _assert_batch_equals_reference(features, targets, n_classes, dtype, "identity", "exact")

        found = predict(features, *start, "identity", keep_steps=True, n_threads=1)

        in_double = [part.astype(np.float64) for part in start]
        expected = reference.predict(features.astype(np.float64), *in_double, "identity")
        for found_part, expected_part in zip(found[:3], expected, strict=True):
            _assert_close(found_part, expected_part, dtype)


@pytest.mark.parametrize(
    "n_classes", [3, *(pytest.param(each, marks=pytest.mark.full) for each in (1, 2, 7))]
)
@pytest.mark.parametrize(
    "dtype", [DTYPES[0], pytest.param(DTYPES[1], marks=pytest.mark.full)], ids=str
)
def test_rows_equal_reference_and_nothing_around_them_is_read(make_data, n_classes, dtype):
    """Of features that leave every number of elements behind the last whole vectors."""
    activation = "sigmoid" if n_classes == 2 else "identity"
    for n_features in range(48, 48 + (4 if WITHOUT_JIT else 32)):
        contents, targets = make_data(21, n_features, max(n_classes, 2))
        everything = np.full((25, n_features + 40), np.nan, dtype)
        features = everything[2:-2, 20:-20]
        features[:] = contents
        _assert_batch_equals_reference(features, targets, n_classes, dtype, activation, "exact")


@pytest.mark.parametrize("n_classes", [4, pytest.param(7, marks=pytest.mark.full)])
def test_columns_in_many_batches_and_tiles_equal_rows(make_data, n_classes):
    features, targets = make_data(700, 33, n_classes)
    start = _start(33, n_classes, np.float64)
    settings = {"n_epochs": 2, "batch_size": 301, "learning_rate": 0.1}
    (log, *found), (other_log, *other) = (
        _descend(
            np.asarray(features, order=order), targets, start, np.float64, "identity", "exact",
            **settings,
        )
        for order in "FC"
    )  # fmt: skip
    _assert_close(log.losses, other_log.losses, np.float64)
    np.testing.assert_array_equal(log.accuracies, other_log.accuracies)
    for found_part, other_part in zip(found, other, strict=True):
        _assert_close(found_part, other_part, np.float64)


@pytest.mark.parametrize(
    "label_dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", ">i4"]
)
def test_every_label_dtype_gives_the_same_targets(label_dtype):
    labels = np.array([0, 3, 1, 2, 3], label_dtype)
    features = np.arange(10.0).reshape(5, 2)
    for array in (labels, labels[::-1].copy()[::-1], labels.tolist()):
        problem = make_problem(features, array, "sigmoid", DTYPES[0])
        assert problem.n_classes == 4
        assert problem.targets.dtype == np.int32
        np.testing.assert_array_equal(problem.targets, [0, 3, 1, 2, 3])


@pytest.mark.parametrize("activation", ["sigmoid", "identity"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("n_classes", "n_samples"), [(2, 1), (3, 70), (10, 33), (37, 20)])
def test_predictions_equal_reference(make_data, n_classes, n_samples, dtype, activation):
    features, _ = make_data(n_samples, 6, n_classes)
    weights, bias = _start(6, n_classes, dtype)
    expected = reference.predict(
        features, weights.astype(np.float64), bias.astype(np.float64), activation
    )

    found = predict(features, weights, bias, activation, keep_steps=True, n_threads=1)

    for found_part, expected_part in zip(found[:3], expected, strict=True):
        assert found_part.dtype == dtype
        assert found_part.flags.c_contiguous
        _assert_close(found_part, expected_part, dtype)
    probabilities, *_ = predict(features, weights, bias, activation, keep_steps=False, n_threads=1)
    np.testing.assert_array_equal(probabilities, found[0])
    assert found[3]
    logits, all_finite = decide(features, weights, bias, "identity", n_threads=2)
    assert all_finite
    np.testing.assert_array_equal(logits, found[2])


@pytest.mark.parametrize("activation", ["sigmoid", "identity"])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e3, 1e150])
def test_extreme_logits_equal_reference(make_data, activation, scale):
    features, _ = make_data(40, 3, 5)
    weights, bias = _start(3, 5, np.float64)
    weights = weights * scale
    expected = reference.predict(features, weights, bias, activation)
    found = predict(features, weights, bias, activation, keep_steps=True, n_threads=1)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12, atol=1e-250)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-250)


def test_predictions_of_as_many_other_rows_are_of_those_rows(make_data):
    features, _ = make_data(40, 6, 3)
    start = _start(6, 3, np.float64)
    together, *_ = predict(features, *start, "identity", keep_steps=False, n_threads=1)
    for first in (0, 20, 0):
        rows = slice(first, first + 20)
        found, *_ = predict(features[rows], *start, "identity", keep_steps=False, n_threads=1)
        np.testing.assert_allclose(found, together[rows], rtol=1e-14)


def test_predictions_tell_whether_all_was_finite():
    features, weights, bias = np.ones((40, 2)), np.ones((2, 3)), np.zeros(3)
    assert decide(features, weights, bias, "identity", n_threads=1)[1]
    for place in (features, weights, bias):
        for value in (np.nan, np.inf, -np.inf):
            before = place.flat[-1]
            place.flat[-1] = value
            assert not decide(features, weights, bias, "identity", n_threads=1)[1]
            place.flat[-1] = before


@pytest.mark.parametrize("n_classes", [3, 10])
def test_accuracy_takes_the_first_of_classes_that_saturation_makes_equal(n_classes):
    """Logits of 40 and 50 have the same sigmoid, so the notebook predicts the first of them."""
    random = np.random.default_rng(0)
    logits = random.choice([-50.0, 0.0, 36.0, 37.5, 40.0, 50.0], size=(300, n_classes))
    targets = random.integers(0, n_classes, 300)
    features, start = logits, (np.eye(n_classes), np.zeros(n_classes))
    expected = reference.predict(features, *start, "sigmoid")[0].argmax(axis=1)
    assert np.mean(expected != logits.argmax(axis=1)) > 0.1

    for activation, classes in [("sigmoid", expected), ("identity", logits.argmax(axis=1))]:
        n_correct = _count_correct(features, targets, *start, activation)
        assert n_correct == np.sum(classes == targets)


def _count_correct(features, targets, weights, bias, activation, batch_size=None):
    """How many rows a model gets right: its accuracy after steps of no length."""
    problem = make_problem(features, targets, activation, DTYPES[0])
    settings = DescentSettings(1e-300, batch_size or len(features), 1, 0, "exact")
    log = EpochLog(verbose=False)
    GradientDescent(problem, settings, weights, bias).run(log)
    return round(log.accuracies[0] * len(features))


@pytest.mark.parametrize("logits", [[np.inf, np.inf, 0.0], [np.inf, 0.0, 0.0]])
def test_rows_without_probabilities_are_not_counted_as_correct(logits):
    """The differences of infinite logits are NaN, and so are the probabilities."""
    features = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1e308, 1e308]])
    parameters = np.zeros((3, 3))
    parameters[1] = [10.0 * (value == np.inf) for value in logits]
    for target in range(3):
        # The last row, being left over, is not trained on; the first is the correct one.
        targets = np.array([0, 2, target])
        assert _count_correct(features, targets, parameters, np.zeros(3), "identity", 2) == 1


def test_accuracy_agrees_with_the_predictions_to_the_last_tie(make_data):
    features, targets = make_data(200, 4, 6)
    weights, bias = _start(4, 6, np.float64)
    log, new_weights, new_bias = _descend(
        40 * features, targets, (weights, bias), np.float64, "sigmoid", "notebook", batch_size=200
    )
    probabilities, *_ = predict(
        40 * features, new_weights, new_bias, "sigmoid", keep_steps=False, n_threads=1
    )
    assert log.accuracies[0] == np.mean(probabilities.argmax(axis=1) == targets)


def test_early_stopping_looks_at_the_first_lowest_loss(make_data):
    features, targets = make_data(30, 3, 3)
    settings = {"batch_size": 30, "learning_rate": 50.0, "n_epochs": 60 if WITHOUT_JIT else 200}
    arguments = features, targets, _start(3, 3, np.float64), np.float64, "identity", "exact"
    log, *_ = _descend(*arguments, **settings)
    for patience in (1, 2, 5, 20):
        stopped, *_ = _descend(*arguments, **settings, patience=patience)
        expected = next(
            (
                n_epochs
                for n_epochs in range(1, 1 + settings["n_epochs"])
                if n_epochs - np.argmin(log.losses[:n_epochs]) > patience
            ),
            settings["n_epochs"],
        )
        assert len(stopped.losses) == expected
        np.testing.assert_array_equal(stopped.losses, log.losses[:expected])


@pytest.mark.parametrize(("n_features", "shuffle_seed"), [(3, None), (20, 5)])
def test_stopping_and_resuming_anywhere_changes_no_bit(
    make_data, monkeypatch, n_features, shuffle_seed
):
    features, targets = make_data(150, n_features, 4)
    start = _start(n_features, 4, np.float64)
    arguments = features, targets, start, np.float64, "sigmoid", "notebook"
    settings = {"batch_size": 70, "n_epochs": 3 if WITHOUT_JIT else 30, "patience": 20}
    settings["shuffle_seed"] = shuffle_seed
    n_calls = []
    original = GradientDescent._call

    def call(self, *arguments):
        n_calls.append(1)
        return original(self, *arguments)

    monkeypatch.setattr(GradientDescent, "_call", call)
    whole, *solution = _descend(*arguments, **settings)

    for seconds, first in [(1e-9, 1), (1e-4, 500)]:
        monkeypatch.setattr("softreg_fast.runtime.tuning.SECONDS_PER_CALL", seconds)
        monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_OF_THE_FIRST_CALL", first)
        monkeypatch.setattr("softreg_fast.runtime.tuning.EPOCHS_PER_CALL", 2)
        n_calls.clear()
        pieces, *pieced_solution = _descend(*arguments, **settings)
        assert len(n_calls) > 1
        np.testing.assert_array_equal(pieces.losses, whole.losses)
        np.testing.assert_array_equal(pieces.accuracies, whole.accuracies)
        for found, expected in zip(pieced_solution, solution, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("learning_rate", "patience", "batch_size", "dtype", "n_features"),
    [
        (0.5, 0, 50, "f8", 7),
        (1000.0, 1, 50, "f8", 7),
        pytest.param(0.5, 0, 120, "f8", 60, marks=pytest.mark.full),
        pytest.param(0.5, 0, 120, "f8", 130, marks=pytest.mark.full),
        pytest.param(0.5, 0, 203, "f4", 7, marks=pytest.mark.full),
        pytest.param(0.5, 0, 120, "f4", 60, marks=pytest.mark.full),
        pytest.param(0.5, 0, 120, "f4", 130, marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("shuffle_seed", [None, 3])
@pytest.mark.usefixtures("eager_threads")
def test_any_number_of_threads_gives_the_same_bits(
    make_data, learning_rate, patience, batch_size, dtype, n_features, shuffle_seed
):
    features, targets = make_data(203, n_features, 5)
    start = _start(n_features, 5, np.dtype(dtype))
    problem = make_problem(features, targets, "sigmoid", np.dtype(dtype))
    settings = DescentSettings(
        learning_rate, batch_size, 6, patience, "notebook", shuffle_seed=shuffle_seed
    )
    results = []
    for n_threads in (1, 2, 3, 4, 7):
        descent = GradientDescent(problem, settings, *start, n_threads)
        assert descent._n_threads == n_threads
        log = EpochLog(verbose=False)
        descent.run(log)
        parts = predict(features, *start, "sigmoid", keep_steps=True, n_threads=n_threads)
        results.append([log.losses, log.accuracies, *descent.solution, *parts])
        assert descent.n_finished_epochs == log.n_epochs

    assert (len(results[0][0]) < 6) == (patience > 0)
    for result in results[1:]:
        for found, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.full
@pytest.mark.usefixtures("eager_threads")
def test_batch_of_several_rounds_equals_reference(make_data, monkeypatch):
    """More chunks than there are gradients to keep, left and resumed between the rounds."""
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_CHUNKS", 2)
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_TILES_IN_A_CHUNK", 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_TILE_ROWS", 16)
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_OF_THE_FIRST_CALL", 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.SECONDS_PER_CALL", 1e-9)
    features, targets = make_data(300, 6, 5)
    for dtype in DTYPES:
        _assert_batch_equals_reference(features, targets, 5, dtype, "sigmoid", "exact")


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("broken_thread", [0, 1, 2])
def test_failure_of_a_thread_is_raised_and_not_waited_for(make_data, monkeypatch, broken_thread):
    problem = make_problem(*make_data(100, 6, 5), "sigmoid", DTYPES[0])
    descent = GradientDescent(
        problem, DescentSettings(0.1, 50, 5, 0, "exact"), *_start(6, 5, np.float64), 3
    )
    original = GradientDescent._call
    has_failed = threading.Event()

    def call(self, run_epochs, row_budget, thread, n_threads, call):
        assert n_threads == 3
        if thread == broken_thread:
            has_failed.set()
            raise MemoryError("of the test")
        assert thread > 0 or has_failed.wait(HANG_GUARD)
        return original(self, run_epochs, row_budget, thread, n_threads, call)

    monkeypatch.setattr(GradientDescent, "_call", call)
    with pytest.raises(MemoryError, match="of the test"):
        descent.run(EpochLog(verbose=False))
    assert (descent.n_finished_epochs > 0) == (broken_thread > 0)


@pytest.mark.full
def test_float32_sums_many_chunks_without_loss():
    """A million equal rows: a plain float32 sum would be off in the third digit."""
    n_samples = 2_000 if WITHOUT_JIT else 1_000_000
    features = np.full((n_samples, 1), 0.1, np.float32)
    targets = np.zeros(n_samples, np.int32)
    targets[-1] = 1
    _assert_batch_equals_reference(features, targets, 2, DTYPES[1], "identity", "exact")


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_finished", [0, 1])
@pytest.mark.parametrize(
    "dtype", [DTYPES[0], pytest.param(DTYPES[1], marks=pytest.mark.full)], ids=str
)
@pytest.mark.usefixtures("eager_threads")
def test_divergence_keeps_the_last_finite_parameters(make_data, dtype, n_threads, n_finished):
    features, targets = make_data(30, 3, 3)
    largest = float(np.finfo(dtype).max)
    rate, batch_size = (largest / 4, 10) if n_finished == 0 else (largest / 1e7, 30)
    settings = DescentSettings(rate, batch_size, 50, 0, "exact")
    problem = make_problem(1e5 * features, targets, "identity", dtype)
    start = _start(3, 3, dtype)
    descent = GradientDescent(problem, settings, *start, n_threads)
    log = EpochLog(verbose=False)

    with pytest.raises(FloatingPointError, match="learning_rate"):
        descent.run(log)

    assert descent.has_diverged
    assert len(log.losses) == len(log.accuracies) == descent.n_finished_epochs == n_finished
    assert not np.isnan(log.accuracies).any()
    assert all(np.isfinite(part).all() for part in descent.solution)


def test_notebook_gradient_with_identity_link_is_refused(make_data):
    problem = make_problem(*make_data(5, 2, 2), "identity", DTYPES[0])
    with pytest.raises(ValueError, match=r"gradient='notebook' with activation='identity'"):
        GradientDescent(
            problem, DescentSettings(1.0, 5, 1, 0, "notebook"), np.zeros((2, 2)), np.zeros(2)
        )
