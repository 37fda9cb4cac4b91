"""Standard errors against statsmodels and against what samples show."""

import warnings

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale
from statsmodels.discrete.discrete_model import MNLogit

from softreg_fast import SoftmaxClassifier


def _fit(X, y, sample_weight=None, **settings):
    settings = {"C": np.inf, "tol": 1e-10} | settings
    return SoftmaxClassifier(**settings).fit(X, y, sample_weight)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_equals_mnlogit(make_data, n_classes, fit_intercept):
    X, y = make_data(600, 4, n_classes)
    X = X * np.array([1e-3, 1.0, 50.0, 1.0]) + np.array([0.0, 2.0, 100.0, 0.0])
    X[:, 2] -= 0.0 if fit_intercept else 100.0
    found = _fit(X, y, fit_intercept=fit_intercept).summary(X, y, confidence=0.9)
    design = np.column_stack([np.ones(600), X]) if fit_intercept else X
    expected = MNLogit(y, design).fit(disp=0, method="newton", maxiter=100, tol=1e-13)
    np.testing.assert_allclose(found.coef, expected.params.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.std_err, expected.bse.T, rtol=1e-6)
    np.testing.assert_allclose(found.z, expected.tvalues.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.p_value, expected.pvalues.T, rtol=1e-5, atol=1e-12)
    limits = np.asarray(expected.conf_int(alpha=0.1)).reshape(n_classes - 1, -1, 2)
    np.testing.assert_allclose(found.lower, limits[:, :, 0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.upper, limits[:, :, 1], rtol=1e-6, atol=1e-8)
    assert (found.kind, found.reference) == ("information", 0)
    assert found.classes == tuple(range(1, n_classes))


def test_weights_count_as_rows(make_data):
    X, y = make_data(300, 3, 3)
    counts = np.random.default_rng(0).integers(0, 4, 300)
    weighted = _fit(X, y, counts).summary(X, y, counts)
    rows = X.repeat(counts, axis=0), y.repeat(counts)
    repeated = _fit(*rows).summary(*rows)
    np.testing.assert_allclose(weighted.std_err, repeated.std_err, rtol=1e-7)


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 3])
def test_penalised_errors_are_what_samples_show(n_classes):
    """Of 400 samples of the same model; a standard deviation of 400 is known within 4 %."""
    random = np.random.default_rng(0)
    coefficients = random.standard_normal((3, n_classes))
    estimates, errors = [], []
    for _ in range(400):
        X = random.standard_normal((200, 3))
        y = (X @ coefficients + random.gumbel(size=(200, n_classes))).argmax(axis=1)
        model = _fit(X, y, C=0.1)
        summary = model.summary(X, y)
        assert summary.kind == "sandwich"
        estimates.append(summary.coef)
        errors.append(summary.std_err)
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(estimates, axis=0), rtol=0.15)


def test_table_names_classes_and_features():
    X, y = load_wine(return_X_y=True)
    # Its rows stay rows: kernels for those are compiled for other tests.
    frame = pandas.DataFrame(scale(X[:, :2]), columns=["alcohol", "acid"], copy=False)
    labels = np.array(["a", "b", "c"])[y]
    text = str(_fit(frame, labels).summary(frame, labels))
    for part in ("class b against a", "class c against a", "alcohol", "acid", "intercept",
                 "std err", "2.5 %", "97.5 %", "information"):  # fmt: skip
        assert part in text
    binary = y > 0
    assert "class True against False" in str(_fit(frame, binary).summary(frame, binary))


def test_refuses_where_there_is_no_theory(make_data):
    X, y = make_data(300, 3, 3)
    with pytest.raises(ValueError, match="requires activation='identity', got"):
        SoftmaxClassifier(activation="sigmoid").fit(X, y).summary(X, y)
    with pytest.raises(ValueError, match=r"requires l1_ratio=0, got l1_ratio=0\.5"):
        SoftmaxClassifier(l1_ratio=0.5).fit(X, y).summary(X, y)
    with pytest.raises(ValueError, match="not at the optimum of these rows"):
        _fit(X, y).summary(X[:200], y[:200])
    with pytest.raises(ValueError, match=r"confidence=1\.5 is not allowed"):
        _fit(X, y).summary(X, y, confidence=1.5)
    twice = np.column_stack([X, X[:, 0]])
    with pytest.raises(ValueError, match="features depend on each other"):
        _fit(twice, y).summary(twice, y)
    constant = np.column_stack([X, np.ones(300)])
    with pytest.raises(ValueError, match="drop features that are constant"):
        _fit(constant, y).summary(constant, y)


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 4])
def test_matrix_without_room_is_refused_with_its_bytes(n_classes):
    X = csr_array(np.eye(40, 7_000))
    y = np.arange(40) % n_classes
    model = SoftmaxClassifier().fit(X, y)
    n_bytes = 8 * ((n_classes - 1) * 7_001) ** 2
    message = rf"would take {n_bytes:,} bytes, and may take 268,435,456"
    with pytest.raises(ValueError, match=message):
        model.summary(X, y)


def test_float32_and_sparse_features(make_data):
    X, y = make_data(500, 4, 3)
    X = np.where(expit(X) > 0.4, X, 0.0).astype(np.float32)
    dense = _fit(X, y, tol=1e-6).summary(X, y)
    matrix = csr_array(X)
    sparse = _fit(matrix, y, tol=1e-6).summary(matrix, y)
    np.testing.assert_allclose(sparse.std_err, dense.std_err, rtol=1e-4)


def _fit_quietly(X, y, sample_weight=None, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SoftmaxClassifier(**{"C": np.inf} | settings).fit(X, y, sample_weight)


@pytest.mark.parametrize(
    ("settings", "form"),
    [
        # Gradient descent in float32 has a kernel of its own.
        pytest.param(
            settings,
            form,
            id=f"{settings}-{name}",
            marks=[pytest.mark.full] * (name == "32" and settings["solver"] == "sgd"),
        )
        for settings in (
            {"solver": "newton", "tol": 1e-8},
            {"solver": "newton", "max_iter": 2},
            {"solver": "lbfgs", "tol": 1e-8},
            {"solver": "lbfgs", "max_iter": 2},
            {"solver": "sgd", "max_iter": 20},
        )
        for name, form in (("dense", np.asarray), ("sparse", csr_array), ("32", np.float32))
    ],
)
def test_refuses_a_group_that_lacks_a_class(settings, form):
    """Its standard error was 1,317."""
    b = np.r_[np.ones(20), np.zeros(40)][:, None]
    y = np.r_[np.tile([0, 1], 10), np.resize([0, 1, 2, 2], 40)]
    with pytest.raises(ValueError, match="separate some rows from other classes"):
        _fit_quietly(form(b), y, **settings).summary(form(b), y)
    y[0] = 2
    if settings["solver"] == "newton" and "tol" in settings and form is not np.float32:
        assert _fit_quietly(form(b), y, **settings).summary(form(b), y).std_err.max() < 2.0


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd"])
def test_refuses_classes_that_are_separated_completely(solver):
    X, y = np.arange(20.0)[:, None], np.arange(20) // 7
    # The solvers' own messages are others' matter: the model of other rows will do.
    model = _fit_quietly(X, np.random.default_rng(0).permutation(y), solver=solver)
    with pytest.raises(ValueError, match="separate the classes completely"):
        model.summary(X, y)


def test_refuses_coefficients_that_float32_has_rounded_off_the_optimum():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((200, 1)) + 1e6, random.integers(0, 2, 200)
    y[X[:, 0] > 1e6 + 1.0] = 1
    given = X.astype(np.float32)
    with pytest.raises(ValueError, match="coefficients of float32 features are rounded"):
        _fit_quietly(given, y, tol=1e-10).summary(given, y)
    given = given.astype(np.float64)
    assert np.isfinite(_fit_quietly(given, y, tol=1e-10).summary(given, y).std_err).all()


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_refuses_a_class_without_rows_of_weight(make_data, C):
    X, y = make_data(200, 2, 3)
    weights = (y != 1).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SoftmaxClassifier(C=C, tol=1e-8).fit(X, y, weights)
    with pytest.raises(ValueError, match="its intercept separates it"):
        model.summary(X, y, weights)


def _make_table(seed):
    """Few small whole numbers, labels that depend on them, and counts of the rows."""
    random = np.random.default_rng(seed)
    n_classes, n_features = int(random.integers(2, 5)), int(random.integers(1, 4))
    X = random.integers(-2, 3, (int(random.integers(60, 160)), n_features)).astype(np.float64)
    scores = 0.5 * X @ random.standard_normal((n_features, n_classes))
    y = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y, random.integers(1, 4, len(y))


@pytest.mark.parametrize("seed", range(24))
def test_equals_mnlogit_on_small_tables(seed):
    """Whatever features are: weighted, sparse, of few digits, far from zero, small or large."""
    X, y, counts = _make_table(seed)
    scale = [1.0, 2.0**-20, 2.0**20][seed % 3]
    offset = [0.0, 2.0**10][seed // 3 % 2]
    form = [np.asarray, csr_array, np.float32][seed // 6 % 3]
    given = form((X + offset) * scale)
    # Of some, rounding of the coefficients allows no gradient so small; `summary` judges itself.
    found = _fit_quietly(given, y, sample_weight=counts, tol=1e-9).summary(given, y, counts)
    design = np.column_stack([np.ones(len(X)), X]).repeat(counts, axis=0)
    expected = MNLogit(y.repeat(counts), design).fit(
        disp=0, method="newton", maxiter=200, tol=1e-13
    )
    digits = 1e-4 if form is np.float32 else 1e-6
    errors = found.std_err[:, 1:] * scale
    np.testing.assert_allclose(errors, expected.bse.T[:, 1:], rtol=digits)
    difference = np.abs(found.coef[:, 1:] * scale - expected.params.T[:, 1:])
    assert (difference < 10.0 * digits * expected.bse.T[:, 1:]).all()
