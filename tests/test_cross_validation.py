"""SoftmaxClassifierCV: what it finds, and that it is what single fits find."""

import pickle
import warnings

import numpy as np
import pytest
from conftest import LOGISTIC_REGRESSION_CV_IS_A_PEER
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, LeaveOneOut, ShuffleSplit, StratifiedKFold
from sklearn.preprocessing import scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, reference

CS = [1e-3, 1e-2, 0.1, 1.0, 10.0]


@parametrize_with_checks([SoftmaxClassifierCV(Cs=3, cv=3)])
def test_scikit_learn_checks(estimator, check):
    _check_silently(estimator, check)


@pytest.mark.full
@parametrize_with_checks(
    [SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=2, activation="sigmoid", tol=1e-10)]
)
def test_scikit_learn_checks_with_sigmoid_link(estimator, check):
    _check_silently(estimator, check)


def _check_silently(estimator, check):
    with warnings.catch_warnings():
        # Its tolerance is more than rounding allows for some of the checks' rows.
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


def _largest_slope(coefficients, X, y, weights, C, *, fit_intercept):
    """The largest component of the gradient for a unit of weight, with an L2 penalty."""
    weights = np.ones(len(X)) if weights is None else weights
    coef, intercept = coefficients, np.zeros(len(coefficients))
    if fit_intercept:
        coef, intercept = coefficients[:, :-1], coefficients[:, -1]
    targets = np.searchsorted(np.unique(y), y)
    _, _, slopes, intercept_slopes = reference.accumulate(
        X, targets, weights, coef.T, intercept, "identity", "exact"
    )
    slopes = slopes + coef.T / C
    largest = np.abs(slopes).max()
    if fit_intercept:
        largest = max(largest, np.abs(intercept_slopes).max())
    return largest / weights.sum()


def _assert_paths_are_those_of_single_fits(model, X, y, folds, sample_weight=None, **settings):
    for fold, (rows, _) in enumerate(folds):
        for number, C in enumerate(model.Cs_):
            single = SoftmaxClassifier(C=C, tol=min(model.tol, 1e-9), **settings)
            weights = None if sample_weight is None else sample_weight[rows]
            single.fit(X[rows], y[rows], weights)
            found = model.coefs_paths_[fold, 0, number]
            if not settings.get("l1_ratio"):
                slope = _largest_slope(
                    found, X[rows], y[rows], weights, C, fit_intercept=single.fit_intercept
                )
                assert slope <= 1.001 * model.tol
            expected = single.coef_
            if single.fit_intercept:
                expected = np.hstack([expected, single.intercept_[:, None]])
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_paths_are_those_of_single_fits(load, fit_intercept):
    X, y = load(return_X_y=True)
    X = scale(X)
    model = SoftmaxClassifierCV(Cs=CS, cv=3, tol=1e-8, fit_intercept=fit_intercept).fit(X, y)
    assert model.converged_
    folds = StratifiedKFold(3).split(X, y)
    _assert_paths_are_those_of_single_fits(model, X, y, folds, fit_intercept=fit_intercept)


def test_blocks_of_derivatives_find_the_same():
    X, y = load_digits(return_X_y=True)
    X = X[:600] / 16.0
    model = SoftmaxClassifierCV(Cs=[0.1, 1.0, 3.0], cv=3, tol=1e-8).fit(X, y[:600])
    folds = StratifiedKFold(3).split(X, y[:600])
    _assert_paths_are_those_of_single_fits(model, X, y[:600], folds)


def test_rows_held_out_do_not_count_in_second_derivatives():
    # Models that separate the others are uncertain of them alone: they would be all there is.
    X, y = load_digits(return_X_y=True)
    model = SoftmaxClassifierCV(Cs=[10.0, 100.0, 1000.0], cv=3, tol=1e-9)
    model.fit(X[:600] / 16.0, y[:600])
    assert model.converged_
    assert model.n_iter_.max() < 40


def test_samples_of_rows_find_the_same(make_data, monkeypatch):
    monkeypatch.setattr("softreg_fast.solvers.newton.subsample._FEWEST_ROWS", 100)
    X, y = make_data(1_500, 6, 3)
    weights = np.random.default_rng(0).exponential(size=len(X))
    # Where C is 10, the penalty bends by 1e-4 for a unit of weight, and the loss not at all along
    # what all classes share: a gradient of 1e-8 leaves 1e-4 of the coefficients open.
    model = SoftmaxClassifierCV(Cs=CS, cv=3, tol=1e-10).fit(X, y, weights)
    folds = StratifiedKFold(3).split(X, y)
    _assert_paths_are_those_of_single_fits(model, X, y, folds, weights)


@pytest.mark.runs_if(LOGISTIC_REGRESSION_CV_IS_A_PEER)
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_agrees_with_logistic_regression_cv(load):
    X, y = load(return_X_y=True)
    X = scale(X)
    expected = LogisticRegressionCV(
        Cs=CS,
        cv=4,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
        scoring="neg_log_loss",
        tol=1e-8,
        max_iter=10_000,
    ).fit(X, y)
    found = SoftmaxClassifierCV(Cs=CS, cv=4, scoring="neg_log_loss", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(found.scores_, expected.scores_, rtol=1e-5)
    np.testing.assert_allclose(found.Cs_, expected.Cs_)
    assert found.C_ == expected.C_
    assert found.l1_ratio_ == expected.l1_ratio_ == 0.0
    assert found.n_iter_.shape == expected.n_iter_.shape
    assert found.coefs_paths_.shape == expected.coefs_paths_.shape
    coefs, expected_coefs = found.coefs_paths_[..., :-1], expected.coefs_paths_[..., :-1]
    np.testing.assert_allclose(coefs, expected_coefs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(found.score(X, y), expected.score(X, y), rtol=1e-6)


def _peer_takes_means():
    settings = {"Cs": [1.0], "cv": 2, "l1_ratios": (0.0,), "use_legacy_attributes": False}
    X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
    try:
        LogisticRegressionCV(refit=False, scoring="accuracy", **settings).fit(X, y)
    except TypeError:  # in 1.8
        return False
    return True


@pytest.mark.runs_if(LOGISTIC_REGRESSION_CV_IS_A_PEER and _peer_takes_means())
def test_without_a_refit_means_are_taken():
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    settings = {"Cs": CS, "cv": 4, "refit": False, "scoring": "neg_log_loss", "tol": 1e-8}
    expected = LogisticRegressionCV(
        l1_ratios=(0.0,), use_legacy_attributes=False, max_iter=10_000, **settings
    ).fit(X, y)
    found = SoftmaxClassifierCV(**settings).fit(X, y)
    np.testing.assert_allclose(found.C_, expected.C_)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-4, atol=1e-5)
    assert np.isnan(found.gap_)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "balanced_accuracy", None])
def test_scores_are_those_of_scorers(make_data, scoring, n_classes, activation, monkeypatch):
    monkeypatch.setattr("softreg_fast.inference.scoring._NUMBERS_PER_BLOCK", 100)
    X, y = make_data(150, 4, n_classes)
    labels = np.array(list("cab"))[y]
    weights = np.random.default_rng(0).exponential(size=150)
    model = SoftmaxClassifierCV(Cs=[0.01, 1.0], cv=3, scoring=scoring, activation=activation)
    model.fit(X, labels, weights)
    scorer = get_scorer(scoring or "accuracy")
    for fold, (_, rows) in enumerate(StratifiedKFold(3).split(X, labels)):
        for number in range(2):
            path = model.coefs_paths_[fold, 0, number]
            single = SoftmaxClassifier(activation=activation).fit(X, labels)
            single.coef_, single.intercept_ = path[:, :-1], path[:, -1]
            expected = scorer(single, X[rows], labels[rows], sample_weight=weights[rows])
            np.testing.assert_allclose(model.scores_[fold, 0, number], expected, rtol=1e-10)
    expected = scorer(model, X, labels, sample_weight=weights)
    assert model.score(X, labels, weights) == expected


def test_the_best_penalty_is_fitted_to_all_rows(make_data):
    X, y = make_data(300, 5, 3)
    settings = {"scoring": "neg_log_loss", "tol": 1e-9}
    model = SoftmaxClassifierCV(Cs=CS, l1_ratios=[0.0, 0.5], cv=4, **settings).fit(X, y)
    means = model.scores_.mean(axis=0)
    ratio, place = np.unravel_index(means.argmax(), means.shape)
    assert (model.C_, model.l1_ratio_) == (CS[place], [0.0, 0.5][ratio])
    single = SoftmaxClassifier(C=model.C_, l1_ratio=model.l1_ratio_, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_, single.coef_, rtol=1e-5, atol=1e-7)
    assert model.gap_ < 1e-6
    sklearn_model = model.to_sklearn()
    assert sklearn_model.C == model.C_
    np.testing.assert_allclose(sklearn_model.predict_proba(X), model.predict_proba(X), atol=1e-12)


def test_of_equal_scores_the_first_wins(make_data):
    X, y = make_data(100, 3, 2)
    found = SoftmaxClassifierCV(Cs=[3.0, 1.0], cv=2, scoring=lambda *_: 1.0).fit(X, y)
    assert found.C_ == 3.0


def test_l1_penalties_leave_exact_zeros():
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    model = SoftmaxClassifierCV(Cs=[0.05, 0.2], l1_ratios=[1.0], cv=3, tol=1e-8).fit(X, y)
    folds = list(StratifiedKFold(3).split(X, y))
    _assert_paths_are_those_of_single_fits(model, X, y, folds, l1_ratio=1.0)
    for fold, (rows, _) in enumerate(folds):
        for number, C in enumerate(model.Cs_):
            single = SoftmaxClassifier(C=C, l1_ratio=1.0, tol=1e-9).fit(X[rows], y[rows])
            found = model.coefs_paths_[fold, 0, number, :, :-1]
            np.testing.assert_array_equal(found == 0.0, single.coef_ == 0.0)
    assert (model.coef_ == 0.0).any()


def test_order_and_repetitions_of_penalties_do_not_matter(make_data):
    X, y = make_data(200, 4, 3)
    Cs = [10.0, 0.1, np.inf, 0.1, 1.0]
    mixed = SoftmaxClassifierCV(Cs=Cs, cv=3, scoring="neg_log_loss").fit(X, y)
    ordered = SoftmaxClassifierCV(Cs=sorted(set(Cs)), cv=3, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_array_equal(mixed.Cs_, Cs)
    places = np.searchsorted(ordered.Cs_, Cs)
    np.testing.assert_array_equal(mixed.scores_, ordered.scores_[:, :, places])
    np.testing.assert_array_equal(mixed.coefs_paths_, ordered.coefs_paths_[:, :, places])
    assert mixed.C_ == ordered.C_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_rows_find_the_same(make_data, n_classes):
    X, y = make_data(300, 6, n_classes)
    X[np.abs(X) < 0.7] = 0.0
    dense = SoftmaxClassifierCV(Cs=CS, cv=3, tol=1e-8).fit(X, y)
    sparse = SoftmaxClassifierCV(Cs=CS, cv=3, tol=1e-8).fit(csr_array(X), y)
    np.testing.assert_allclose(sparse.coefs_paths_, dense.coefs_paths_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sparse.scores_, dense.scores_)
    np.testing.assert_array_equal(sparse.predict(csr_array(X)), dense.predict(X))


def test_float32_stays_float32(make_data):
    X, y = make_data(200, 4, 3)
    model = SoftmaxClassifierCV(Cs=3, cv=3).fit(X.astype(np.float32), y)
    for name in ("coef_", "intercept_", "coefs_paths_"):
        assert getattr(model, name).dtype == np.float32
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32


def test_many_folds_and_rows_that_are_there_twice(make_data):
    X, y = make_data(60, 3, 2)
    random = np.random.default_rng(0)
    folds = [(random.integers(0, 50, 60), np.arange(50, 60)) for _ in range(11)]
    model = SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=folds, tol=1e-8).fit(X, y)
    _assert_paths_are_those_of_single_fits(model, X, y, folds)
    assert SoftmaxClassifierCV(Cs=2, cv=LeaveOneOut()).fit(X, y).scores_.shape == (60, 1, 2)


def test_folds_may_be_masks(make_data):
    X, y = make_data(90, 3, 3)
    folds = list(StratifiedKFold(3).split(X, y))
    masks = [tuple(np.isin(np.arange(90), rows) for rows in fold) for fold in folds]
    numbers = SoftmaxClassifierCV(Cs=3, cv=folds).fit(X, y)
    np.testing.assert_array_equal(
        SoftmaxClassifierCV(Cs=3, cv=masks).fit(X, y).scores_, numbers.scores_
    )


def test_groups_stay_together(make_data):
    X, y = make_data(120, 3, 2)
    groups = np.arange(120) % 7
    model = SoftmaxClassifierCV(Cs=3, cv=GroupKFold(3)).fit(X, y, groups=groups)
    folds = list(GroupKFold(3).split(X, y, groups))
    np.testing.assert_array_equal(
        model.scores_, SoftmaxClassifierCV(Cs=3, cv=folds).fit(X, y).scores_
    )


@pytest.mark.usefixtures("eager_threads")
def test_has_the_same_bits_for_any_number_of_threads(make_data, monkeypatch, started_threads):
    monkeypatch.setattr("softreg_fast.solvers.newton.subsample._FEWEST_ROWS", 100)
    X, y = make_data(400, 5, 3)
    single = SoftmaxClassifierCV(Cs=4, cv=3, n_threads=1).fit(X, y)
    assert started_threads == []
    several = SoftmaxClassifierCV(Cs=4, cv=3, n_threads=3).fit(X, y)
    assert started_threads
    np.testing.assert_array_equal(single.coefs_paths_, several.coefs_paths_)
    np.testing.assert_array_equal(single.coef_, several.coef_)


def test_a_class_that_a_fold_lacks_is_no_failure(make_data):
    X, y = make_data(60, 3, 2)
    y[0] = 2
    folds = [(np.arange(1, 40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
    for scoring in ("accuracy", "neg_log_loss"):
        model = SoftmaxClassifierCV(Cs=CS, cv=folds, scoring=scoring).fit(X, y)
        assert model.converged_
        assert np.isfinite(model.scores_).all()
        assert np.isfinite(model.coefs_paths_).all()


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_separable_rows_end(solver):
    X = np.r_[np.random.default_rng(0).standard_normal((40, 2)), [[9.0, 9.0]]]
    y = (X[:, 0] > 0.0).astype(int)
    model = SoftmaxClassifierCV(Cs=[1e4, np.inf], cv=3, tol=0.0, max_iter=20, solver=solver)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert not model.converged_
    assert np.isfinite(model.coefs_paths_).all()


def test_exact_solvers_agree(make_data):
    X, y = make_data(200, 4, 3)
    newton, lbfgs = (
        SoftmaxClassifierCV(Cs=CS, cv=3, solver=solver, tol=1e-8).fit(X, y)
        for solver in ("newton", "lbfgs")
    )
    np.testing.assert_allclose(newton.coefs_paths_, lbfgs.coefs_paths_, rtol=1e-4, atol=1e-5)


def test_stops_by_the_gap(make_data):
    X, y = make_data(300, 4, 3)
    coarse, fine = (SoftmaxClassifierCV(Cs=CS, cv=3, gap_tol=gap).fit(X, y) for gap in (0.1, 1e-10))
    assert coarse.converged_
    assert fine.converged_
    assert fine.gap_ <= 1e-10 < coarse.gap_ <= 0.1
    assert fine.n_iter_.sum() > coarse.n_iter_.sum()


def test_verbose_prints_each_fit(make_data, capsys):
    X, y = make_data(60, 3, 2)
    SoftmaxClassifierCV(Cs=3, cv=2, verbose=2).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("C ")]
    assert len(lines) == 6
    assert lines[0].startswith("C 1.000e-04  l1_ratio 0.00  fold 0  iterations")


def test_is_cloned_and_pickled(make_data):
    X, y = make_data(90, 3, 3)
    model = SoftmaxClassifierCV(Cs=3, cv=ShuffleSplit(2, random_state=0)).fit(X, y)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).scores_, model.scores_)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"Cs": 0}, ValueError, "Cs=0 is not allowed: it must be at least 1, or a list"),
        ({"Cs": 1.5}, TypeError, r"Cs=1.5 is not allowed: it must be a list of numbers"),
        ({"Cs": []}, ValueError, r"Cs=\[\] is not allowed"),
        ({"Cs": [1.0, -1.0]}, ValueError, r"Cs\[1\]=-1.0 is not allowed"),
        ({"Cs": [np.nan]}, ValueError, r"Cs\[0\]=nan is not allowed"),
        ({"Cs": True}, TypeError, "Cs=True is not allowed"),
        ({"Cs": "ten"}, TypeError, r"Cs\[0\]='t' is not allowed"),
        ({"l1_ratios": [0.5, 2.0]}, ValueError, r"l1_ratios\[1\]=2.0 is not allowed"),
        ({"l1_ratios": None}, TypeError, "l1_ratios=None is not allowed"),
        (
            {"l1_ratios": [0.5], "solver": "lbfgs"},
            ValueError,
            "l1_ratio=0.5 is not allowed .* use solver='newton' or 'auto'$",
        ),
        (
            {"l1_ratios": [0.5], "activation": "sigmoid"},
            ValueError,
            r"l1_ratios=\[0.5\] is not allowed",
        ),
        ({"solver": "sgd"}, ValueError, "solver='sgd' is not allowed"),
        ({"activation": "probit"}, ValueError, "activation='probit' is not allowed"),
        ({"refit": "yes"}, TypeError, "refit='yes' is not allowed"),
        ({"gap_tol": 1e-6, "Cs": [1.0, np.inf]}, ValueError, "gap_tol=1e-06 is not allowed"),
        ({"tol": -1.0}, ValueError, "tol=-1.0 is not allowed"),
        ({"n_threads": 0}, ValueError, "n_threads=0 is not allowed"),
        ({"scoring": "beauty"}, ValueError, "beauty"),
        ({"cv": 1}, ValueError, "n_splits=1"),
        ({"cv": 1}, ValueError, "cv=1 is not allowed"),
        ({"cv": 100}, ValueError, "cv=100 is not allowed"),
        ({"cv": "abc"}, ValueError, "cv='abc' is not allowed"),
        ({"cv": []}, ValueError, r"cv=\[\] is not allowed: there are no folds"),
        ({"cv": [1, 2]}, TypeError, r"cv=\[1, 2\] is not allowed"),
        ({"cv": [([0, 60], [1])]}, ValueError, r"cv=.* is not allowed: .* from 0 to 59"),
        ({"cv": [([-1, 2], [1])]}, ValueError, r"cv=.* is not allowed: .* from 0 to 59"),
        ({"cv": [([0, 2], [])]}, TypeError, r"cv=.* is not allowed: rows of a fold have dtype"),
        ({"cv": [([0.5, 2.0], [1])]}, TypeError, r"cv=.* is not allowed: .* dtype float64"),
        ({"cv": [([True] * 9, [1])]}, TypeError, r"cv=.* is not allowed: .* dtype bool"),
    ],
)
def test_bad_parameters_are_refused(make_data, settings, error, message):
    X, y = make_data(60, 3, 2)
    model = SoftmaxClassifierCV(Cs=2, cv=2).fit(X, y)
    model.set_params(**settings)
    before = vars(model).copy()
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert vars(model) == before


def test_bad_rows_are_refused(make_data):
    X, y = make_data(60, 3, 2)
    model = SoftmaxClassifierCV(Cs=2, cv=2)
    with pytest.raises(ValueError, match=r"sample_weight\[0\] is -1.0"):
        model.fit(X, y, np.r_[-1.0, np.ones(59)])
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with pytest.raises(ValueError, match=r"all held-out samples of fold . have weight zero"):
        SoftmaxClassifierCV(Cs=2, cv=folds[:1]).fit(X, y, np.arange(60) < 30)
    with pytest.raises(ValueError, match="all samples of fold 1 of cv have weight zero"):
        SoftmaxClassifierCV(Cs=2, cv=folds).fit(X, y, np.arange(60) < 30)
    for groups in (np.ones(5), "all"):
        with pytest.raises(ValueError, match=r"groups has shape .*: it must be \(60,\)"):
            model.fit(X, y, groups=groups)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[3, 1\] is NaN"):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")
