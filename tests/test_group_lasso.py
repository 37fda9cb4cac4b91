"""Penalties of the norms of features' coefficients: the group lasso over the classes."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV


def _data(n_classes=3, *, is_sparse=False, dtype=float, n_samples=200, n_features=40):
    random = np.random.default_rng(0)
    X = random.standard_normal((n_samples, n_features))
    X *= random.uniform(size=X.shape) < 0.4
    logits = X[:, :6] @ random.standard_normal((6, n_classes)) * 2.0
    y = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    X = X.astype(dtype)
    return (scipy.sparse.csr_array(X) if is_sparse else X), y


def _dense(X):
    return (X.toarray() if scipy.sparse.issparse(X) else X).astype(float)


def _objective(X, y, coef, intercept, C, l1_ratio, sample_weight=None):
    logits = _dense(X) @ coef.T + intercept
    largest = logits.max(axis=1)
    losses = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest
    losses -= logits[np.arange(len(y)), y]
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    penalty = 0.5 * (1.0 - l1_ratio) * np.sum(coef**2)
    penalty += l1_ratio * np.linalg.norm(coef, axis=0).sum()
    return C * np.sum(weights * losses) + penalty


def _minimise(X, y, C, l1_ratio, *, fit_intercept, sample_weight=None):
    """Accelerated proximal gradient descent in plain NumPy."""
    X = _dense(X)
    n_classes = y.max() + 1
    features = np.hstack([X, np.ones((len(X), 1))]) if fit_intercept else X
    is_penalised = np.arange(features.shape[1]) < X.shape[1]
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    curvature = 0.5 * C * np.linalg.norm(np.sqrt(weights)[:, None] * features, 2) ** 2 + 1.0
    here = ahead = np.zeros((features.shape[1], n_classes))
    momentum = 1.0
    for _ in range(5_000):
        logits = features @ ahead
        probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        residuals = weights[:, None] * (probabilities - np.eye(n_classes)[y])
        gradient = C * features.T @ residuals + (1.0 - l1_ratio) * is_penalised[:, None] * ahead
        there = ahead - gradient / curvature
        norms = np.linalg.norm(there, axis=1)
        share = 1.0 - l1_ratio / curvature / np.maximum(norms, 1e-300)
        there *= np.where(is_penalised, np.maximum(share, 0.0), 1.0)[:, None]
        if np.sum((ahead - there) * (there - here)) > 0.0:
            momentum = 1.0
        before, momentum = momentum, 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = there + (before - 1.0) / momentum * (there - here)
        here = there
    coef = here[: X.shape[1]].T
    return coef, here[-1] if fit_intercept else np.zeros(n_classes)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize(
    ("n_classes", "l1_ratio", "C", "fit_intercept"),
    [(3, 1.0, 0.1, True), (3, 0.5, 0.3, False), (4, 1.0, 0.05, True), (4, 0.9, 0.2, True)],
)
def test_is_optimal_and_certified(n_classes, l1_ratio, C, fit_intercept, is_sparse):
    X, y = _data(n_classes, is_sparse=is_sparse)
    model = SoftmaxClassifier(
        C=C, l1_ratio=l1_ratio, penalty_groups="features", tol=1e-8, fit_intercept=fit_intercept
    ).fit(X, y)
    coef, intercept = _minimise(X, y, C, l1_ratio, fit_intercept=fit_intercept)
    lowest = _objective(X, y, coef, intercept, C, l1_ratio)
    value = _objective(X, y, model.coef_, model.intercept_, C, l1_ratio)
    assert (value - lowest) / lowest < 1e-7
    assert model.converged_
    assert (value - lowest) / value <= model.gap_ + 1e-12
    assert model.gap_ < 1e-6
    np.testing.assert_allclose(model.coef_, coef, atol=2e-4)
    is_there = model.coef_ != 0.0
    assert (is_there.all(axis=0) == is_there.any(axis=0)).all()
    assert 0 < is_there.any(axis=0).sum() < X.shape[1]


# Coefficients of the first class by adelie 1.1.52, whose objective is divided by the numbers of
# samples and of classes.
BY_ADELIE = {
    (load_iris, 1.0): [0.0, 0.20092, -0.979424, -1.594778],
    (load_iris, 0.5): [-0.346788, 0.437627, -0.912313, -0.900551],
    (load_wine, 1.0): [
        0.453793, 0.005825, 0.048963, -0.017495, 0.0, 0.0, 0.558934, 0.0, 0.0, 0.06972, 0.055694,
        0.291904, 0.777536,
    ],
    (load_wine, 0.5): [
        0.459759, 0.013138, 0.159064, -0.270916, 0.0, 0.074178, 0.415785, 0.0, 0.024729, 0.082033,
        0.093706, 0.380263, 0.663888,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("load", "l1_ratio"), BY_ADELIE)
def test_equals_adelie(load, l1_ratio):
    X, y = load(return_X_y=True)
    model = SoftmaxClassifier(C=0.1, l1_ratio=l1_ratio, penalty_groups="features", tol=1e-7)
    model.fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(model.coef_[0], BY_ADELIE[load, l1_ratio], atol=2e-5)


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
def test_weights_of_rows_and_single_precision(dtype):
    X, y = _data(dtype=dtype)
    weights = np.random.default_rng(1).exponential(size=len(y))
    weights[::5] = 0.0
    model = SoftmaxClassifier(C=0.2, l1_ratio=1.0, penalty_groups="features", tol=1e-6)
    model.fit(X, y, weights)
    assert model.coef_.dtype == dtype
    expected, _ = _minimise(X, y, 0.2, 1.0, fit_intercept=True, sample_weight=weights)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-3)
    np.testing.assert_array_equal(model.coef_.any(axis=0), np.abs(expected).max(axis=0) > 0.0)


def test_single_row_of_coefficients_is_penalised_as_by_l1():
    X, y = _data(2, n_features=10)
    models = [
        SoftmaxClassifier(C=0.1, l1_ratio=0.7, penalty_groups=groups, tol=1e-8).fit(X, y)
        for groups in (None, "features")
    ]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, atol=1e-6)
    assert models[0].gap_ < 1e-6 > models[1].gap_


def test_wide_rows_have_few_features():
    X, y = _data(4, is_sparse=True, n_samples=100, n_features=4_000)
    model = SoftmaxClassifier(C=1.0, l1_ratio=1.0, penalty_groups="features").fit(X, y)
    n_there = model.coef_.any(axis=0).sum()
    assert 0 < n_there < 200
    assert model.converged_
    assert model.gap_ < 1e-3


def test_without_an_l1_penalty_groups_are_nothing():
    X, y = _data()
    plain, grouped = (
        SoftmaxClassifier(penalty_groups=groups).fit(X, y) for groups in (None, "features")
    )
    np.testing.assert_array_equal(plain.coef_, grouped.coef_)


def test_cross_validation_follows_paths_of_groups():
    X, y = _data()
    settings = {"penalty_groups": "features", "tol": 1e-7}
    search = SoftmaxClassifierCV(Cs=[0.03, 0.1, 0.3], l1_ratios=[1.0], cv=3, **settings).fit(X, y)
    is_there = search.coefs_paths_[..., :40] != 0.0
    assert (is_there.all(axis=3) == is_there.any(axis=3)).all()
    model = SoftmaxClassifier(C=search.C_, l1_ratio=1.0, **settings).fit(X, y)
    np.testing.assert_allclose(search.coef_, model.coef_, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"penalty_groups": "classes"}, ValueError, "classes' is not allowed.*None or 'features'"),
        ({"penalty_groups": 1}, ValueError, "1 is not allowed"),
        ({"solver": "sgd"}, ValueError, "solver='sgd'.*penalty_groups=None.*'newton' or 'auto'"),
        ({"early_stopping": True}, ValueError, "held-out samples.*must be None"),
        ({"activation": "sigmoid"}, ValueError, "activation='sigmoid'.*must be None"),
    ],
)
def test_what_groups_cannot_be_with_is_refused(settings, error, message):
    X, y = _data()
    model = SoftmaxClassifier(**{"l1_ratio": 1.0, "penalty_groups": "features"} | settings)
    before = vars(model).copy()
    with pytest.raises(error, match=rf"penalty_groups=.*{message}"):
        model.fit(X, y)
    assert vars(model) == before


def test_streams_are_not_grouped():
    X, y = _data()
    model = SoftmaxClassifier(l1_ratio=1.0, penalty_groups="features")
    with pytest.raises(ValueError, match="penalty_groups='features' is not allowed with partial"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(model, "coef_")
