"""Which penalty cross-validation chooses, and coefficients that are made sparse."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.datasets import load_iris

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.blocks import open_blocks


def _expected(model):
    """By the rule's own words: the l1_ratio of the best mean, then the strongest penalty."""
    means = model.scores_.mean(axis=0)
    ratio = int(means.max(axis=1).argmax())
    of_ratio = model.scores_[:, ratio]
    best = int(of_ratio.mean(axis=0).argmax())
    error = np.std(of_ratio[:, best], ddof=1) / np.sqrt(len(of_ratio))
    allowed = of_ratio.mean(axis=0) >= of_ratio[:, best].mean() - error
    return model.l1_ratios_[ratio], model.Cs_[allowed].min()


@pytest.mark.parametrize(
    ("Cs", "l1_ratios"),
    [
        (8, (0.0,)),
        ([1.0, 1e3, 0.3, 0.1, 0.1, 0.5, 3.0], (0.0, 0.5, 1.0)),
        pytest.param(8, (0.0, 0.5, 1.0), marks=pytest.mark.full),
    ],
)
def test_one_standard_error_takes_the_strongest_penalty_near_the_best(make_data, Cs, l1_ratios):
    X, y = make_data(80, 5, 3)
    settings = {"Cs": Cs, "l1_ratios": l1_ratios, "cv": 4}
    best = SoftmaxClassifierCV(**settings).fit(X, y)
    model = SoftmaxClassifierCV(selection="one_standard_error", **settings).fit(X, y)
    np.testing.assert_array_equal(model.scores_, best.scores_)
    assert (model.l1_ratio_, model.C_) == _expected(model)
    assert model.C_ < best.C_
    assert model.l1_ratio_ == best.l1_ratio_
    single = SoftmaxClassifier(C=model.C_, l1_ratio=model.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(model.coef_, single.coef_, atol=1e-2)


def test_scores_without_a_spread_choose_the_best():
    """Of a scorer that gives the same to all folds, only equals are near."""

    def score(model, X, y):
        return -abs(np.log10(model.C))

    X, y = load_iris(return_X_y=True)
    for selection in ("best", "one_standard_error"):
        model = SoftmaxClassifierCV(
            Cs=[0.1, 1.0, 10.0], cv=3, scoring=score, selection=selection
        ).fit(X, y)
        assert model.C_ == 1.0


def test_scores_that_are_not_finite_are_not_near():
    def score(model, X, y):
        return np.nan if model.C < 1.0 else -model.C

    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=3, scoring=score, selection="one_standard_error")
    with pytest.warns(UserWarning, match="are non-finite"):
        assert model.fit(X, y).C_ == 1.0


def test_blocks_choose_by_the_same_rule(make_data):
    X, y = make_data(60, 8, 3, seed=1)
    rows = open_blocks([(X[:30], y[:30]), (X[30:], y[30:])])
    model = SoftmaxClassifierCV(Cs=20, cv=5, selection="one_standard_error").fit(rows)
    assert (model.l1_ratio_, model.C_) == _expected(model)
    best = SoftmaxClassifierCV(Cs=20, cv=5).fit(rows)
    np.testing.assert_array_equal(model.scores_, best.scores_)
    assert model.C_ < best.C_


def test_what_has_no_standard_error_is_refused(make_data):
    X, y = make_data(60, 2, 2)
    model = SoftmaxClassifierCV(Cs=2, cv=2, selection="smallest")
    with pytest.raises(ValueError, match="selection='smallest' is not allowed: it must be 'best'"):
        model.fit(X, y)
    model.set_params(selection="one_standard_error", refit=False)
    with pytest.raises(ValueError, match="'one_standard_error' is not allowed with refit=False"):
        model.fit(X, y)
    model.set_params(refit=True, cv=[(np.arange(40), np.arange(40, 60))])
    with pytest.raises(ValueError, match="requires at least 2 folds of cv, got 1"):
        model.fit(X, y)
    assert not hasattr(model, "C_")


def test_random_states_change_nothing(make_data):
    X, y = make_data(60, 2, 3)
    expected = SoftmaxClassifierCV(Cs=3, cv=2).fit(X, y)
    for random_state in (0, np.random.RandomState(1)):
        model = SoftmaxClassifierCV(Cs=3, cv=2, random_state=random_state).fit(X, y)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.scores_, expected.scores_)
    assert clone(model).get_params()["random_state"] is not None
    with pytest.raises(ValueError, match="random_state=-1 is not allowed"):
        SoftmaxClassifierCV(random_state=-1).fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("of_cv", [False, True])
def test_predictions_of_sparse_coefficients_are_the_same(make_data, of_cv, n_classes):
    X, y = make_data(80, 5, n_classes)
    model = SoftmaxClassifier(l1_ratio=1.0, C=0.2)
    if of_cv:
        model = SoftmaxClassifierCV(Cs=[0.2], l1_ratios=[1.0], cv=2)
    dense = model.fit(X, y)
    expected = {
        name: getattr(dense, name)(X)
        for name in ("predict", "predict_proba", "predict_log_proba", "decision_function")
    }
    coef, score = dense.coef_.copy(), dense.score(X, y)
    assert model.sparsify() is model
    assert issparse(model.coef_)
    assert isinstance(model.coef_, csr_array)
    assert model.coef_.nnz == np.count_nonzero(coef) < coef.size
    again = pickle.loads(pickle.dumps(model))
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(model, name)(X), values)
        np.testing.assert_array_equal(getattr(again, name)(X), values)
    np.testing.assert_array_equal(
        model.predict_proba(csr_array(X)), again.densify().predict_proba(csr_array(X))
    )
    assert model.score(X, y) == score
    np.testing.assert_array_equal(model.to_sklearn().coef_, coef)
    of_blocks = np.vstack(list(model.iter_predict_proba(open_blocks([(X, y)]))))
    np.testing.assert_array_equal(of_blocks, expected["predict_proba"])
    model.sparsify()
    assert model.densify() is model
    np.testing.assert_array_equal(model.coef_, coef)
    np.testing.assert_array_equal(model.densify().coef_, coef)
    model.sparsify().fit(X, y)
    assert not issparse(model.coef_)


def test_learning_goes_on_from_sparse_coefficients(make_data):
    X, y = make_data(80, 3, 3)
    model = SoftmaxClassifier(solver="sgd", random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    other = pickle.loads(pickle.dumps(model)).sparsify()
    np.testing.assert_array_equal(model.partial_fit(X, y).coef_, other.partial_fit(X, y).coef_)
    model = SoftmaxClassifier(warm_start=True, tol=1e-8).fit(X, y).sparsify()
    assert model.fit(X, y).n_iter_ <= 1
    model = SoftmaxClassifier(C=np.inf, tol=1e-8).fit(X, y)
    expected = model.summary(X, y).std_err
    np.testing.assert_array_equal(model.sparsify().summary(X, y).std_err, expected)


def test_sparse_coefficients_are_checked_as_others_are(make_data):
    X, y = make_data(80, 3, 3)
    with pytest.raises(ValueError, match="not fitted"):
        SoftmaxClassifier().sparsify()
    with pytest.raises(ValueError, match="not fitted"):
        SoftmaxClassifierCV().densify()
    model = SoftmaxClassifier().fit(X, y).sparsify()
    model.coef_ = model.coef_[:, :2]
    with pytest.raises(ValueError, match=r"coef_ has shape \(3, 2\)"):
        model.predict(X)
    model.fit(X, y).sparsify()
    model.coef_.data[4] = np.nan
    with pytest.raises(ValueError, match=r"coef_\[1, 1\] is NaN"):
        model.predict_proba(X)
