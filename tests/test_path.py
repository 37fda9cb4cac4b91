"""Regularization paths: single fits, degrees of freedom, and what is refused."""

import doctest
from importlib import import_module

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, softmax_path
from softreg_fast.blocks import open_blocks

CS = [0.01, 10.0, 0.3]


@pytest.mark.parametrize("name", ["path", "likelihood_ratio"])
def test_examples(name):
    found = doctest.testmod(import_module(f"softreg_fast.estimators.{name}"))
    assert found.failed == 0
    assert found.attempted > 4


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 3])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"l1_ratio": 1.0},
        pytest.param({"l1_ratio": 0.5, "fit_intercept": False}, marks=pytest.mark.full),
        {"l1_ratio": 1.0, "penalty_groups": "features"},
    ],
    ids=str,
)
def test_models_are_those_of_single_fits(make_data, settings, n_classes):
    X, y = make_data(150, 4, n_classes)
    weights = np.random.default_rng(0).integers(0, 3, 150)
    labels = np.array(["a", "b", "c"])[y]
    gap_tol = 1e-6 if "penalty_groups" in settings else 1e-8
    settings = {"gap_tol": gap_tol, "class_weight": "balanced"} | settings
    path = softmax_path(X, labels, Cs=CS, sample_weight=weights, **settings)
    assert path.Cs.tolist() == CS
    n_columns = 1 if n_classes == 2 else n_classes
    assert path.coefs.shape == (3, n_columns, 4)
    assert path.classes.tolist() == ["a", "b", "c"][:n_classes]
    assert path.feature_names.tolist() == ["x0", "x1", "x2", "x3"]
    assert path.converged.all()
    assert (path.gaps <= gap_tol).all()
    assert path.n_iter.dtype == np.int32
    for C, coef, intercept in zip(CS, path.coefs, path.intercepts, strict=True):
        single = SoftmaxClassifier(C=C, **settings).fit(X, labels, weights)
        np.testing.assert_allclose(coef, single.coef_, atol=1e-3)
        np.testing.assert_allclose(intercept, single.intercept_, atol=1e-3)
        np.testing.assert_array_equal(coef == 0.0, single.coef_ == 0.0)


def test_a_number_of_strengths_is_that_of_cross_validation(make_data):
    X, y = make_data(60, 2, 2)
    path = softmax_path(X, y, Cs=3, return_degrees_of_freedom=False)
    np.testing.assert_allclose(path.Cs, [1e-4, 1.0, 1e4])
    assert path.degrees_of_freedom is None
    again = softmax_path(X, y, Cs=[1.0, 1e4, 1.0, 1e-4])
    np.testing.assert_array_equal(again.coefs, path.coefs[[1, 2, 1, 0]])


_PENALTIES = [
    {},
    {"l1_ratio": 1.0},
    {"l1_ratio": 0.5},
    {"l1_ratio": 1.0, "penalty_groups": "features"},
    {"l1_ratio": 0.3, "penalty_groups": "features"},
    {"fit_intercept": False},
]


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("settings", _PENALTIES, ids=str)
@pytest.mark.full
def test_degrees_of_freedom_say_how_much_predictions_follow_labels(make_data, settings, n_classes):
    """The sum of the derivatives of a row's probabilities by the weight of each label."""
    X, _ = make_data(15, 3, n_classes)
    random = np.random.default_rng(1)
    rows, labels = X.repeat(n_classes, axis=0), np.tile(np.arange(n_classes), 15)
    weights = random.dirichlet(np.ones(n_classes), 15).ravel() + 0.1
    settings = {"tol": 1e-8} | settings
    Cs = [1.0, 20.0]
    path = softmax_path(rows, labels, Cs=Cs, sample_weight=weights, **settings)
    assert len(set(path.degrees_of_freedom)) == 2
    for C, found in zip(Cs, path.degrees_of_freedom, strict=True):
        expected = 0.0
        for row in range(15 * n_classes):
            sides = []
            for step in (3e-4, -3e-4):
                moved = weights.copy()
                moved[row] += step
                model = SoftmaxClassifier(C=C, **settings).fit(rows, labels, moved)
                sides.append(model.predict_proba(rows[[row]])[0, labels[row]])
            # Rows weigh other than 1.
            total = weights[row - row % n_classes :][:n_classes].sum()
            expected += total * (sides[0] - sides[1]) / 6e-4
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_degrees_of_freedom_of_an_l2_penalty_are_a_trace(make_data, n_classes):
    X, y = make_data(100, 3, n_classes)
    path = softmax_path(X, y, Cs=[0.05, 1.0, np.inf], tol=1e-9)
    design = np.column_stack([X, np.ones(100)])
    for place, C in enumerate(path.Cs):
        model = SoftmaxClassifier(C=C, tol=1e-9).fit(X, y)
        probabilities = model.predict_proba(X)
        if n_classes == 2:
            probabilities = probabilities[:, 1:]
        n_columns = probabilities.shape[1]
        information = np.zeros((4 * n_columns, 4 * n_columns))
        for row, p in zip(design, probabilities, strict=True):
            information += np.kron(np.diag(p) - np.outer(p, p), np.outer(row, row))
        penalty = np.diag(np.tile([1.0 / C] * 3 + [0.0], n_columns))
        expected = np.trace(np.linalg.pinv(information + penalty, rcond=1e-10) @ information)
        assert path.degrees_of_freedom[place] == pytest.approx(expected, rel=1e-7)
    assert path.degrees_of_freedom[-1] == pytest.approx(4 * (n_classes - 1))


def test_degrees_of_freedom_of_an_l1_penalty_are_numbers_of_coefficients(make_data):
    X, y = make_data(100, 6, 3)
    path = softmax_path(X, y, Cs=[1e-4, 0.1, 1.0], l1_ratio=1.0)
    counts = np.minimum((path.coefs != 0.0).sum(axis=1), 2).sum(axis=1)
    np.testing.assert_array_equal(path.degrees_of_freedom, counts + 2)
    assert path.degrees_of_freedom[0] == 2.0
    without = softmax_path(X, y, Cs=[1e-4], l1_ratio=1.0, fit_intercept=False)
    assert without.degrees_of_freedom[0] == 0.0


def test_degrees_of_freedom_of_too_many_coefficients_are_nan(make_data, monkeypatch):
    """Of an elastic net, coefficients that are zero need none."""
    X, y = make_data(100, 6, 2)
    monkeypatch.setattr("softreg_fast.inference.degrees_of_freedom._MOST_UNKNOWNS", 6)
    path = softmax_path(X, y, Cs=[1.0])
    assert np.isnan(path.degrees_of_freedom).all()
    path = softmax_path(X, y, Cs=[0.1], l1_ratio=0.9)
    n_nonzero = np.count_nonzero(path.coefs)
    assert 0 < n_nonzero < 6
    assert 1.0 < path.degrees_of_freedom[0] < 1.0 + n_nonzero


def test_blocks_sparse_and_categorical_features_find_the_same(make_data):
    X, y = make_data(150, 3, 3)
    expected = softmax_path(X, y, Cs=CS, gap_tol=1e-9)
    rows = open_blocks([(X[:70], y[:70]), (X[70:], y[70:])])
    for given in [(rows,), (csr_array(X), y)]:
        found = softmax_path(*given, Cs=CS, gap_tol=1e-9)
        np.testing.assert_allclose(found.coefs, expected.coefs, atol=1e-3)
        np.testing.assert_allclose(found.degrees_of_freedom, expected.degrees_of_freedom, rtol=1e-4)
    frame = pandas.DataFrame({"a": pandas.Categorical(np.where(X[:, 0] > 0.0, "u", "v"))})
    found = softmax_path(frame, y, Cs=CS, categorical_features="from_dtype")
    assert found.feature_names.tolist() == ["a_u", "a_v"]
    assert found.coefs.shape == (3, 3, 2)


def test_float32(make_data):
    X, y = make_data(150, 3, 3)
    found = softmax_path(X.astype(np.float32), y, Cs=CS)
    assert found.coefs.dtype == found.intercepts.dtype == np.float32
    assert found.converged.all()
    expected = softmax_path(X, y, Cs=CS)
    np.testing.assert_allclose(found.coefs, expected.coefs, atol=1e-2)


def test_the_same_bits_for_any_number_of_threads(make_data):
    X, y = make_data(150, 3, 3)
    one, two = (softmax_path(X, y, n_threads=n_threads) for n_threads in (1, 2))
    for name in ("coefs", "intercepts", "gaps", "degrees_of_freedom"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_warnings(make_data):
    X, y = make_data(150, 3, 3)
    with pytest.warns(ConvergenceWarning, match="softmax_path: 2 of 2 fits have not converged"):
        path = softmax_path(X, y, Cs=[1.0, 1e4], solver="lbfgs", max_iter=1, tol=1e-12)
    assert not path.converged.any()
    labels = (X[:, 0] > 0.0).astype(int)
    with pytest.warns(ConvergenceWarning) as caught:
        softmax_path(X, labels, Cs=[1.0, np.inf], max_iter=20)
    assert any("so no finite optimum exists" in str(each.message) for each in caught)
    assert all(each.filename == __file__ for each in caught)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Cs": 0}, "Cs=0 is not allowed: it must be at least 1, or a list"),
        ({"Cs": []}, "it must hold at least one number"),
        ({"Cs": [1.0, -1.0]}, r"Cs\[1\]=-1\.0 is not allowed"),
        ({"l1_ratio": 2.0}, r"l1_ratio=2\.0 is not allowed"),
        ({"solver": "sgd"}, "solver='sgd' is not allowed"),
        ({"solver": "lbfgs", "l1_ratio": 1.0}, "is not allowed with solver='lbfgs'"),
        ({"penalty_groups": "rows"}, "penalty_groups='rows' is not allowed"),
        ({"Cs": [np.inf], "gap_tol": 1e-6}, "gap_tol=1e-06 is not allowed with C=inf"),
        ({"sample_weight": np.zeros(60)}, "must be above zero"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(make_data, settings, message):
    X, y = make_data(60, 2, 3)
    with pytest.raises(ValueError, match=message):
        softmax_path(X, y, **settings)


def test_bad_rows_are_refused(make_data):
    X, y = make_data(60, 2, 3)
    with pytest.raises(TypeError, match="return_degrees_of_freedom='no' is not allowed"):
        softmax_path(X, y, return_degrees_of_freedom="no")
    with pytest.raises(ValueError, match="requires y to be passed"):
        softmax_path(X)
    with pytest.raises(ValueError, match="y has 1 class"):
        softmax_path(X, np.zeros(60, int))
    with pytest.raises(ValueError, match="NaN"):
        softmax_path(np.where(X > 1.0, np.nan, X), y)
    rows = open_blocks([(X, y)])
    with pytest.raises(ValueError, match="y is not allowed beside rows in blocks"):
        softmax_path(rows, y)
    with pytest.raises(ValueError, match="penalty_groups='features' is not allowed with rows in"):
        softmax_path(rows, l1_ratio=1.0, penalty_groups="features")
    with pytest.raises(ValueError, match=r"categorical_features=.* is not allowed with rows in"):
        softmax_path(rows, categorical_features=[0])
