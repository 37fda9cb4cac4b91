import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from softreg_fast import reference
from softreg_fast.estimators.classifier import SoftmaxClassifier

ACTIVATIONS = ["identity", "sigmoid"]


@parametrize_with_checks([SoftmaxClassifier()])
def test_scikit_learn_checks(estimator, check):
    _check_silently(estimator, check)


@pytest.mark.full
@parametrize_with_checks(
    [
        SoftmaxClassifier(solver="newton"),
        SoftmaxClassifier(solver="lbfgs"),
        SoftmaxClassifier(activation="sigmoid", solver="lbfgs"),
        SoftmaxClassifier(activation="sigmoid", solver="sgd"),
        SoftmaxClassifier(solver="sgd"),
    ]
)
def test_scikit_learn_checks_of_other_solvers(estimator, check):
    _check_silently(estimator, check)


def _check_silently(estimator, check):
    with warnings.catch_warnings():
        # As scikit-learn does for its own estimators: to run out of epochs is no failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("C", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits, load_breast_cancer])
def test_same_model_as_logistic_regression(load, C):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    expected = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=500).fit(X, y)

    found = SoftmaxClassifier(C=C, tol=1e-10).fit(X, y)

    assert found.converged_
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    if len(found.classes_) == 2:
        np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=1e-5, atol=1e-6)
    else:
        assert abs(found.intercept_.mean()) < 1e-12
    for method in ("predict", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(
            getattr(found, method)(X), getattr(expected, method)(X), rtol=1e-4, atol=1e-6
        )
    if len(found.classes_) == 2:
        np.testing.assert_allclose(
            found.decision_function(X), expected.decision_function(X), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_weights_and_no_intercept_agree_with_logistic_regression(
    make_data, n_classes, fit_intercept
):
    X, y = make_data(200, 5, n_classes)
    sample_weight = np.random.default_rng(0).exponential(size=200)
    names = np.array(list("dbca"))[y]
    settings = {"class_weight": {"d": 1.0, "b": 2.0, "c": 0.5, "a": 1.0}, "C": 0.3}
    if n_classes == 2:
        settings["class_weight"] = {"d": 1.0, "b": 2.0}
    settings["fit_intercept"] = fit_intercept
    expected = LogisticRegression(tol=1e-11, max_iter=1000, **settings)
    expected.fit(X + 1.0, names, sample_weight)
    found = SoftmaxClassifier(tol=1e-9, **settings).fit(X + 1.0, names, sample_weight)
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-4, atol=1e-6)
    if not fit_intercept:
        np.testing.assert_array_equal(found.intercept_, 0.0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_are_those_of_the_reference(make_data, n_classes, activation):
    X, y = make_data(100, 4, n_classes)
    model = SoftmaxClassifier(activation=activation).fit(X, y)
    expected, values, _ = reference.predict(X, model.coef_.T, model.intercept_, activation)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))
    decision = model.decision_function(X)
    if n_classes == 3:
        np.testing.assert_allclose(decision, values, rtol=1e-12, atol=1e-14)
        assert model.coef_.shape == (3, 4)
    else:
        np.testing.assert_allclose(
            decision, np.log(expected[:, 1] / expected[:, 0]), rtol=1e-9, atol=1e-12
        )
        assert model.coef_.shape == ((1, 4) if activation == "identity" else (2, 4))


def test_logarithms_of_probabilities_do_not_underflow():
    X = np.array([[-1.0], [1.0]])
    for y in ([0, 1], ["a", "b"]):
        model = SoftmaxClassifier(C=1.0).fit(X, y)
        model.coef_ = model.coef_ * 1e4
        found = model.predict_log_proba(X)
        assert found.min() < -1e3
        assert np.isfinite(found).all()


@pytest.mark.parametrize("order", ["C", pytest.param("F", marks=pytest.mark.full)])
def test_float32_stays_float32(make_data, order):
    X, y = make_data(300, 8, 3)
    single = np.asarray(X, np.float32, order=order)
    model = SoftmaxClassifier(tol=1e-6).fit(single, y)
    expected = SoftmaxClassifier(tol=1e-6).fit(single.astype(np.float64), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict_proba(single).dtype == model.decision_function(single).dtype == np.float32
    assert model.predict_proba(X).dtype == np.float64
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("labels", [
    [3, -1, 7], [True, False], ["x", "y", "zz"], [0.0, 1.0, 2.0], [2**62, -(2**62)],
])  # fmt: skip
def test_labels_of_any_kind_come_back(make_data, labels):
    X, y = make_data(100, 3, len(labels))
    y = np.array(labels)[y]
    kinds = [y, y.tolist(), pd.Series(y), pd.Categorical(y)]
    if y.dtype.kind == "U":
        kinds.append(y.astype(object))
    for given in kinds:
        model = SoftmaxClassifier().fit(X, given)
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        assert set(model.predict(X)) <= set(labels)
        assert model.score(X, given) > 0.4


def test_names_of_features_are_checked(make_data):
    X, y = make_data(60, 3, 2)
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model = SoftmaxClassifier().fit(table, y)
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(table.copy()))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[["b", "a", "c"]])


def test_warm_start_goes_on_and_takes_over_known_classes(make_data):
    X, y = make_data(300, 5, 4)
    model = SoftmaxClassifier(warm_start=True, tol=1e-6).fit(X, y)
    first = model.coef_
    model.fit(X, y)
    assert model.n_iter_ == 0
    np.testing.assert_allclose(model.coef_, first, atol=1e-12)
    rest = y != 2
    model.fit(X[rest], y[rest])
    np.testing.assert_array_equal(model.classes_, [0, 1, 3])
    expected = SoftmaxClassifier(tol=1e-6).fit(X[rest], y[rest])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    model.fit(X[y < 2], y[y < 2])
    assert model.coef_.shape == (1, 5)
    with pytest.raises(ValueError, match="X has 4 features, but warm_start=True"):
        model.fit(X[:, :4], y)


def test_start_can_be_given(make_data):
    X, y = make_data(300, 5, 3)
    model = SoftmaxClassifier(tol=1e-8).fit(X, y)
    again = clone(model).fit(X, y, coef_init=model.coef_, intercept_init=model.intercept_)
    assert again.n_iter_ <= 1
    with pytest.raises(ValueError, match=r"coef_init has shape \(5, 3\): .* shape \(3, 5\)"):
        model.fit(X, y, coef_init=model.coef_.T)
    with pytest.raises(ValueError, match=r"intercept_init.* is NaN"):
        model.fit(X, y, intercept_init=[0, np.nan, 0])


def test_running_out_of_iterations_warns_and_names_the_gradient(make_data):
    X, y = make_data(300, 20, 4)
    with pytest.warns(ConvergenceWarning, match="in 2 iterations: .* gradient is .*max_iter"):
        model = SoftmaxClassifier(max_iter=2).fit(X, y)
    assert (model.n_iter_, model.converged_) == (2, False)


def test_any_number_of_threads_gives_the_same_bits(make_data, monkeypatch, started_threads):
    for name in ("PRODUCTS_WORTH_A_THREAD", "PRODUCTS_OF_A_PREDICTION_WORTH_A_THREAD"):
        monkeypatch.setattr(f"softreg_fast.runtime.tuning.{name}", 1)
    X, y = make_data(4_000, 64, 10)  # as digits, whose kernels are compiled
    expected = SoftmaxClassifier(n_threads=1).fit(X, y)
    assert started_threads == []
    for n_threads in (2, 3, 7):
        model = SoftmaxClassifier(n_threads=n_threads).fit(X, y)
        assert started_threads
        started_threads.clear()
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        assert started_threads
        started_threads.clear()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"C": 0}, "C=0 is not allowed: it must be a number above 0"),
        ({"C": -1.0}, "C=-1.0"),
        ({"C": np.nan}, "C=nan"),
        ({"C": "1"}, "C='1'"),
        ({"tol": -1e-3}, "tol=-0.001 is not allowed: it must be a finite number of at least 0"),
        ({"tol": np.inf}, "tol=inf"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"max_iter": 2.5}, "max_iter=2.5"),
        (
            {"activation": "probit"},
            "activation='probit' is not allowed: it must be 'identity' or 'sigmoid'",
        ),
        ({"fit_intercept": "yes"}, "fit_intercept='yes'"),
        ({"warm_start": 2}, "warm_start=2"),
        ({"n_threads": 0}, "n_threads=0"),
        ({"class_weight": "equal"}, "class_weight"),
        ({"class_weight": {0: 0.0, 1: 0.0, 2: 0.0}}, "class_weight is 0.0: it must be above zero"),
    ],
)
def test_parameters_that_are_not_allowed_are_refused(make_data, settings, message):
    X, y = make_data(30, 3, 3)
    model = SoftmaxClassifier(**settings)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(X, y)


@pytest.mark.parametrize("is_fitted", [False, True])
def test_input_that_is_not_allowed_leaves_the_object_as_it_was(make_data, is_fitted):
    X, y = make_data(30, 3, 3)
    with_nan = X.copy()
    with_nan[7, 2] = np.nan
    infinite = X.astype(np.float32)
    infinite[3, 1] = np.inf
    model = SoftmaxClassifier()
    if is_fitted:
        model.fit(pd.DataFrame(X, columns=list("abc")), y)
    before = vars(model).copy()
    for arguments, message in [
        ((with_nan, y), r"X\[7, 2\] is NaN"),
        ((infinite, y), r"X\[3, 1\] is inf"),
        ((X[:, :0], y), "0 feature"),
        ((X, np.zeros(30)), "y has 1 class: the number of classes must be from 2 to 65536"),
        ((X, y[:-1]), "inconsistent numbers of samples"),
        ((X, np.linspace(0, 1, 30)), "continuous"),
        ((X, y, np.ones(29)), r"sample_weight has shape \(29,\): it must be \(30,\)"),
        ((X, y, -np.ones(30)), r"sample_weight\[0\] is -1.0: .* negative values"),
        ((X, y, np.zeros(30)), "class_weight is 0.0: it must be above zero"),
        ((X, y, np.full(30, np.nan)), r"sample_weight\[0\] is nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(*arguments)
        assert list(vars(model)) == list(before)
        assert all(vars(model)[name] is value for name, value in before.items())
    if not is_fitted:
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            with pytest.raises(NotFittedError):
                getattr(model, method)(X)
        return
    model.fit(X, y)
    for array in (with_nan, infinite):
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            with pytest.raises(ValueError, match=r"X\[\d, \d\] is (NaN|inf)"):
                getattr(model, method)(array)


@pytest.mark.full
def test_copies_and_grids(make_data):
    X, y = make_data(150, 4, 3)
    model = SoftmaxClassifier().fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), SoftmaxClassifier()),
        {"softmaxclassifier__C": [0.01, 1.0, 100.0]},
        n_jobs=2,
    )
    assert grid.fit(X, y).best_score_ > 0.5


def test_without_a_penalty_the_loss_is_lowest(make_data):
    X, y = make_data(500, 4, 3)
    model = SoftmaxClassifier(C=np.inf, tol=1e-9).fit(X, y)
    _, weights_gradient, bias_gradient = reference.batch(
        X, y, model.coef_.T, model.intercept_, "identity", "exact"
    )
    assert max(np.abs(weights_gradient).max(), np.abs(bias_gradient).max()) < 1e-8
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("factor", "settings", "arguments", "message"),
    [
        (1e154, {}, {}, "scale the features"),
        (1e200, {}, {}, "scale the features"),
        (1e307, {}, {}, "scale the features"),
        (1.0, {"C": 1e-310}, {}, "use a larger C"),
        (1.0, {}, {"sample_weight": np.full(100, 5e-324)}, "use a larger C"),
        (1.0, {}, {"coef_init": np.full((3, 3), 1e308)}, "start elsewhere"),
        (1.0, {"class_weight": {0: 1, 1: 1, 2: -0.5}}, {}, r"class_weight has -0.5 for the class"),
        (
            1.0,
            {"fit_intercept": False},
            {"intercept_init": np.ones(3)},
            "intercept_init requires fit_intercept=True",
        ),
    ],
)
def test_what_would_give_no_finite_model_is_refused(
    make_data, factor, settings, arguments, message
):
    X, y = make_data(100, 3, 3)
    model = SoftmaxClassifier(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(np.abs(X) * factor, y, **arguments)
    assert not hasattr(model, "coef_")


def test_no_penalty_and_huge_coefficients_give_finite_objectives(make_data):
    X, y = make_data(100, 3, 3)
    tiny, plain = (
        SoftmaxClassifier(C=np.inf, tol=1e-8).fit(X * factor, y) for factor in (1e-10, 1.0)
    )
    assert np.isfinite(tiny.coef_).all()
    assert plain.converged_
    for model in (tiny, plain):
        assert np.isfinite(model.loss_curve_).all()
    with pytest.raises(ValueError, match="overflow float32"):
        SoftmaxClassifier(C=np.inf, tol=0.0).fit((X * 1e-40).astype(np.float32), y)


def test_c_beyond_floats_means_no_penalty(make_data):
    X, y = make_data(100, 3, 3)
    found, expected = (SoftmaxClassifier(C=C).fit(X, y) for C in (10**400, np.inf))
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_predictions_have_the_link_that_was_fitted(make_data):
    X, y = make_data(100, 3, 2)
    model = SoftmaxClassifier().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(activation="sigmoid")
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_warm_start_without_intercept_drops_the_old_one(make_data):
    X, y = make_data(100, 3, 3)
    model = SoftmaxClassifier(warm_start=True).fit(X + 1.0, y)
    model.set_params(fit_intercept=False).fit(X + 1.0, y)
    np.testing.assert_array_equal(model.intercept_, 0.0)


def test_balanced_classes_may_weigh_nothing(make_data):
    X, y = make_data(100, 3, 3)
    weights = (y != 2) * 1.0
    model = SoftmaxClassifier(class_weight="balanced").fit(X, y, sample_weight=weights)
    assert model.predict_proba(X)[:, 2].max() < 0.2


def test_rows_that_overflow_are_refused_instead_of_giving_nan(make_data):
    X, y = make_data(100, 3, 3)
    model = SoftmaxClassifier().fit(X, y)
    model.coef_ = np.array([[2.0, -2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    huge = np.array([[0.0, 0.0, 0.0], [1e308, -1e308, 0.0]])
    assert model.predict(huge)[1] == 0
    for method in ("predict_proba", "predict_log_proba"):
        with pytest.raises(ValueError, match="row 1 of X is too large for this model"):
            getattr(model, method)(huge)
