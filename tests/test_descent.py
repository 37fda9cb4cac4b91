"""What gradient descent must withstand: rows that don't count, separable classes, hard features."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from softreg_fast.data.problem import Problem, make_penalty
from softreg_fast.estimators.classifier import SoftmaxClassifier
from softreg_fast.objective.passes import accumulator_of
from softreg_fast.solvers.sgd.decrement import estimate_remaining

FILLS = (0.0, -1e3, 9.97e36)


def _sgd(**settings):
    return SoftmaxClassifier(solver="sgd", **{"random_state": 0} | settings)


def _fit(model, *arguments, **keywords):
    """A fit of which it doesn't matter whether it has converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments, **keywords)


def _bits(model):
    return model.coef_.tobytes(), model.intercept_.tobytes(), model.n_iter_


def _with_ignored_rows(make_data, fill, dtype, *, is_sparse, n_samples=300):
    """The first row, the last one and some others weigh nothing."""
    X, y = make_data(n_samples, 4, 3)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, n_samples)
    weights[[0, 7, 8, n_samples - 1]] = 0.0
    counts = weights > 0.0
    X[~counts] = fill
    X = X.astype(dtype)
    return (scipy.sparse.csr_array(X) if is_sparse else X), y, weights, counts


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size": 16},
        {"batch_size": 1},
        {"feature_scaling": "standard"},
        {"feature_scaling": "none", "learning_rate": 0.1},
        {"l1_ratio": 1.0, "C": 0.1},
        {"averaging": False, "momentum": 0.9},
        {"activation": "sigmoid"},
        {"fit_intercept": False},
    ],
    ids=str,
)
def test_row_of_weight_zero_counts_for_nothing(make_data, settings, dtype, is_sparse):
    settings = {"max_iter": 10} | settings
    found = []
    for fill in FILLS:
        X, y, weights, counts = _with_ignored_rows(make_data, fill, dtype, is_sparse=is_sparse)
        model = _fit(_sgd(**settings), X, y, weights)
        found.append((*_bits(model), model.loss_curve_.tobytes(), model.gap_))
    np.testing.assert_equal(found[1:], found[:1] * 2)
    removed = _fit(_sgd(**settings), X[counts], y[counts], weights[counts])
    assert _bits(removed) == found[0][:3]


@pytest.mark.parametrize("order", ["C", "F"])
def test_row_of_weight_zero_counts_for_nothing_in_any_order(make_data, order):
    found = set()
    for fill in FILLS:
        X, y, weights, _ = _with_ignored_rows(make_data, fill, np.float64, is_sparse=False)
        found.add(_bits(_sgd().fit(np.asarray(X, order=order), y, weights)))
    assert len(found) == 1


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_row_of_weight_zero_counts_for_nothing_beside_held_out_rows(make_data, is_sparse):
    found, validated = set(), set()
    for fill in FILLS:
        X, y, weights, _ = _with_ignored_rows(make_data, fill, np.float64, is_sparse=is_sparse)
        found.add(_bits(_sgd(early_stopping=True).fit(X, y, weights)))
        training, _ = make_data(100, 4, 3, seed=1)
        training = scipy.sparse.csr_array(training) if is_sparse else training
        model = _sgd().fit(training, y[:100], X_val=X, y_val=y, sample_weight_val=weights)
        validated.add((*_bits(model), model.validation_curve_.tobytes()))
    assert len(found) == len(validated) == 1


@pytest.mark.parametrize("value", [-1e3, 9.97e36])
def test_what_stands_in_a_row_of_a_class_without_weight_changes_nothing(make_data, value):
    X, y = make_data(300, 4, 3)
    other = np.where((y == 2)[:, None], value, X)
    settings = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.0}}
    expected, found = (_fit(_sgd(**settings), rows, y) for rows in (X, other))
    assert _bits(found) == _bits(expected)
    assert found.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_row_of_weight_zero_counts_for_nothing_in_a_stream(make_data, is_sparse):
    found = set()
    for fill in FILLS:
        X, y, weights, counts = _with_ignored_rows(make_data, fill, np.float64, is_sparse=is_sparse)
        model = SoftmaxClassifier()
        for rows in (slice(0, 100), slice(100, 300)):
            model.partial_fit(X[rows], y[rows], range(3), weights[rows])
        found.add(_bits(model))
    removed = SoftmaxClassifier()
    for rows in (slice(0, 100), slice(100, 300)):
        kept = np.flatnonzero(counts[rows]) + rows.start
        removed.partial_fit(X[kept], y[kept], range(3), weights[kept])
    assert found == {_bits(removed)}


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
@pytest.mark.parametrize("scale", [1e-6, pytest.param(1.0, marks=pytest.mark.full), 1e6])
def test_separable_classes_without_penalty_end_and_are_named(make_data, scale, dtype, is_sparse):
    few = np.array([[-2.0], [-1], [1], [2]]), np.array([0, 0, 1, 1])
    many, _ = make_data(3000, 5, 3)
    for X, y in (few, (many, (many[:, 0] > 0).astype(int))):
        rows = (X * scale).astype(dtype)
        rows = scipy.sparse.csr_array(rows) if is_sparse else rows
        for settings in ({}, {"averaging": False}, {"max_iter": 1000}):
            with pytest.warns(ConvergenceWarning, match="separate"):
                model = _sgd(C=np.inf, **settings).fit(rows, y)
            assert np.isfinite(model.coef_).all()
            assert model.score(rows, y) > (0.99 if len(y) > 4 else 0.999)


def test_classes_that_overlap_are_not_called_separable(make_data):
    X, y = make_data(3000, 5, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _sgd(C=np.inf).fit(X, y)
    assert not [each for each in caught if "separat" in str(each.message)]


@pytest.mark.parametrize("offset", [3.0, 30.0, 100.0])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
def test_sparse_rows_without_zeros_far_from_the_origin_are_centred(make_data, dtype, offset):
    X, y = make_data(5000, 10, 3)
    exact = SoftmaxClassifier(tol=1e-7).fit(X + offset, y)
    lowest = _objective(exact, X + offset, y)
    matrix = scipy.sparse.csr_array((X + offset).astype(dtype))
    for settings in ({}, {"batch_size": 5000}, {"batch_size": 16}):
        model = _fit(_sgd(**settings), matrix, y)
        assert _objective(model, X + offset, y) < 1.01 * lowest


def test_sparse_rows_of_which_some_features_have_few_zeros(make_data):
    X, y = make_data(5000, 10, 3)
    X[:, :5] += 50.0
    is_there = np.random.default_rng(0).uniform(size=X.shape) < [0.5] * 3 + [1.0] * 2 + [0.1] * 5
    X *= is_there
    lowest = _objective(SoftmaxClassifier(tol=1e-7).fit(X, y), X, y)
    model = _fit(_sgd(), scipy.sparse.csr_array(X), y)
    assert _objective(model, X, y) < 1.01 * lowest


def test_stream_of_sparse_rows_far_from_the_origin(make_data):
    X, y = make_data(5000, 10, 3)
    objectives = []
    for offset in (0.0, 100.0):
        model = SoftmaxClassifier()
        for first in range(0, 5000, 500):
            rows = slice(first, first + 500)
            model.partial_fit(scipy.sparse.csr_array(X[rows] + offset), y[rows], range(3))
        objectives.append(_objective(model, X + offset, y))
    assert objectives[1] < 1.01 * objectives[0]


def _objective(model, X, y, C=1.0, l1_ratio=0.0):
    logits = X @ model.coef_.T.astype(np.float64) + model.intercept_
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]
    penalty = (1 - l1_ratio) / 2 * (model.coef_**2).sum() + l1_ratio * np.abs(model.coef_).sum()
    return losses.mean() + penalty / (C * len(y))


def test_converged_means_that_the_gradient_is_small(make_data):
    X, y = make_data(3000, 5, 3)
    assert not _sgd().fit(X, y).converged_
    assert _sgd(tol=0.05).fit(X, y).converged_
    full = _sgd(batch_size=3000, tol=1e-3, n_iter_no_change=50).fit(X, y)
    assert full.converged_
    assert full.gap_ < 0.01


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_stop_close_to_the_optimum_gives_no_warning_and_one_far_from_it_does(make_data, l1_ratio):
    X, y = make_data(3000, 15, 3)
    X += 3.0 * np.random.default_rng(1).standard_normal((3000, 1))
    settings = {"C": 1.0, "l1_ratio": l1_ratio}
    exact = SoftmaxClassifier(solver="newton", tol=1e-7, **settings).fit(X, y)
    lowest = _objective(exact, X, y, **settings)
    # Patience alone would end it here.
    model = _sgd(tol=0.02, n_iter_no_change=1, **settings).fit(X, y)
    assert _objective(model, X, y, **settings) < 1.02 * lowest
    with pytest.warns(ConvergenceWarning, match="the gap is estimated at"):
        model = _sgd(max_iter=3, **settings).fit(X, y)
    assert _objective(model, X, y, **settings) > 1.02 * lowest


def _problem_of(X, y, C, l1_ratio=0.0, **settings):
    n_classes = int(y.max()) + 1
    targets = y.astype(np.int32)
    dtype = np.dtype(np.float64)
    problem = Problem(X, targets, n_classes, "identity", dtype, **settings)
    return make_penalty(C, l1_ratio).of(problem)


def _estimate(problem, model):
    weights, bias = model.coef_.T, model.intercept_
    with accumulator_of(problem, len(bias)) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    return estimate_remaining(problem, weights, bias, totals, fit_intercept=True)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_estimate_of_what_remains_is_about_what_remains(make_data, n_classes, is_sparse):
    X, y = make_data(6000, 10, n_classes)
    X = X * np.geomspace(1e-3, 1e3, 10) + np.geomspace(1e-2, 1e4, 10)
    exact = SoftmaxClassifier(tol=1e-9, C=0.1).fit(X, y)
    lowest = _objective(exact, X, y, C=0.1)
    for max_iter in (3, 30):
        model = _fit(_sgd(max_iter=max_iter, C=0.1), X, y)
        objective = _objective(model, X, y, C=0.1)
        remaining = (objective - lowest) / objective
        problem = _problem_of(scipy.sparse.csr_array(X) if is_sparse else X, y, 0.1)
        found = _estimate(problem, model)
        assert 0.5 * remaining < found < 2.0 * remaining
    problem = replace(problem, activation="sigmoid")
    assert np.isnan(_estimate(problem, model))


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    "settings", [{}, {"n_samples": 300}, {"l1_ratio": 1.0}, {"learning_rate": 0.1}], ids=str
)
def test_watched_descent_has_the_same_bits(make_data, capsys, settings, is_sparse):
    settings = dict(settings)
    X, y = make_data(settings.pop("n_samples", 2000), 5, 3)
    X = scipy.sparse.csr_array(X) if is_sparse else X
    silent, loud = (_fit(_sgd(verbose=verbose, **settings), X, y) for verbose in (0, 2))
    assert _bits(silent) == _bits(loud)
    assert silent.loss_curve_.tobytes() == loud.loss_curve_.tobytes()
    assert len(capsys.readouterr().out.splitlines()) == loud.n_iter_


def _correlated(kind, n_samples=4000, n_features=40):
    random = np.random.default_rng(0)
    X = random.standard_normal((n_samples, n_features))
    X = np.cumsum(X, axis=1) if kind == "walk" else X + 6.0 * random.standard_normal((n_samples, 1))
    weights = random.standard_normal((n_features, 3)) / np.sqrt(n_features)
    if kind == "factor":
        weights -= weights.mean(axis=0)
    return X, (X @ weights + random.gumbel(size=(n_samples, 3))).argmax(axis=1)


@pytest.mark.full
@pytest.mark.parametrize("C", [1.0, 0.01, 100.0])
@pytest.mark.parametrize("kind", ["factor", "walk"])
def test_features_with_much_in_common_come_within_a_percent(kind, C):
    X, y = _correlated(kind)
    lowest = _objective(SoftmaxClassifier(C=C, tol=1e-7).fit(X, y), X, y, C)
    for dtype in (np.float32, np.float64):
        model = _fit(_sgd(C=C), X.astype(dtype), y)
        assert _objective(model, X, y, C) < 1.01 * lowest


def test_features_are_rotated_only_where_they_have_much_in_common(make_data):
    for (X, y), scaling in [
        (_correlated("factor", n_features=15), "whiten"),
        (make_data(4000, 15, 3), "standard"),
    ]:
        other = "standard" if scaling == "whiten" else "whiten"
        automatic, expected, not_expected = (
            _bits(_fit(_sgd(max_iter=3, feature_scaling=name), X, y))
            for name in ("auto", scaling, other)
        )
        assert automatic == expected != not_expected
    X, y = _correlated("factor", n_features=15)
    automatic, standard = (
        _bits(_fit(_sgd(max_iter=3, learning_rate=0.01, feature_scaling=name), X, y))
        for name in ("auto", "standard")
    )
    assert automatic == standard


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("scale", [2.0**-900, 2.0**150])
@pytest.mark.full
def test_weights_that_float32_has_no_room_for_change_nothing(make_data, scale, is_sparse):
    X, y = make_data(300, 4, 3)
    X = X.astype(np.float32)
    X = scipy.sparse.csr_array(X) if is_sparse else X
    weights = np.random.default_rng(0).exponential(size=300)
    start = {"coef_init": np.full((3, 4), 0.1), "intercept_init": [0.1, 0.0, -0.1]}
    for holds_out in (False, True):
        models = []
        for factor in (1.0, scale):
            given = start
            if holds_out:
                given = start | {"X_val": X[:50], "y_val": y[:50]}
                given["sample_weight_val"] = factor * weights[:50]
            model = SoftmaxClassifier(solver="sgd", C=1.0 / factor, max_iter=5, random_state=0)
            models.append(model.fit(X, y, factor * weights, **given))
        np.testing.assert_allclose(models[1].coef_, models[0].coef_, rtol=1e-6)
