import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from softreg_fast.data import splits
from softreg_fast.estimators.classifier import SoftmaxClassifier
from softreg_fast.solvers.base import Size
from softreg_fast.solvers.newton.costs import relative_cost


def _load_synthetic(return_X_y):
    X, y = make_classification(
        5000, 20, n_informative=8, n_redundant=8, n_classes=5, random_state=0
    )
    return X * np.geomspace(1e-3, 1e3, 20) + 5.0, y


def _sgd(**settings):
    return SoftmaxClassifier(solver="sgd", **{"random_state": 0} | settings)


def _objective(model, X, y, C=1.0, l1_ratio=0.0):
    probabilities = model.predict_proba(X)
    penalty = (1 - l1_ratio) / 2 * (model.coef_**2).sum() + l1_ratio * np.abs(model.coef_).sum()
    return log_loss(y, probabilities, labels=model.classes_) + penalty / (C * len(y))


@pytest.mark.parametrize("is_standardised", [True, False], ids=["standardised", "raw"])
@pytest.mark.parametrize(
    "load",
    [
        load_iris,
        load_wine,
        pytest.param(load_breast_cancer, marks=pytest.mark.full),
        pytest.param(load_digits, marks=pytest.mark.full),
        pytest.param(_load_synthetic, marks=pytest.mark.full),
    ],
)
def test_within_a_percent_of_the_lowest_objective_without_a_parameter_set(load, is_standardised):
    X, y = load(return_X_y=True)
    if is_standardised:
        X = StandardScaler().fit_transform(X)
    lowest = _objective(SoftmaxClassifier(tol=1e-7, max_iter=5000).fit(X, y), X, y)
    for random_state in range(3):
        model = _sgd(random_state=random_state).fit(X, y)
        assert model.n_iter_ <= 100
        assert lowest * (1 - 1e-9) <= _objective(model, X, y) < 1.01 * lowest


@pytest.mark.parametrize("C", [0.01, 100.0])
def test_converges_with_weak_and_strong_penalties(make_data, C):
    X, y = make_data(3000, 10, 4)
    X = X * np.geomspace(0.01, 100, 10)
    model = _sgd(C=C).fit(X, y)
    exact = SoftmaxClassifier(C=C, tol=1e-7).fit(X, y)
    assert model.n_iter_ < 100
    assert _objective(model, X, y, C) < 1.01 * _objective(exact, X, y, C)


@pytest.mark.parametrize("batch_size", [32, 100])
def test_one_epoch_equals_that_of_a_perceptron_without_hidden_layers(make_data, batch_size):
    X, y = make_data(230, 6, 4)  # the last batch is incomplete
    perceptron = MLPClassifier(
        (), solver="sgd", alpha=0.0, batch_size=batch_size, learning_rate_init=0.1, momentum=0.0,
        nesterovs_momentum=False, shuffle=False,
    )  # fmt: skip
    perceptron.partial_fit(X, y, classes=range(4))
    start = perceptron.coefs_[0].T.copy(), perceptron.intercepts_[0].copy()
    perceptron.partial_fit(X, y)

    model = _sgd(
        C=np.inf, learning_rate=0.1, batch_size=batch_size, averaging=False, shuffle=False,
        feature_scaling="none", max_iter=1,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="in 1 epoch: the largest component"):
        model.fit(X, y, coef_init=start[0], intercept_init=start[1])

    np.testing.assert_allclose(model.coef_, perceptron.coefs_[0].T, rtol=1e-12, atol=1e-14)
    intercept = perceptron.intercepts_[0]
    np.testing.assert_allclose(model.intercept_, intercept - intercept.mean(), atol=1e-13)


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_elastic_net_comes_close_to_saga_and_has_exact_zeros(make_data, l1_ratio):
    X, y = make_data(2000, 15, 3)
    X[:, 5:] = np.random.default_rng(1).standard_normal((2000, 10))
    y = y.copy()
    C = 0.02
    exact = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", random_state=0, tol=1e-8, max_iter=5000
    ).fit(X, y)
    model = _sgd(C=C, l1_ratio=l1_ratio).fit(X, y)
    lowest = _objective(exact, X, y, C, l1_ratio)
    assert lowest * (1 - 1e-6) < _objective(model, X, y, C, l1_ratio) < 1.01 * lowest
    is_zero = np.abs(exact.coef_) < 1e-9
    assert 10 < is_zero.sum() < is_zero.size
    assert (model.coef_[is_zero] == 0.0).mean() > 0.9


def test_same_seed_gives_the_same_bits_and_any_number_of_threads(
    make_data, eager_threads, started_threads
):
    X, y = make_data(1100, 10, 4)
    expected = _sgd(tol=0.9, n_iter_no_change=2).fit(X, y)
    for n_threads in (1, 2, 3):
        started_threads.clear()
        found = _sgd(tol=0.9, n_iter_no_change=2, n_threads=n_threads).fit(X, y)
        assert bool(started_threads) == (n_threads > 1)
        np.testing.assert_array_equal(found.coef_, expected.coef_)
    other = _sgd(tol=0.9, n_iter_no_change=2, random_state=1).fit(X, y)
    assert (other.coef_ != expected.coef_).any()


def test_curves_have_an_element_for_each_epoch(make_data):
    X, y = make_data(2000, 5, 3)
    model = _sgd(early_stopping=True).fit(X, y)
    assert len(model.loss_curve_) == len(model.validation_curve_) == model.n_iter_
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert _sgd().fit(X, y).validation_curve_ is None
    exact = SoftmaxClassifier().fit(X, y)
    assert len(exact.loss_curve_) == exact.n_iter_
    np.testing.assert_allclose(exact.loss_curve_[-1], _objective(exact, X, y), rtol=1e-12)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_held_out_rows_stop_the_training_and_choose_the_model(l1_ratio):
    random = np.random.default_rng(0)
    X = random.standard_normal((400, 200))
    y = np.digitize(X[:, 0] + random.standard_normal(400), [-1.0, 1.0])
    X_val = random.standard_normal((300, 200))
    y_val = np.digitize(X_val[:, 0] + random.standard_normal(300), [-1.0, 1.0])
    settings = {"C": 1e4, "l1_ratio": l1_ratio, "n_iter_no_change": 7}
    model = _sgd(**settings).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.converged_
    assert model.n_iter_ < 100
    losses = model.validation_curve_
    assert len(losses) == model.n_iter_
    assert losses.argmin() < len(losses) - 5
    found = log_loss(y_val, model.predict_proba(X_val))
    np.testing.assert_allclose(found, losses.min(), rtol=1e-9)
    with pytest.warns(ConvergenceWarning):
        until_best = _sgd(**settings, max_iter=int(losses.argmin()) + 1).fit(
            X, y, X_val=X_val, y_val=y_val, sample_weight_val=np.ones(300)
        )
    np.testing.assert_allclose(until_best.coef_, model.coef_, rtol=1e-12)


def test_weights_of_held_out_rows_count(make_data):
    X, y = make_data(300, 5, 3)
    X_val, y_val = make_data(90, 5, 3, seed=1)
    weights = np.random.default_rng(0).integers(0, 3, 90)
    weighted = _sgd().fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    repeated = _sgd().fit(X, y, X_val=X_val.repeat(weights, 0), y_val=y_val.repeat(weights))
    np.testing.assert_allclose(weighted.validation_curve_, repeated.validation_curve_, rtol=1e-9)


@pytest.fixture
def held_out_rows(monkeypatch):
    """Of each fit, the rows that it holds out."""
    rows = []

    def split(problem, fraction, source):
        remaining, held_out = splits.split(problem, fraction, source)
        rows.append(np.flatnonzero(remaining.sample_weight == 0.0))
        np.testing.assert_array_equal(held_out.features, problem.features[rows[-1]])
        np.testing.assert_array_equal(held_out.targets, problem.targets[rows[-1]])
        return remaining, held_out

    monkeypatch.setattr("softreg_fast.estimators.classifier.split", split)
    return rows


def test_held_out_fraction_is_of_each_class_and_not_trained_on(make_data, held_out_rows):
    X, y = make_data(200, 3, 3)
    y = y.copy()
    y[:] = 0
    y[:40] = 1
    y[40] = 2  # a class of one row, which is never held out
    X[:, 0] += 3.0 * (y == 1)
    model = _sgd(early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    (rows,) = held_out_rows
    np.testing.assert_array_equal(np.bincount(y[rows], minlength=3), [40, 10, 0])
    # Other labels of these rows are another loss by which to stop, but not another first epoch.
    y_other = y.copy()
    y_other[rows] = 1 - y[rows]
    weights = np.ones(200)
    weights[rows] = 0.0
    once = {"max_iter": 1, "feature_scaling": "none"}
    with pytest.warns(ConvergenceWarning):
        first = _sgd(**once).fit(X, y, weights)
    with pytest.warns(ConvergenceWarning):
        other = _sgd(**once).fit(X, y_other, weights)
    np.testing.assert_array_equal(first.coef_, other.coef_)
    with pytest.warns(ConvergenceWarning):
        held_out = _sgd(**once, early_stopping=True, validation_fraction=0.25).fit(X, y)
    np.testing.assert_array_equal(held_out_rows[1], rows)
    np.testing.assert_array_equal(held_out.coef_, first.coef_)
    with pytest.raises(ValueError, match=r"validation_fraction=0.01 of 20 samples leaves none"):
        _sgd(early_stopping=True, validation_fraction=0.01).fit(X[30:50], y[30:50])


def test_lines_are_printed_only_if_wanted(make_data, capsys):
    X, y = make_data(500, 3, 3)
    _sgd().fit(X, y)
    assert capsys.readouterr().out == ""
    model = _sgd(verbose=2, early_stopping=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[0].startswith("iteration    1  objective ")
    assert f"validation loss {model.validation_curve_[-1]:.6f}" in lines[-1]
    exact = SoftmaxClassifier(verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == exact.n_iter_
    assert f"objective {exact.loss_curve_[-1]:.6f}" in lines[-1]


def test_warm_start_goes_on(make_data):
    X, y = make_data(3000, 10, 4)
    model = _sgd(warm_start=True).fit(X, y)
    reached = model.loss_curve_[-1]
    assert model.fit(X, y).loss_curve_[0] < 1.1 * reached
    model.set_params(solver="lbfgs").fit(X, y)
    assert model.n_iter_ < SoftmaxClassifier().fit(X, y).n_iter_


def test_solver_is_chosen_by_what_is_wanted(make_data):
    X, y = make_data(300, 4, 3)
    exact = SoftmaxClassifier().fit(X, y)
    assert exact.coef_.tolist() == SoftmaxClassifier(solver="newton").fit(X, y).coef_.tolist()
    sigmoid, lbfgs = (
        SoftmaxClassifier(activation="sigmoid", solver=name) for name in ("auto", "lbfgs")
    )
    assert sigmoid.fit(X, y).coef_.tolist() == lbfgs.fit(X, y).coef_.tolist()
    for settings, arguments in [
        ({"early_stopping": True}, {}),
        ({}, {"X_val": X, "y_val": y}),
    ]:
        found = SoftmaxClassifier(random_state=0, **settings).fit(X, y, **arguments)
        expected = _sgd(**settings).fit(X, y, **arguments)
        assert found.coef_.tolist() == expected.coef_.tolist()


def test_solver_is_chosen_by_what_second_derivatives_cost(make_data):
    X, y = make_data(20, 250, 3)
    assert relative_cost(Size(20 * 250, 250, 3)) > 150.0
    auto, lbfgs, newton = (
        SoftmaxClassifier(solver=solver).fit(X, y) for solver in ("auto", "lbfgs", "newton")
    )
    assert auto.coef_.tolist() == lbfgs.coef_.tolist() != newton.coef_.tolist()
    assert relative_cost(Size(4_000 * 40, 40, 3)) < 150.0
    sparse, newton = (
        SoftmaxClassifier(l1_ratio=1.0, solver=solver).fit(X, y) for solver in ("auto", "newton")
    )
    assert sparse.coef_.tolist() == newton.coef_.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"solver": "adam"},
            "solver='adam' is not allowed: it must be 'auto' or 'newton' or 'lbfgs' or 'sgd'",
        ),
        ({"l1_ratio": 1.5}, "l1_ratio=1.5 .* of at least 0 and of at most 1"),
        ({"l1_ratio": 0.5, "solver": "lbfgs"}, "l1_ratio=0.5 is not allowed with solver='lbfgs'"),
        ({"l1_ratio": 0.5, "feature_scaling": "whiten"}, "feature_scaling='whiten' is not allowed"),
        ({"early_stopping": True, "solver": "lbfgs"}, "early_stopping=True is not allowed"),
        ({"learning_rate": "fast"}, "learning_rate='fast' .*, or 'auto' or 'invscaling'"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": np.inf}, "learning_rate=inf"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": "all"}, "batch_size='all'"),
        ({"momentum": 1.0}, "momentum=1.0 .* of at least 0"),
        ({"momentum": "nesterov"}, "momentum='nesterov'"),
        ({"averaging": "yes"}, "averaging='yes'"),
        ({"feature_scaling": "minmax"}, "feature_scaling='minmax'"),
        ({"shuffle": None}, "shuffle=None"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0"),
        ({"n_samples_total": 0.5}, "n_samples_total=0.5"),
        ({"verbose": -1}, "verbose=-1"),
        ({"random_state": "seed"}, "random_state='seed' is not allowed"),
        ({"random_state": -1}, "random_state=-1 is not allowed"),
    ],
)
def test_parameters_that_are_not_allowed_are_refused(make_data, settings, message):
    X, y = make_data(30, 3, 3)
    model = SoftmaxClassifier(**settings)
    before = vars(model).copy()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, y)
    assert vars(model) == before


@pytest.mark.parametrize("given", ["X_val", "y_val", "sample_weight_val"])
def test_half_of_held_out_rows_is_refused_by_name_whatever_the_solver(make_data, given):
    X, y = make_data(60, 3, 3)
    argument = {given: {"X_val": X, "y_val": y, "sample_weight_val": np.ones(60)}[given]}
    for solver, message in [
        ("auto", "X_val and y_val must both be given"),
        ("newton", "X_val requires solver='sgd' or 'auto', got 'newton'"),
    ]:
        model = SoftmaxClassifier(solver=solver).fit(X, y)
        before = vars(model).copy()
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, **argument)
        assert vars(model) == before


def test_held_out_rows_that_are_not_allowed_are_refused(make_data):
    X, y = make_data(60, 3, 3)
    with_nan = X.copy()
    with_nan[4, 1] = np.nan
    model = _sgd().fit(X, y)
    before = vars(model).copy()
    for arguments, message in [
        ({"X_val": X}, "X_val and y_val must both be given"),
        ({"y_val": y}, "X_val and y_val must both be given"),
        ({"sample_weight_val": np.ones(60)}, "X_val and y_val must both be given"),
        ({"X_val": X[:, :2], "y_val": y}, "X_val has 2 features: it must have 3"),
        ({"X_val": "rows", "y_val": y}, "X_val or y_val is not allowed: "),
        ({"X_val": X, "y_val": 1}, "X_val or y_val is not allowed: "),
        ({"X_val": X[:9], "y_val": y}, "inconsistent numbers of samples"),
        ({"X_val": X, "y_val": y + 1}, "y_val has the label 3, which is none of the classes"),
        ({"X_val": with_nan, "y_val": y}, r"X_val\[4, 1\] is NaN"),
        ({"X_val": X, "y_val": y, "sample_weight_val": -1}, r"sample_weight_val\[0\] is -1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, **arguments)
        assert vars(model) == before
    with pytest.raises(ValueError, match="X_val requires solver='sgd' or 'auto', got 'lbfgs'"):
        SoftmaxClassifier(solver="lbfgs").fit(X, y, X_val=X, y_val=y)


def test_rate_that_is_too_large_is_named(make_data):
    X, y = make_data(100, 3, 3)
    model = _sgd(learning_rate=1e300, feature_scaling="none", C=1e-9)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=r"learning_rate=1e\+300 is too large"):
        model.fit(X * 1e100, y)
    assert vars(model) == before


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
def test_types_and_orders_of_features(make_data, order, dtype):
    X, y = make_data(2000, 8, 3)
    model = _sgd().fit(np.asarray(X, dtype, order=order), y)
    assert model.coef_.dtype == dtype
    assert _objective(model, X, y) < 1.01 * _objective(SoftmaxClassifier().fit(X, y), X, y)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("n_samples", [300, 2000])
def test_scales_and_means_of_features_do_not_matter_without_penalty(make_data, n_samples, scale):
    X, y = make_data(n_samples, 5, 3)
    expected = _sgd(C=np.inf).fit(X, y)
    found = _sgd(C=np.inf).fit(X * scale + 1e3 * scale, y)
    np.testing.assert_allclose(
        found.predict_proba(X * scale + 1e3 * scale), expected.predict_proba(X), atol=1e-6
    )


def test_constant_and_repeated_features(make_data):
    X, y = make_data(2000, 4, 3)
    X = np.hstack([X, np.full((2000, 1), 1e6), X[:, :1], np.zeros((2000, 1))])
    for rows in (slice(None), slice(500)):
        model = _sgd().fit(X[rows], y[rows])
        exact = SoftmaxClassifier().fit(X[rows], y[rows])
        assert np.isfinite(model.coef_).all()
        assert np.abs(model.coef_[:, [4, 6]]).max() < 1e-6
        assert _objective(model, X[rows], y[rows]) < 1.01 * _objective(exact, X[rows], y[rows])


def _blocks(X, y, n_rows):
    for first in range(0, len(y), n_rows):
        yield X[first : first + n_rows], y[first : first + n_rows]


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_blocks_give_the_bits_of_an_epoch_of_fit(make_data, n_classes, activation):
    X, y = make_data(320, 6, n_classes)
    settings = {
        "learning_rate": 0.1, "feature_scaling": "none", "n_samples_total": 320, "batch_size": 32,
        "activation": activation,
    }  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        expected = _sgd(shuffle=False, max_iter=1, momentum=0.0, **settings).fit(X, y)
    model = SoftmaxClassifier(**settings)
    for X_block, y_block in _blocks(X, y, 64):
        model.partial_fit(X_block, y_block, classes=range(n_classes))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.intercept_, expected.intercept_)
    assert model.n_iter_ == 5


def test_stream_comes_close_to_the_lowest_objective(make_data):
    X, y = make_data(20_000, 10, 4)
    X = X * np.geomspace(0.01, 100, 10) + 3
    for l1_ratio in (0.0, 1.0):
        best = SoftmaxClassifier(l1_ratio=l1_ratio, random_state=0).fit(X, y)
        model = SoftmaxClassifier(l1_ratio=l1_ratio)
        for X_block, y_block in _blocks(X, y, 1000):
            model.partial_fit(X_block, y_block, classes=range(4))
        assert _objective(model, X, y, 1.0, l1_ratio) < 1.01 * _objective(best, X, y, 1.0, l1_ratio)


def test_stream_with_penalty_of_absolute_coefficients_has_exact_zeros(make_data):
    X, y = make_data(4000, 10, 3)
    X[:, 5:] = np.random.default_rng(1).standard_normal((4000, 5))
    model = SoftmaxClassifier(l1_ratio=1.0, C=0.01, n_samples_total=4000)
    for X_block, y_block in _blocks(X, y, 500):
        model.partial_fit(X_block, y_block, classes=range(3))
    assert 3 < (model.coef_ == 0.0).sum() < 30


def test_stream_takes_blocks_without_some_classes_and_goes_on_after_fit(make_data):
    X, y = make_data(600, 5, 3)
    names = np.array(["b", "c", "a"])[y]
    model = SoftmaxClassifier()
    for label in ("a", "b", "c", "b"):
        rows = names == label
        model.partial_fit(X[rows], names[rows], classes=["c", "a", "b"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    model.fit(X, names)
    before = model.coef_.copy()
    model.partial_fit(X[names == "a"], names[names == "a"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert 0 < np.abs(model.coef_ - before).max() < 1.0
    assert not hasattr(model, "loss_curve_")


def test_stream_refuses_what_is_not_allowed(make_data):
    X, y = make_data(60, 3, 3)
    with pytest.raises(ValueError, match="classes=None is not allowed at the first call"):
        SoftmaxClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="classes has 1 class: the number of classes must be"):
        SoftmaxClassifier().partial_fit(X, np.zeros(60), classes=[0])
    with pytest.raises(AttributeError, match="partial_fit"):
        SoftmaxClassifier(solver="lbfgs").partial_fit(X, y, classes=range(3))
    model = SoftmaxClassifier().partial_fit(X, y, classes=range(3))
    before = vars(model).copy()
    with_nan = X.copy()
    with_nan[5, 0] = np.nan
    for arguments, message in [
        ((X, y + 1), "y has the label 3, which is none of the classes"),
        ((X, y, range(4)), r"classes=\[0, 1, 2, 3\] are not those of the calls before"),
        ((X[:, :2], y), "2 features"),
        ((with_nan, y), r"X\[5, 0\] is NaN"),
        ((X, y, None, np.zeros(60)), "class_weight is 0.0"),
        ((X, y, None, -np.ones(60)), r"sample_weight\[0\] is -1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(*arguments)
        assert vars(model) == before
    for settings, message in [
        ({"class_weight": "balanced"}, "class_weight='balanced' is not allowed with partial_fit"),
        ({"feature_scaling": "whiten"}, "feature_scaling='whiten' is not allowed with partial_fit"),
        (
            {"activation": "sigmoid"},
            "activation='sigmoid' is not allowed after training with 'identity'",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            model.set_params(**settings).partial_fit(X, y)
        model.set_params(class_weight=None, feature_scaling="auto", activation="identity")
        assert vars(model) == before


def test_class_weights_of_a_stream_are_weights_of_its_rows(make_data):
    X, y = make_data(300, 5, 3)
    factors = {0: 1.0, 1: 3.0, 2: 0.5}
    expected = SoftmaxClassifier()
    found = SoftmaxClassifier(class_weight=factors)
    for X_block, y_block in _blocks(X, y, 100):
        weights = np.array([factors[label] for label in y_block])
        expected.partial_fit(X_block, y_block, range(3), weights)
        found.partial_fit(X_block, y_block, range(3))
    np.testing.assert_array_equal(found.coef_, expected.coef_)


@pytest.mark.full
def test_stream_of_float32_goes_on_in_float64(make_data):
    X, y = make_data(300, 5, 3)
    model = SoftmaxClassifier().partial_fit(X[:100].astype(np.float32), y[:100], range(3))
    assert model.coef_.dtype == np.float32
    model.partial_fit(X[100:], y[100:])
    assert model.coef_.dtype == np.float64
    model.partial_fit(X[:100].astype(np.float32), y[:100])
    assert model.coef_.dtype == np.float64


def test_not_fitted(make_data):
    with pytest.raises(NotFittedError):
        _sgd().predict(make_data(3, 2, 2)[0])


@pytest.mark.parametrize("load", [load_wine, pytest.param(load_digits, marks=pytest.mark.full)])
def test_generalises_as_the_exact_solver(load):
    X, y = load(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    exact = SoftmaxClassifier(C=0.01).fit(X_train, y_train)
    model = _sgd(C=0.01).fit(X_train, y_train)
    assert model.score(X_test, y_test) > exact.score(X_test, y_test) - 0.01


@pytest.mark.parametrize(
    "n_rows", [*(pytest.param(n, marks=pytest.mark.full) for n in (1, 2)), 10, 16]
)
def test_stream_of_small_blocks_stays_close(make_data, n_rows):
    X, y = make_data(2000, 5, 3)
    model = SoftmaxClassifier()
    for X_block, y_block in _blocks(X, y, n_rows):
        model.partial_fit(X_block, y_block, classes=range(3))
    assert _objective(model, X, y) < 1.1 * _objective(SoftmaxClassifier().fit(X, y), X, y)


def test_stream_sorted_by_class_recovers(make_data):
    X, y = make_data(3000, 5, 3)
    model = SoftmaxClassifier()
    for rows in [*np.split(np.argsort(y), 10), *np.split(np.arange(3000), 10)]:
        model.partial_fit(X[rows], y[rows], classes=range(3))
    assert np.abs(model.coef_).max() < 20
    assert _objective(model, X, y) < 1.1 * _objective(SoftmaxClassifier().fit(X, y), X, y)


def test_features_of_narrow_and_wide_spread_beside_each_other(make_data):
    X, y = make_data(500, 5, 3)
    wide = np.random.default_rng(1).normal(1.7e18, 1e9, size=(500, 1))
    model = _sgd().fit(np.hstack([X, wide]), y)
    assert model.loss_curve_[-1] < 1.05 * _sgd().fit(X, y).loss_curve_[-1]


@pytest.mark.full
@pytest.mark.parametrize("weight", [1e-46, 1e39])
def test_size_of_all_weights_does_not_matter_in_float32(make_data, weight):
    X, y = make_data(2000, 5, 3)
    expected = _sgd().fit(X.astype(np.float32), y)
    found = _sgd(C=1 / weight).fit(X.astype(np.float32), y, np.full(2000, weight))
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch_size", ["auto", 3000])
def test_momentum_without_averaging_comes_close(make_data, batch_size):
    X, y = make_data(3000, 5, 3)
    model = _sgd(averaging=False, momentum=0.9, batch_size=batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    assert _objective(model, X, y) < 1.1 * _objective(SoftmaxClassifier().fit(X, y), X, y)


def test_explosion_is_no_convergence(make_data):
    X, y = make_data(300, 5, 3)
    with pytest.raises(ValueError, match=r"learning_rate=1000000.0 is too large .* rose from"):
        _sgd(learning_rate=1e6, averaging=False, C=np.inf, batch_size=30).fit(X, y)
    model = SoftmaxClassifier(learning_rate=1e6, averaging=False, C=np.inf, batch_size=30)
    with pytest.raises(ValueError, match=r"learning_rate=1000000.0 is too large"):
        model.partial_fit(X, y, classes=range(3))


def test_held_out_features_have_the_names_and_range_of_the_others(make_data):
    X, y = make_data(300, 3, 3)
    frame = pd.DataFrame(X, columns=list("abc"))
    with pytest.raises(ValueError, match="feature names should match"):
        _sgd().fit(frame, y, X_val=frame[["c", "b", "a"]], y_val=y)
    with pytest.raises(ValueError, match=r"X_val\[0, 0\] is 1e\+300"):
        _sgd().fit(X.astype(np.float32), y, X_val=[[1e300, 0.0, 0.0]], y_val=[0])


def test_flags_of_numpy_are_flags(make_data):
    X, y = make_data(300, 3, 3)
    with pytest.raises(ValueError, match="early_stopping=True is not allowed"):
        SoftmaxClassifier(solver="lbfgs", early_stopping=np.True_).fit(X, y)


def test_number_of_epochs_costs_no_memory(make_data):
    X, y = make_data(300, 3, 3)
    few = _sgd().fit(X, y)
    for max_iter in (10**6, 10**14):
        tracemalloc.start()
        many = _sgd(max_iter=max_iter).fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000
        np.testing.assert_array_equal(many.coef_, few.coef_)


def test_more_epochs_than_are_kept_at_a_time(make_data, monkeypatch):
    X, y = make_data(300, 3, 3)
    expected = _sgd().fit(X, y)
    monkeypatch.setattr("softreg_fast.runtime.tuning.EPOCHS_PER_CALL", 3)
    found = _sgd().fit(X, y)
    np.testing.assert_array_equal(found.loss_curve_, expected.loss_curve_)
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_rows_of_small_classes_are_held_out_in_turn(held_out_rows):
    random = np.random.default_rng(0)
    X, y = random.standard_normal((300, 4)), np.repeat(np.arange(100), 3)
    model = _sgd(early_stopping=True).fit(X, y)
    assert len(model.classes_) == 100
    assert len(model.validation_curve_) == model.n_iter_
    # A tenth of 300 rows, from every third or fourth class.
    classes = y[held_out_rows[0]]
    assert len(classes) == len(set(classes)) == 30
    assert set(np.diff(np.sort(classes))) == {3, 4}
