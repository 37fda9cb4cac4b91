"""L1 penalties on features that are many beside the rows, or sparse."""

import numpy as np
import pytest
import scipy.sparse
from conftest import WITHOUT_JIT
from scipy.special import logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.solvers.proximal import solver, working_set
from softreg_fast.solvers.proximal.column_choice import choose_columns

N_SAMPLES, N_FEATURES = (40, 60) if WITHOUT_JIT else (300, 1_000)


def _data(n_classes=3, *, is_sparse=True, n_samples=N_SAMPLES, n_features=N_FEATURES, dtype=float):
    """Features as frequent as words are, counted."""
    random = np.random.default_rng(0)
    X = random.poisson(2.0 / np.arange(1, n_features + 1) ** 0.7, (n_samples, n_features))
    X = X.astype(dtype)
    coef = random.standard_normal((n_features, n_classes))
    y = (X @ coef + random.gumbel(size=(n_samples, n_classes))).argmax(axis=1)
    return (scipy.sparse.csr_array(X) if is_sparse else X), y


def _logits(model, X):
    """In plain NumPy, one for each class."""
    logits = X @ model.coef_.T + model.intercept_
    return np.hstack([np.zeros_like(logits), logits]) if len(model.coef_) == 1 else logits


def _objective(model, X, y, sample_weight=1.0):
    logits = _logits(model, X)
    loss = np.sum(sample_weight * (logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]))
    l1 = model.l1_ratio * np.abs(model.coef_).sum()
    return model.C * loss + l1 + 0.5 * (1.0 - model.l1_ratio) * np.sum(model.coef_**2)


def _assert_optimal(model, X, y, sample_weight=1.0):
    """By the subgradient, in plain NumPy."""
    probabilities = softmax(_logits(model, X), axis=1)
    residuals = (probabilities - np.eye(len(model.classes_))[y]) * np.broadcast_to(
        sample_weight, len(y)
    )[:, None]
    residuals = residuals[:, -len(model.coef_) :]
    gradient = model.C * residuals.T @ X + (1.0 - model.l1_ratio) * model.coef_
    is_zero = model.coef_ == 0.0
    scale = model.C * np.sum(sample_weight)
    assert (np.abs(gradient[is_zero]) <= model.l1_ratio + 1e-7 * scale).all()
    pulls = gradient + model.l1_ratio * np.sign(model.coef_)
    assert np.abs(pulls[~is_zero]).max(initial=0.0) <= 1e-7 * scale
    if model.fit_intercept:
        assert np.abs(model.C * residuals.sum(axis=0)).max() <= 1e-7 * scale


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize(
    ("n_classes", "is_sparse"),
    [(2, True), (2, False), (3, True), pytest.param(3, False, marks=pytest.mark.full)],
)
def test_is_optimal_and_certified(n_classes, is_sparse, l1_ratio, fit_intercept):
    X, y = _data(n_classes, is_sparse=is_sparse)
    weights = np.random.default_rng(1).exponential(size=len(y))
    weights[::5] = 0.0
    settings = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "tol": 1e-8}
    model = SoftmaxClassifier(C=0.5, **settings).fit(X, y, weights)
    assert model.converged_
    assert model.gap_ < 1e-6
    n_weights = np.count_nonzero(model.coef_)
    assert 0 < n_weights < model.coef_.size / 2
    _assert_optimal(model, X, y, weights)


@pytest.mark.parametrize("C", [0.05, 0.2])
def test_equals_liblinear(C):
    """Two classes and no intercept: the same objective."""
    X, y = _data(2)
    peer = LogisticRegression(
        C=C, l1_ratio=1.0, solver="liblinear", fit_intercept=False, tol=1e-9, max_iter=10_000
    ).fit(X, y)
    model = SoftmaxClassifier(C=C, l1_ratio=1.0, fit_intercept=False, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0.0, peer.coef_ == 0.0)


@pytest.mark.parametrize("n_classes", [2, pytest.param(3, marks=pytest.mark.full)])
def test_sparse_and_dense_features_give_the_same(n_classes):
    X, y = _data(n_classes)
    settings = {"C": 0.5, "l1_ratio": 0.9, "tol": 1e-10}
    sparse = SoftmaxClassifier(**settings).fit(X, y)
    dense = SoftmaxClassifier(**settings).fit(X.toarray(), y)
    np.testing.assert_allclose(dense.coef_, sparse.coef_, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(dense.coef_ == 0.0, sparse.coef_ == 0.0)


@pytest.fixture
def kinds_of_columns(monkeypatch):
    """Whether the columns that are worked on are rounded, as they are made."""
    found = []

    def choose(*arguments, **named):
        columns = choose_columns(*arguments, **named)
        found.append(columns.are_rounded)
        return columns

    monkeypatch.setattr(solver, "choose_columns", choose)
    return found


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_rounding_of_columns_changes_no_optimum(fit_intercept, kinds_of_columns, monkeypatch):
    """They lead to the optimum of the features as they are, or exact ones take their place."""
    X, y = _data(2, is_sparse=False)
    X = X * np.random.default_rng(1).uniform(0.5, 1.5, X.shape[1])
    settings = {"C": 0.5, "l1_ratio": 0.9, "tol": 1e-10, "fit_intercept": fit_intercept}
    exact = SoftmaxClassifier(**settings).fit(scipy.sparse.csr_array(X), y)
    kinds_of_columns.clear()
    rounded = SoftmaxClassifier(**settings).fit(X, y)
    assert kinds_of_columns == [True]
    monkeypatch.setattr(solver, "_FALL_OF_ROUNDED", 0.0)
    replaced = SoftmaxClassifier(**settings).fit(X, y)
    assert kinds_of_columns == [True, True, False]
    for model in (rounded, replaced):
        assert model.converged_
        # What gradients of 1e-10 leave open: as between sparse and dense features.
        np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(model.coef_ == 0.0, exact.coef_ == 0.0)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_columns_that_float32_has_no_room_for_are_not_rounded(scale, kinds_of_columns):
    X, y = _data(2, is_sparse=False)
    settings = {"l1_ratio": 1.0, "gap_tol": 1e-6, "solver": "newton"}
    expected = SoftmaxClassifier(C=0.5, **settings).fit(X, y)
    # So that weights times features stay as they are.
    model = SoftmaxClassifier(C=0.5 / scale, **settings).fit(X * scale, y)
    assert kinds_of_columns == [True, False]
    found, wanted = _objective(model, X * scale, y) * scale, _objective(expected, X, y)
    # Neither is further than `gap_tol` above the same optimum.
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
def test_element_beyond_float32_in_a_row_of_little_weight(kinds_of_columns):
    """The spread of its feature is small."""
    X, y = _data(2, is_sparse=False)
    weights = np.ones(len(y))
    X[7, 3], weights[7] = 1e40, 1e-85
    SoftmaxClassifier(l1_ratio=1.0, solver="newton").fit(X, y, weights)
    assert kinds_of_columns == [False]


@pytest.mark.full
@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_single_precision_gives_the_same_but_for_rounding(n_classes, is_sparse):
    X, y = _data(n_classes, is_sparse=is_sparse)
    settings = {"C": 0.5, "l1_ratio": 0.9, "tol": 1e-10}
    double = SoftmaxClassifier(**settings).fit(X, y)
    single = SoftmaxClassifier(**settings).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("n_classes", "is_sparse"),
    [(3, True), (2, False), pytest.param(3, False, marks=pytest.mark.full)],
)
def test_any_number_of_threads_gives_the_same_bits(n_classes, is_sparse, eager_threads):
    X, y = _data(n_classes, is_sparse=is_sparse)
    one, three = (
        SoftmaxClassifier(C=0.5, l1_ratio=1.0, n_threads=n_threads).fit(X, y)
        for n_threads in (1, 3)
    )
    np.testing.assert_array_equal(three.coef_, one.coef_)
    np.testing.assert_array_equal(three.intercept_, one.intercept_)


def test_wide_problems_are_solved_exactly_whoever_chooses():
    """Not by gradient descent, which ended some thousandths above the optimum without a word."""
    n_features = 5_000  # whose second derivatives take more than there is room for
    X, y = _data(3, n_features=n_features)
    automatic = SoftmaxClassifier(l1_ratio=1.0).fit(X, y)
    named = SoftmaxClassifier(l1_ratio=1.0, solver="newton", gap_tol=1e-7).fit(X, y)
    assert automatic.converged_
    assert automatic.gap_ < 1e-3
    assert named.gap_ <= 1e-7
    assert _objective(automatic, X, y) <= _objective(named, X, y) * (1 + 1e-3)


def test_ending_before_the_optimum_is_told():
    X, y = _data(3)
    with pytest.warns(ConvergenceWarning):
        model = SoftmaxClassifier(C=10.0, l1_ratio=1.0, tol=1e-10, max_iter=2).fit(X, y)
    assert not model.converged_
    assert model.n_iter_ == 2
    assert model.gap_ > 1e-6


def test_starts_where_another_fit_has_ended():
    X, y = _data(3)
    model = SoftmaxClassifier(C=0.5, l1_ratio=1.0, tol=1e-9, warm_start=True).fit(X, y)
    n_steps, coef = model.n_iter_, model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ < n_steps
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=1e-7)


def test_classes_that_can_be_told_apart():
    """Weights grow far, and rows are predicted so surely that the loss isn't curved any more."""
    X, y = _data(2, is_sparse=True)
    model = SoftmaxClassifier(C=1e5, l1_ratio=1.0, tol=1e-9).fit(X, y)
    assert model.converged_
    assert model.score(X, y) == 1.0
    assert model.gap_ < 1e-2


def test_penalty_that_leaves_no_feature():
    X, y = _data(3)
    for fit_intercept in (True, False):
        settings = {"fit_intercept": fit_intercept, "tol": 1e-9}
        model = SoftmaxClassifier(C=1e-5, l1_ratio=1.0, **settings).fit(X, y)
        assert not model.coef_.any()
        shares = np.bincount(y) / len(y) if fit_intercept else np.full(3, 1 / 3)
        np.testing.assert_allclose(model.predict_proba(X[:1])[0], shares, rtol=1e-7)


def test_working_sets_grow_to_what_is_needed(monkeypatch):
    X, y = _data(3)
    settings = {"C": 1.0, "l1_ratio": 1.0, "tol": 1e-9}
    at_once = SoftmaxClassifier(**settings).fit(X, y)
    for name in ("_FEWEST_FEATURES", "_FEWEST_WEIGHTS"):
        monkeypatch.setattr(working_set, name, 1)
    monkeypatch.setattr(working_set, "_GROWTH_OF_SPARSE", 2)
    slowly = SoftmaxClassifier(**settings).fit(X, y)
    assert (slowly.coef_ != at_once.coef_).any(), "they are the same steps"
    np.testing.assert_allclose(slowly.coef_, at_once.coef_, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(slowly.coef_ == 0.0, at_once.coef_ == 0.0)


def test_cross_validation_finds_what_single_fits_find():
    X, y = _data(3)
    folds = list(StratifiedKFold(2).split(X.toarray(), y))
    search = SoftmaxClassifierCV(Cs=[0.1, 0.5], l1_ratios=[0.0, 1.0], cv=folds, tol=1e-8).fit(X, y)
    for fold, (training, _) in enumerate(folds):
        for number, C in enumerate([0.1, 0.5]):
            single = SoftmaxClassifier(C=C, l1_ratio=1.0, tol=1e-8).fit(X[training], y[training])
            found = search.coefs_paths_[fold, 1, number, :, :-1]
            np.testing.assert_allclose(found, single.coef_, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(found == 0.0, single.coef_ == 0.0)
