import threading
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from conftest import HANG_GUARD, WITHOUT_JIT
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from softreg_fast import reference
from softreg_fast.data.problem import Problem
from softreg_fast.estimators.classifier import SoftmaxClassifier
from softreg_fast.solvers.sgd.options import SgdSettings
from softreg_fast.solvers.sgd.scaling import choose_sparse_scaling
from softreg_fast.solvers.sgd.sparse import SparseDescent

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
QUICK_TYPES = [
    (1, DOUBLE, np.int32),
    (4, DOUBLE, np.int32),
]
SETTINGS = SgdSettings(
    schedule="constant",
    learning_rate=0.3,
    batch_size=32,
    n_epochs=3,
    patience=0,
    tolerance=0.0,
    method="averaged",
    momentum=0.9,
    feature_scaling="standard",
)


def _make_rows(n_samples=101, n_features=40, n_classes=3, seed=0):
    """Features of very different frequency, one that is nowhere, and a row without any."""
    random = np.random.default_rng(seed)
    frequencies = np.geomspace(0.9, 0.02, n_features)
    is_there = random.uniform(size=(n_samples, n_features)) < frequencies
    is_there[:, n_features // 2] = False
    is_there[3] = False
    features = is_there * random.normal(1.0, 1.0, size=(n_samples, n_features))
    features *= np.geomspace(0.1, 10, n_features)
    scores = features @ (random.standard_normal((n_features, n_classes)) / np.geomspace(
        0.1, 10, n_features
    )[:, None])  # fmt: skip
    targets = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    targets[-n_classes:] = range(n_classes)
    return features, targets


def _problem(n_columns=3, dtype=DOUBLE, index_dtype=np.int32, activation="identity", **changes):
    features, targets = _make_rows(n_classes=max(n_columns, 2))
    matrix = scipy.sparse.csr_array(features.astype(dtype))
    matrix.indices = matrix.indices.astype(index_dtype)
    matrix.indptr = matrix.indptr.astype(index_dtype)
    sample_weight = np.random.default_rng(4).exponential(size=len(targets))
    sample_weight[::7] = 0.0
    problem = Problem(
        matrix, targets.astype(np.int32), max(n_columns, 2), activation, dtype, sample_weight,
        l2_penalty=1.0, l1_penalty=0.5,
    )  # fmt: skip
    return replace(problem, **changes)


def _start(problem, n_columns, seed=3):
    random = np.random.default_rng(seed)
    n_features = problem.features.shape[1]
    weights = 0.1 * random.standard_normal((n_features, n_columns))
    weights[np.bincount(problem.features.indices, minlength=n_features) == 0] = 0.0
    return weights.astype(problem.dtype), random.standard_normal(n_columns).astype(problem.dtype)


def _descend(problem, settings, start, n_threads=1):
    descent = SparseDescent(problem, settings, start, n_threads)
    descent.run()
    assert descent._states[0]["caution"] == 1.0
    snapshot = descent.snapshot()
    return snapshot.weights[2], snapshot.biases[2], descent.objectives


def _expected(problem, settings, start):
    scaling = choose_sparse_scaling(
        problem,
        batch_size=settings.batch_size,
        scale=settings.feature_scaling != "none",
        center=settings.fit_intercept,
    )
    shares = 1 - (1 - scaling.presence) ** settings.batch_size
    total_weight = problem.total_weight
    sample_weight = problem.sample_weight
    return reference.sparse_descent(
        problem.features.toarray().astype(np.float64),
        problem.targets,
        np.ones(problem.n_samples) if sample_weight is None else sample_weight,
        *(part.astype(np.float64) for part in start),
        problem.activation,
        means=scaling.means,
        factors=scaling.factors,
        strengths=1 / np.where(shares > 0, shares, 1),
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


# Each number of columns has a kernel of its own.
@pytest.mark.parametrize(
    ("n_columns", "activation"),
    [
        (3, "identity"),
        (3, "sigmoid"),
        pytest.param(1, "identity", marks=pytest.mark.full),
        pytest.param(2, "sigmoid", marks=pytest.mark.full),
        pytest.param(7, "identity", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("schedule", ["constant", "invscaling", "auto"])
@pytest.mark.parametrize(
    ("method", "momentum"), [("plain", 0.0), ("plain", 0.8), ("averaged", 0.9), ("accelerated", 0)]
)
def test_steps_equal_reference(method, momentum, schedule, n_columns, activation):
    settings = replace(SETTINGS, method=method, momentum=momentum, schedule=schedule)
    if method == "accelerated":
        settings = replace(settings, batch_size=101, n_epochs=20, learning_rate=0.2)
    problem = _problem(n_columns, activation=activation)
    # From zero, so that an automatic rate begins where the reference does.
    start = tuple(np.zeros_like(part) for part in _start(problem, n_columns))
    if schedule != "auto":
        start = _start(problem, n_columns)
    found = _descend(problem, settings, start)
    _assert_equal(found, _expected(problem, settings, start))


def test_acceleration_that_begins_anew_equals_reference():
    problem = _problem(l1_penalty=0.0)
    settings = replace(
        SETTINGS, method="accelerated", batch_size=101, n_epochs=30, learning_rate=4.0
    )
    start = _start(problem, 3)
    found = _descend(problem, settings, start)
    assert (np.diff(found[2]) > 0).any()
    _assert_equal(found, _expected(problem, settings, start))


# Each has a kernel of its own: the quick ones have one vector or a number.
@pytest.mark.parametrize(
    ("n_columns", "dtype", "index_dtype"),
    [
        pytest.param(
            n_columns,
            dtype,
            index_dtype,
            marks=[] if (n_columns, dtype, index_dtype) in QUICK_TYPES else pytest.mark.full,
        )
        for n_columns in (1, 2, 4, 5, 9, 20, 70)
        for dtype in (DOUBLE, SINGLE)
        for index_dtype in (np.int32, np.int64)
    ],
)
def test_steps_of_any_number_of_classes_and_type_equal_reference(n_columns, dtype, index_dtype):
    tolerance = 1e-11 if dtype == DOUBLE else 2e-4
    problem = _problem(n_columns, dtype, index_dtype)
    start = _start(problem, n_columns)
    _assert_equal(
        _descend(problem, SETTINGS, start), _expected(problem, SETTINGS, start), tolerance
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("feature_scaling", ["none", "standard"])
def test_steps_without_scaling_or_intercept_or_weights(feature_scaling, fit_intercept):
    problem = _problem(sample_weight=None)
    settings = replace(
        SETTINGS, feature_scaling=feature_scaling, fit_intercept=fit_intercept, learning_rate=1e-2
    )
    start = _start(problem, 3)
    _assert_equal(_descend(problem, settings, start), _expected(problem, settings, start))


@pytest.mark.parametrize("method", ["averaged", "accelerated"])
def test_any_number_of_threads_gives_the_same_bits(
    monkeypatch, eager_threads, started_threads, method
):
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_SPARSE_TILE_ROWS", 8)
    problem = _problem()
    settings = replace(
        SETTINGS, method=method, schedule="auto", n_epochs=3 if WITHOUT_JIT else 10, shuffle_seed=3
    )
    if method == "accelerated":
        settings = replace(settings, batch_size=101, shuffle_seed=None)
    start = _start(problem, 3)
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
    eager_threads, broken_thread, monkeypatch
):
    monkeypatch.setattr("softreg_fast.runtime.tuning.MOST_SPARSE_TILE_ROWS", 8)
    original = SparseDescent._call
    has_failed = threading.Event()

    def call(self, compiled, last_epoch, thread, n_threads, call):
        assert n_threads == 3
        if thread == broken_thread:
            has_failed.set()
            raise MemoryError("of the test")
        assert thread > 0 or has_failed.wait(HANG_GUARD)
        return original(self, compiled, last_epoch, thread, n_threads, call)

    monkeypatch.setattr(SparseDescent, "_call", call)
    problem = _problem()
    for batch_size in (64, 101):
        has_failed.clear()
        with pytest.raises(MemoryError, match="of the test"):
            _descend(problem, replace(SETTINGS, batch_size=batch_size), _start(problem, 3), 3)


def test_automatic_rate_goes_back_where_the_objective_rises():
    settings = replace(SETTINGS, schedule="auto", learning_rate=1e4, n_epochs=40)
    descent = SparseDescent(_problem(l1_penalty=0.0), settings, (np.zeros((40, 3)), np.zeros(3)))
    descent.run()
    assert descent._states[0]["caution"] > 1
    assert descent.objectives[-1] < 0.8 * np.log(3)


def _objective(model, X, y, C=1.0):
    penalty = 0.5 * (model.coef_**2).sum() / (C * len(y))
    return log_loss(y, model.predict_proba(X), labels=model.classes_) + penalty


@pytest.mark.parametrize(
    ("n_classes", "activation"),
    [
        (2, "identity"),
        (3, "identity"),
        (3, "sigmoid"),
        pytest.param(2, "sigmoid", marks=pytest.mark.full),
    ],
)
def test_exact_solver_gives_the_model_of_the_dense_rows(n_classes, activation):
    features, y = _make_rows(300, n_classes=n_classes)
    matrix = scipy.sparse.csr_matrix(features)
    weights = np.random.default_rng(0).exponential(size=300)
    settings = {"tol": 1e-8, "max_iter": 10_000, "activation": activation}
    found = SoftmaxClassifier(**settings).fit(matrix, y, weights)
    expected = SoftmaxClassifier(**settings).fit(features, y, weights)
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_allclose(
            getattr(found, method)(matrix), getattr(expected, method)(features), atol=1e-5
        )
    np.testing.assert_array_equal(found.predict(matrix), expected.predict(features))
    np.testing.assert_allclose(found.predict_proba(features), found.predict_proba(matrix))


@pytest.mark.parametrize("n_samples", [300, 4000])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
def test_gradient_descent_comes_close_to_the_lowest_objective(n_samples, dtype):
    features, y = _make_rows(n_samples, n_classes=4)
    matrix = scipy.sparse.csr_array(features.astype(dtype))
    lowest = _objective(SoftmaxClassifier(tol=1e-6).fit(matrix, y), matrix, y)
    model = SoftmaxClassifier(solver="sgd", random_state=0).fit(matrix, y)
    assert model.coef_.dtype == dtype
    assert lowest * (1 - 1e-6) < _objective(model, matrix, y) < 1.01 * lowest


@pytest.mark.parametrize(
    "solver", ["auto", "newton", "lbfgs", pytest.param("sgd", marks=pytest.mark.full)]
)
def test_every_format_gives_the_same_model_and_none_is_made_dense(solver, monkeypatch):
    features, y = _make_rows(200)
    matrix = scipy.sparse.csr_array(features)
    twice = scipy.sparse.coo_array(
        (np.tile(matrix.data / 2, 2), np.tile(matrix.tocoo().coords, 2)), matrix.shape
    )
    long = matrix.copy()
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    expected = SoftmaxClassifier(solver=solver, random_state=0).fit(matrix, y)
    if solver in ("lbfgs", "sgd"):  # "newton" makes a sample of the rows dense, of few all
        for name in ("csr", "csc", "coo"):
            for kind in ("array", "matrix"):
                monkeypatch.setattr(getattr(scipy.sparse, f"{name}_{kind}"), "toarray", None)
    for other in (
        scipy.sparse.csr_matrix(matrix), scipy.sparse.csc_matrix(matrix),
        scipy.sparse.coo_matrix(matrix), scipy.sparse.csc_array(matrix), twice, long,
    ):  # fmt: skip
        found = SoftmaxClassifier(solver=solver, random_state=0).fit(other, y)
        np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.predict_proba(other), expected.predict_proba(matrix))


def test_blocks_of_a_stream():
    features, y = _make_rows(6000, n_classes=4)
    matrix = scipy.sparse.csr_array(features)
    exact = SoftmaxClassifier(tol=1e-6).fit(matrix, y)
    model = SoftmaxClassifier()
    for first in range(0, 6000, 500):
        rows = slice(first, first + 500)
        model.partial_fit(matrix[rows], y[rows], classes=range(4))
    assert _objective(model, matrix, y) < 1.05 * _objective(exact, matrix, y)
    before = vars(model).copy()
    with pytest.raises(ValueError, match="X is sparse in some blocks and dense in others"):
        model.partial_fit(features, y)
    assert vars(model) == before


def test_blocks_give_the_bits_of_an_epoch_of_fit():
    features, y = _make_rows(320)
    matrix = scipy.sparse.csr_array(features)
    settings = {
        "learning_rate": 0.1, "feature_scaling": "none", "n_samples_total": 320, "batch_size": 32,
        "C": np.inf,
    }  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        expected = SoftmaxClassifier(
            solver="sgd", shuffle=False, max_iter=1, momentum=0.0, **settings
        ).fit(matrix, y)
    model = SoftmaxClassifier(**settings)
    for first in range(0, 320, 64):
        rows = slice(first, first + 64)
        model.partial_fit(matrix[rows], y[rows], classes=range(3))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.intercept_, expected.intercept_)


def test_held_out_rows_and_elastic_net():
    features, y = _make_rows(3000)
    matrix = scipy.sparse.csr_array(features)
    model = SoftmaxClassifier(random_state=0, early_stopping=True).fit(matrix, y)
    assert len(model.validation_curve_) == model.n_iter_
    model = SoftmaxClassifier(random_state=0, C=0.01, l1_ratio=1.0).fit(matrix, y)
    dense = SoftmaxClassifier(random_state=0, C=0.01, l1_ratio=1.0).fit(features, y)
    assert 10 < (model.coef_ == 0.0).sum() < model.coef_.size
    objectives = [
        log_loss(y, fitted.predict_proba(matrix)) + np.abs(fitted.coef_).sum() / (0.01 * len(y))
        for fitted in (model, dense)
    ]
    np.testing.assert_allclose(*objectives, rtol=0.01)
    model.fit(matrix, y, X_val=matrix[:50], y_val=y[:50])
    with pytest.raises(ValueError, match="X and X_val must both be sparse or both be dense"):
        model.fit(matrix, y, X_val=features, y_val=y)


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
def test_warm_start_forgets_features_that_are_nowhere():
    features, y = _make_rows(2000)
    matrix = scipy.sparse.csr_array(features)
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    with pytest.warns(ConvergenceWarning, match="in 100 epochs: "):
        model.fit(matrix, y, coef_init=np.ones((3, 40)))
    assert np.abs(model.coef_[:, 20]).max() == 0.0
    everywhere = features.copy()
    everywhere[:, 20] = 1.0 * (y == 0)
    model.set_params(warm_start=True).fit(scipy.sparse.csr_array(everywhere), y)
    assert np.abs(model.coef_[:, 20]).max() > 0.1
    model.fit(matrix, y)
    assert np.abs(model.coef_[:, 20]).max() == 0.0


@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs", "sgd"])
def test_input_that_is_not_allowed_is_refused(solver):
    features, y = _make_rows(60, 15)
    model = SoftmaxClassifier(solver=solver).fit(features, y)
    before = vars(model).copy()
    for wrong, message in [(np.nan, "is NaN"), (np.inf, "is inf")]:
        matrix = scipy.sparse.csr_array(features)
        matrix.data[matrix.indptr[7] + 2] = wrong
        column = matrix.indices[matrix.indptr[7] + 2]
        with pytest.raises(ValueError, match=rf"X\[7, {column}\] {message}"):
            model.fit(matrix, y)
        with pytest.raises(ValueError, match=rf"X\[7, {column}\] {message}"):
            model.predict(matrix)
    matrix = scipy.sparse.csr_array(features)
    matrix.indices[5] = 1000
    with pytest.raises(ValueError, match="indices"):
        model.fit(matrix, y)
    assert vars(model) == before
    with pytest.raises(ValueError, match="feature_scaling='whiten' is not allowed with sparse X"):
        SoftmaxClassifier(solver="sgd", feature_scaling="whiten").fit(
            scipy.sparse.csr_array(features), y
        )


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_scales_of_features_do_not_matter_without_penalty(scale):
    features, y = _make_rows(2000)
    settings = {"solver": "sgd", "C": np.inf, "random_state": 0}
    expected = SoftmaxClassifier(**settings).fit(scipy.sparse.csr_array(features), y)
    found = SoftmaxClassifier(**settings).fit(scipy.sparse.csr_array(features * scale), y)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-6)


@pytest.mark.full
def test_standardised_digits_come_close():
    features, y = load_digits(return_X_y=True)
    matrix = scipy.sparse.csr_array(StandardScaler().fit_transform(features))
    lowest = _objective(SoftmaxClassifier(tol=1e-6).fit(matrix, y), matrix, y)
    for random_state in range(3):
        model = SoftmaxClassifier(solver="sgd", random_state=random_state).fit(matrix, y)
        assert _objective(model, matrix, y) < 1.02 * lowest


@pytest.mark.full
def test_matrix_is_left_as_it_was():
    features, y = _make_rows(60)
    matrix = scipy.sparse.csr_matrix(features)
    matrix.data = np.append(matrix.data, np.zeros(50))
    matrix.indices = np.append(matrix.indices, np.zeros(50, np.int32))
    matrix.indptr = matrix.indptr.astype(np.int64)
    before = matrix.data.copy(), matrix.indices.copy(), matrix.indptr.copy()
    SoftmaxClassifier(solver="sgd", random_state=0).fit(matrix, y)
    for array, expected in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
