"""SoftmaxClassifierCV among scikit-learn's rules: labels, metadata, scores, callbacks."""

import warnings

import numpy as np
import pytest
import sklearn
from conftest import LOGISTIC_REGRESSION_CV_IS_A_PEER
from sklearn.exceptions import UndefinedMetricWarning, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import (
    f1_score,
    fbeta_score,
    get_scorer,
    get_scorer_names,
    log_loss,
    make_scorer,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from softreg_fast import SoftmaxClassifierCV

CS = [0.01, 1.0, 100.0]
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((90, 3))
Y = ((X[:, 0] + 0.5 * RANDOM.standard_normal(90)) > 0.0).astype(int) + (X[:, 1] > 0.6)
WEIGHTS = RANDOM.integers(0, 4, 90).astype(float)
GROUPS = np.arange(90) % 7
ROWS = np.arange(90)
# Of each fold the rows held out lack one class.
FOLDS = [(ROWS[fold != ROWS % 3], ROWS[(fold == ROWS % 3) & (fold != Y)]) for fold in range(3)]
NAMES = np.array(["no", "yes"])[(Y > 0).astype(int)]
FOLDS_OF_TWO = [(ROWS[30:], ROWS[:30][NAMES[:30] == "no"]), (ROWS[:60], ROWS[60:])]


def _own_log_loss(y_true, y_prob, *, labels=None):
    return log_loss(y_true, y_prob, labels=labels)


def _first_probability(estimator, X, y):
    return estimator.predict_proba(X)[0, 0] + estimator.C


SCORINGS = {
    **dict.fromkeys(("accuracy", "neg_log_loss", "neg_brier_score", "d2_log_loss_score")),
    **dict.fromkeys(("top_k_accuracy", "roc_auc_ovr", "roc_auc_ovo", "roc_auc_ovr_weighted")),
    **dict.fromkeys(("f1_macro", "f1_micro", "f1_weighted", "precision_macro", "recall_macro")),
    **dict.fromkeys(("jaccard_macro", "balanced_accuracy", "matthews_corrcoef")),
    "own metric": make_scorer(
        _own_log_loss, greater_is_better=False, response_method="predict_proba"
    ),
    "own average": make_scorer(fbeta_score, beta=2, average="macro"),
    "own scorer": _first_probability,
}
SCORINGS_OF_TWO = {
    **dict.fromkeys(("accuracy", "neg_log_loss", "neg_brier_score", "d2_log_loss_score")),
    **dict.fromkeys(("top_k_accuracy", "roc_auc", "f1", "precision", "recall", "jaccard")),
}
CASES = [("three", name, scoring or name) for name, scoring in SCORINGS.items()]
CASES += [("two", name, name) for name in SCORINGS_OF_TWO]
CASES += [("three", "None", None), ("two", "None", None)]


def _fit_quietly(model, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(*arguments, **named)


QUICK_SCORINGS = {"None", "neg_brier_score", "roc_auc_ovr", "f1_macro", "own scorer", "f1"}


def _is_there(scoring):
    """Whether scikit-learn knows a scorer, if it is one of its names."""
    return not isinstance(scoring, str) or scoring in get_scorer_names()


def _peer_tells_scorers_of_all_classes():
    told = []

    def metric(y_true, y_pred, *, labels=None):
        told.append(labels)
        return 0.0

    settings = {"Cs": [1.0], "cv": 2, "l1_ratios": (0.0,), "use_legacy_attributes": False}
    LogisticRegressionCV(scoring=make_scorer(metric), **settings).fit(X, Y)
    return told[0] is not None


@pytest.mark.runs_if(LOGISTIC_REGRESSION_CV_IS_A_PEER and _peer_tells_scorers_of_all_classes())
@pytest.mark.parametrize(
    ("classes", "name", "scoring"),
    [
        pytest.param(
            *case,
            marks=[
                pytest.mark.runs_if(_is_there(case[2])),
                *[pytest.mark.full] * (case[1] not in QUICK_SCORINGS),
            ],
        )
        for case in CASES
    ],
    ids=[f"{classes}-{name}" for classes, name, _ in CASES],
)
def test_scores_of_folds_that_lack_a_class_are_those_of_logistic_regression_cv(
    classes, name, scoring
):
    y, folds = (Y, FOLDS) if classes == "three" else (NAMES, FOLDS_OF_TWO)
    settings = {"Cs": CS, "cv": folds, "scoring": scoring, "tol": 1e-9}
    expected = LogisticRegressionCV(
        l1_ratios=(0.0,), use_legacy_attributes=False, max_iter=10_000, **settings
    )
    found = _fit_quietly(SoftmaxClassifierCV(**settings), X, y)
    wanted = _fit_quietly(expected, X, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5)
    assert np.isfinite(found.scores_).all() or "roc_auc" in name


@pytest.mark.parametrize(
    "scoring",
    [
        pytest.param(name, marks=pytest.mark.runs_if(_is_there(name)))
        for name in ("neg_brier_score", "d2_log_loss_score", "top_k_accuracy")
    ],
)
def test_folds_with_one_class_have_scores(scoring):
    X, y = np.random.default_rng(0).standard_normal((10, 1)), [1] * 5 + [2] * 4 + [3]
    model = SoftmaxClassifierCV(Cs=CS, cv=5, scoring=scoring)
    with warnings.catch_warnings():
        # scikit-learn's, of the folds and of scores of single classes
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, y)
    assert np.isfinite(model.scores_).all()


def test_what_a_scorer_was_made_with_counts_for_more_than_all_classes():
    scorer = make_scorer(f1_score, labels=[0, 2], average="macro")
    before = dict(scorer._kwargs)
    model = _fit_quietly(SoftmaxClassifierCV(Cs=CS, cv=3, scoring=scorer), X, Y)
    expected = _fit_quietly(
        SoftmaxClassifierCV(Cs=CS, cv=3, scoring=lambda *given: scorer(*given)), X, Y
    )
    np.testing.assert_array_equal(model.scores_, expected.scores_)
    assert scorer._kwargs == before
    positive = make_scorer(f1_score, pos_label="no")
    found = SoftmaxClassifierCV(Cs=[1.0], cv=3, scoring=positive).fit(X, NAMES)
    other = SoftmaxClassifierCV(Cs=[1.0], cv=3, scoring="f1").fit(X, NAMES)
    assert (found.scores_ != other.scores_).all()
    assert found.score(X, NAMES) == f1_score(NAMES, found.predict(X), pos_label="no")


def test_averages_over_two_classes_are_told_of_no_positive_one():
    model = SoftmaxClassifierCV(Cs=[1.0], cv=3, scoring=make_scorer(f1_score, average="macro"))
    model.fit(X, NAMES)  # a warning would be an error
    assert np.isfinite(model.scores_).all()


def test_log_loss_is_the_default_and_none_is_accuracy():
    default, named, none, accuracy = (
        SoftmaxClassifierCV(Cs=CS, cv=3, **settings).fit(X, Y)
        for settings in (
            {},
            {"scoring": "neg_log_loss"},
            {"scoring": None},
            {"scoring": "accuracy"},
        )
    )
    np.testing.assert_array_equal(default.scores_, named.scores_)
    assert default.score(X, Y) == get_scorer("neg_log_loss")(default, X, Y)
    np.testing.assert_array_equal(none.scores_, accuracy.scores_)
    assert none.score(X, Y) == np.mean(none.predict(X) == Y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_warn(value):
    def score(estimator, X, y):
        return value if CS[0] == estimator.C else estimator.C

    with pytest.warns(UserWarning, match=r"3 of 9 scores .* non-finite; .* fold 0 with C=0.01"):
        model = SoftmaxClassifierCV(Cs=CS, cv=3, scoring=score).fit(X, Y)
    assert (CS[0] if value == np.inf else CS[2]) == model.C_
    with pytest.warns(UserWarning, match="non-finite"):
        model = SoftmaxClassifierCV(Cs=CS, cv=3, scoring=score, refit=False).fit(X, Y)
    assert np.isclose(model.C_, CS[0] if value == np.inf else CS[2])


@pytest.mark.parametrize("score", ["good", None, 1j, [1.0, 2.0], {"accuracy": 1.0}])
def test_scorers_that_give_no_number_are_refused(score):
    model = SoftmaxClassifierCV(Cs=CS, cv=3, scoring=lambda *_: score)
    with pytest.raises(TypeError, match=r"scoring=.* is not allowed: it must give a number"):
        model.fit(X, Y)
    assert not hasattr(model, "coef_")


def test_scorers_see_what_was_fitted():
    seen = []

    def score(estimator, X, y):
        seen.append((estimator.C, estimator.l1_ratio, estimator.class_weight))
        return np.array(0.5)

    SoftmaxClassifierCV(
        Cs=[2.0, 3.0], l1_ratios=[0.0, 0.5], cv=KFold(2), scoring=score, class_weight="balanced"
    ).fit(X, Y)
    assert seen == 2 * [(C, ratio, "balanced") for ratio in (0.0, 0.5) for C in (2.0, 3.0)]


def test_splitters_that_know_no_groups_are_not_given_any():
    class Halves:
        def split(self, X, y):
            return [(ROWS[::2], ROWS[1::2]), (ROWS[1::2], ROWS[::2])]

        def get_n_splits(self, X=None, y=None):
            return 2

    assert SoftmaxClassifierCV(Cs=CS, cv=Halves()).fit(X, Y).scores_.shape == (2, 1, 3)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def _scores(scoring, sample_weight=None, scoring_weight=None):
    """Of fits with weights, scored with others."""

    def score(estimator, X, y):
        rows = [np.flatnonzero((all_rows == row).all(axis=1))[0] for row in X]
        weights = None if scoring_weight is None else scoring_weight[rows]
        return get_scorer(scoring)(estimator, X, y, sample_weight=weights)

    all_rows = X
    with sklearn.config_context(enable_metadata_routing=False):
        folds = list(KFold(3).split(X))
        model = SoftmaxClassifierCV(Cs=CS, cv=folds)
        paths = model.fit(X, Y, sample_weight).coefs_paths_
        found = np.empty((3, 1, 3))
        for fold, (_, rows) in enumerate(folds):
            for number in range(3):
                model.coef_ = paths[fold, 0, number, :, :-1]
                model.intercept_ = paths[fold, 0, number, :, -1]
                found[fold, 0, number] = score(model, X[rows], Y[rows])
    return found


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("name", ["neg_log_loss", "neg_brier_score", "f1_macro"])
def test_weights_go_to_scorers_that_request_them_alone(name):
    settings = {"Cs": CS, "cv": KFold(3)}
    wanted = get_scorer(name).set_score_request(sample_weight=True)
    found = SoftmaxClassifierCV(scoring=wanted, **settings).fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(found.scores_, _scores(name, WEIGHTS, WEIGHTS), rtol=1e-6)
    refused = get_scorer(name).set_score_request(sample_weight=False)
    found = SoftmaxClassifierCV(scoring=refused, **settings).fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(found.scores_, _scores(name, WEIGHTS, None), rtol=1e-6)
    assert found.score(X, Y) == get_scorer(name)(found, X, Y)
    with pytest.raises(TypeError, match="sample_weight"):  # as with LogisticRegressionCV
        found.score(X, Y, sample_weight=WEIGHTS)


def _scorers_know_what_metrics_take():
    """Else those that request nothing are given no weights, without an error."""
    requests = get_routing_for_object(get_scorer("accuracy")).score.requests
    return "sample_weight" in requests


@pytest.mark.runs_if(_scorers_know_what_metrics_take())
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("name", ["neg_log_loss", "neg_brier_score", "f1_macro"])
def test_weights_that_a_scorer_neither_requests_nor_refuses_are_an_error(name):
    for scoring in (name, get_scorer(name)):
        model = SoftmaxClassifierCV(scoring=scoring, Cs=CS, cv=KFold(3))
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            model.fit(X, Y, sample_weight=WEIGHTS)


@pytest.mark.usefixtures("routing")
def test_metadata_goes_by_other_names_and_to_own_metrics():
    def own(y_true, y_pred, *, price):
        return float(price @ (y_true == y_pred))

    scorer = make_scorer(own).set_score_request(price="cost")
    model = SoftmaxClassifierCV(Cs=CS, cv=KFold(3), scoring=scorer).fit(X, Y, cost=WEIGHTS)
    assert model.scores_.sum(axis=0).max() <= WEIGHTS.sum()
    assert model.score(X, Y, cost=WEIGHTS) == WEIGHTS @ (model.predict(X) == Y)
    with pytest.raises(TypeError, match="colour"):
        model.fit(X, Y, cost=WEIGHTS, colour=WEIGHTS)


@pytest.mark.usefixtures("routing")
def test_groups_go_to_the_splitter_in_a_pipeline_and_in_a_search():
    scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
    model = SoftmaxClassifierCV(Cs=CS, cv=GroupKFold(3), scoring=scorer)
    model.set_fit_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, model).fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    scaled = StandardScaler().fit_transform(X)
    with sklearn.config_context(enable_metadata_routing=False):
        expected = SoftmaxClassifierCV(Cs=CS, cv=GroupKFold(3))
        expected.fit(scaled, Y, sample_weight=WEIGHTS, groups=GROUPS)
    np.testing.assert_allclose(pipeline[-1].scores_, expected.scores_, rtol=1e-10)
    search = GridSearchCV(pipeline, {"softmaxclassifiercv__tol": [1e-4]}, cv=GroupKFold(2))
    search.fit(X, Y, groups=GROUPS)
    assert np.isfinite(search.best_score_)
    with pytest.raises(ValueError, match="groups"):
        pipeline.fit(X, Y)


@pytest.mark.usefixtures("routing")
def test_routing_says_who_requests_what():
    model = SoftmaxClassifierCV(cv=GroupKFold(3)).set_fit_request(sample_weight=True)
    router = model.get_metadata_routing()
    assert router.consumes("fit", ["groups", "sample_weight", "colour"]) == {
        "groups",
        "sample_weight",
    }
    for cv in (None, 3, FOLDS):
        plain = SoftmaxClassifierCV(cv=cv).get_metadata_routing()
        assert plain.consumes("fit", ["groups"]) == set()


def test_without_routing_scorers_are_given_weights_and_nothing_else():
    found = SoftmaxClassifierCV(Cs=CS, cv=KFold(3), scoring="neg_brier_score")
    found.fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(
        found.scores_, _scores("neg_brier_score", WEIGHTS, WEIGHTS), rtol=1e-6
    )
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        found.fit(X, Y, price=WEIGHTS)
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        found.score(X, Y, price=WEIGHTS)
    unweighted = make_scorer(lambda y_true, y_pred: 1.0)
    with pytest.raises(TypeError, match="sample_weight"):
        SoftmaxClassifierCV(Cs=CS, cv=3, scoring=unweighted).fit(X, Y, sample_weight=WEIGHTS)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "neg_brier_score", _first_probability])
def test_rows_held_out_that_weigh_nothing_are_refused(scoring):
    folds = [(ROWS[:45], ROWS[45:])]
    with pytest.raises(ValueError, match="all held-out samples of fold 0 have weight zero"):
        SoftmaxClassifierCV(Cs=CS, cv=folds, scoring=scoring).fit(X, Y, (ROWS < 45).astype(float))
