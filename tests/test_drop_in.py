"""scikit-learn's LogisticRegression and LogisticRegressionCV, fitted by this package."""

import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model
from conftest import HANG_GUARD
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from softreg_fast import _sklearn
from softreg_fast.sklearn import (
    LogisticRegression,
    LogisticRegressionCV,
    logistic,
    patch_sklearn,
    path,
    unpatch_sklearn,
)

X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
WEIGHTS = np.arange(len(y)) % 3
TESTS = Path(__file__).parent
# Of scikit-learn's own tests those that fail, with the reason.
DIFFERENCES = json.loads((TESTS / "data" / "sklearn_differences.json").read_text("utf-8"))
OLD_SKLEARN = "multi_class" in LogisticRegression().get_params()


def _own(model, *data, **named):
    """The same model, fitted by scikit-learn."""
    cls = getattr(sklearn.linear_model, type(model).__name__)
    return cls(**model.get_params()).fit(*data, **named)


def _assert_same(model, own, atol):
    assert model.fitted_by_ == "softreg_fast"
    for name in ("classes_", "coef_", "intercept_"):
        ours, theirs = getattr(model, name), getattr(own, name)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if name != "classes_":
            np.testing.assert_allclose(ours, theirs, atol=atol)
    np.testing.assert_array_equal(model.classes_, own.classes_)
    assert isinstance(model, type(own))
    assert model.n_iter_.shape == own.n_iter_.shape
    assert model.n_iter_.dtype == own.n_iter_.dtype


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"])
@pytest.mark.parametrize("labels", [y, np.where(y == 1, "red", "white")], ids=["3", "2"])
def test_fits_are_those_of_scikit_learn(solver, labels):
    model = LogisticRegression(solver=solver, tol=1e-8, max_iter=3000)
    model.fit(X, labels, sample_weight=WEIGHTS)
    _assert_same(model, _own(model, X, labels, sample_weight=WEIGHTS), atol=3e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0, 1: 0.5}},
        {"C": 1e-3},
        {"l1_ratio": 1.0, "solver": "saga", "C": 0.1},
        {"l1_ratio": 0.5, "solver": "saga", "C": 0.1},
    ],
    ids=str,
)
def test_parameters_mean_what_they_mean_in_scikit_learn(parameters):
    if OLD_SKLEARN and "l1_ratio" in parameters:
        parameters = parameters | {"penalty": "elasticnet"}
    model = LogisticRegression(tol=1e-9, max_iter=5000).set_params(**parameters).fit(X, y)
    own = _own(model, X, y)
    _assert_same(model, own, atol=3e-6)
    assert ((model.coef_ == 0.0) == (own.coef_ == 0.0)).all()


def test_without_a_penalty():
    noisy = np.r_[y[5:], y[:5]][np.arange(len(y)) * 7 % len(y)]  # which nothing separates
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    if OLD_SKLEARN:
        model.set_params(penalty=None, C=1.0)
    model.fit(X[:, :3], noisy)
    _assert_same(model, _own(model, X[:, :3], noisy), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, csr_array])
def test_kinds_of_features(kind, dtype):
    """scikit-learn calculates float32 in float32, and ends farther from the optimum."""
    features = kind(X[:, :10].astype(dtype))
    model = LogisticRegression(tol=1e-6, max_iter=500).fit(features, y)
    own = _own(model, features.astype(np.float64), y)
    # Before scikit-learn 1.8, "lbfgs" has float64 of whatever it is given.
    expected = _own(model, features, y)
    assert model.coef_.dtype == expected.coef_.dtype
    assert model.intercept_.dtype == expected.intercept_.dtype
    assert OLD_SKLEARN or model.coef_.dtype == dtype
    assert model.fitted_by_ == "softreg_fast"
    np.testing.assert_allclose(model.coef_, own.coef_, atol=1e-4)
    np.testing.assert_allclose(model.intercept_, own.intercept_, atol=1e-4)


@pytest.mark.parametrize("weight", [2, 0.5, np.float32(3.0)])
def test_one_weight_for_all_samples(weight):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression().fit(X, y, sample_weight=weight)
    expected = LogisticRegression().fit(X, y, sample_weight=np.full(len(y), weight))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.intercept_, expected.intercept_)


def test_feature_names_are_kept():
    pd = pytest.importorskip("pandas")
    names = [f"f{place}" for place in range(X.shape[1])]
    model = LogisticRegression().fit(pd.DataFrame(X, columns=names), y)
    assert model.feature_names_in_.tolist() == names


def test_warm_start_begins_with_the_last_model():
    model = LogisticRegression(warm_start=True, tol=1e-8, max_iter=1000).fit(X, y)
    coef = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ == [0]
    np.testing.assert_array_equal(model.coef_, coef)


@pytest.mark.parametrize(
    ("parameters", "weights"),
    [
        ({"solver": "liblinear"}, None),
        ({"max_iter": 0}, None),
        ({}, np.where(np.arange(len(y)) == 3, -1e-3, 1.0)),
    ],
    ids=["liblinear", "max_iter=0", "negative weights"],
)
def test_what_is_left_to_scikit_learn(parameters, weights):
    labels = y == 1
    model, own = LogisticRegression(**parameters), sklearn.linear_model.LogisticRegression()
    own.set_params(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, labels, sample_weight=weights)
        own.fit(X, labels, sample_weight=weights)
    assert model.fitted_by_ == "scikit-learn"
    np.testing.assert_array_equal(model.coef_, own.coef_)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ("lbfgs", "lbfgs failed to converge"),
        ("newton-cg", "newton-cg failed to converge"),
        ("newton-cholesky", "Newton solver did not converge after [0-9]* iterations"),
        ("saga", "The max_iter was reached which means the coef_ did not converge"),
    ],
)
def test_warnings_begin_as_those_of_scikit_learn(solver, message):
    with pytest.warns(ConvergenceWarning, match=message):
        model = LogisticRegression(solver=solver, max_iter=1).fit(X, y)
    assert model.n_iter_ == [1]


def test_parameters_are_checked_by_scikit_learn():
    with pytest.raises(ValueError, match="The 'C' parameter"):
        LogisticRegression(C=-1.0).fit(X, y)
    with pytest.raises(ValueError, match="Solver lbfgs supports only"):
        LogisticRegression(l1_ratio=0.5, **({"penalty": "l1"} if OLD_SKLEARN else {})).fit(X, y)


def _cv(**parameters):
    new = {} if OLD_SKLEARN else {"use_legacy_attributes": False, "l1_ratios": (0.0,)}
    return LogisticRegressionCV(
        Cs=[0.01, 1.0], cv=3, scoring="neg_log_loss", tol=1e-7, max_iter=500, **new, **parameters
    )


@pytest.mark.parametrize(
    "parameters",
    [{}, pytest.param({"n_jobs": 2, "refit": False}, marks=pytest.mark.full)],
    ids=["refit", "processes"],
)
def test_cross_validation(parameters):
    model = _cv(**parameters).fit(X, y, sample_weight=WEIGHTS)
    own = _own(model, X, y, sample_weight=WEIGHTS)
    _assert_same(model, own, atol=1e-4)
    for name in ("C_", "Cs_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(own, name))
    ours, theirs = np.array(list(model.scores_)), np.array(list(own.scores_))
    assert ours.shape == theirs.shape


def test_other_tools_know_the_model():
    model = clone(make_pipeline(StandardScaler(), LogisticRegression(C=2.0))).fit(X, y)
    assert isinstance(model[-1], sklearn.linear_model.LogisticRegression)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, y)
    assert search.best_estimator_.fitted_by_ == "softreg_fast"
    sparse = LogisticRegression().fit(X, y).sparsify()
    np.testing.assert_array_equal(sparse.predict(X), sparse.densify().predict(X))


def test_unknown_versions_of_scikit_learn_fit_themselves(monkeypatch):
    """Where scikit-learn's functions have other names, nothing can be put in their place."""
    monkeypatch.setattr(_sklearn, "_PATH", "_path_of_another_version")
    assert _sklearn.fit_with(sklearn.linear_model.LogisticRegression.fit, path.score_fold) is None
    assert _sklearn.scoring_path_with(path.logistic_regression_path) is None
    monkeypatch.setattr(logistic, "_fit", None)
    monkeypatch.setattr(logistic, "_fit_cv", None)
    for model in (LogisticRegression(), _cv()):
        model.fit(X, y)
        assert model.fitted_by_ == "scikit-learn"
        np.testing.assert_array_equal(model.coef_, _own(model, X, y).coef_)


def test_patching_is_undone():
    own = sklearn.linear_model.LogisticRegression, sklearn.linear_model.LogisticRegressionCV
    try:
        patch_sklearn()
        patch_sklearn()
        assert sklearn.linear_model.LogisticRegression is LogisticRegression
        assert sklearn.linear_model._logistic.LogisticRegressionCV is LogisticRegressionCV
    finally:
        unpatch_sklearn()
    unpatch_sklearn()
    found = sklearn.linear_model.LogisticRegression, sklearn.linear_model.LogisticRegressionCV
    assert found == own


# Before scikit-learn 1.8, the log-loss refuses a fold that lacks a class.
@pytest.mark.full
@parametrize_with_checks(
    [LogisticRegression(), _cv().set_params(**{"scoring": "accuracy"} if OLD_SKLEARN else {})]
)
def test_rules_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        check(estimator)


@pytest.mark.full
@pytest.mark.parametrize("name", ["test_logistic", "test_sag", "test_common"])
def test_scikit_learns_own_tests(name, tmp_path):
    file = Path(sklearn.linear_model.__file__).parent / "tests" / f"{name}.py"
    report = tmp_path / "report.json"
    process = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "patched_sklearn", "-p", "no:cacheprovider",
            "-c", os.devnull, "--rootdir", str(tmp_path), str(file),
        ],
        env=os.environ | {
            "PATCHED_SKLEARN_REPORT": str(report),
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        },
        capture_output=True, text=True, check=False, timeout=HANG_GUARD,
    )  # fmt: skip
    assert report.exists(), process.stdout + process.stderr
    found = json.loads(report.read_text("utf-8"))
    outcomes = {test.partition("::")[2]: outcome for test, outcome in found["outcomes"].items()}
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    n_passed = sum(outcome == "passed" for outcome in outcomes.values())
    unknown = {
        test
        for test in failed
        if not any(test.partition("[")[0] == known["test"] for known in DIFFERENCES)
    }
    assert not unknown, process.stdout
    if name == "test_logistic":
        assert n_passed >= 0.95 * (n_passed + len(failed))
    assert found["fits"].get("own", 0) > 20
    left = {reason for reason in found["fits"] if reason.startswith("left: ")}
    known = {"left: liblinear", "left: max_iter=0", "left: array of another library"}
    if OLD_SKLEARN:
        known.add("left: two columns for two classes")
    assert left <= known
