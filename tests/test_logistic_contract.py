"""What scikit-learn's own tests ask of LogisticRegression, asked of SoftmaxClassifier.

"Same" means what LogisticRegression does, "differs" is a difference on purpose; both name the test
that says so. Of "not applicable" the last column is the reason.

======================================================= ============== =============================
Behaviour                                               Contract       Test or reason
======================================================= ============== =============================
Two and three separable classes are learnt              same           test_separable_classes
The model minimises the penalised log loss              same           test_lowest_objective
All solvers have the same optimum, any intercept        same           test_same_optimum
Coefficients have one row for two classes, else one     same           test_same_optimum
per class
No penalty (C=inf): same optimum, no warning            same           test_no_penalty
More columns than rows and hardly a penalty             same           test_wide_data
Separable classes and no penalty: no warning            differs        test_wide_data
A single feature                                        same           test_single_feature
Coefficients and intercepts of classes sum to zero      same           test_sums_over_classes
C from tiny to large                                    same           test_range_of_penalties
Norm of the coefficients grows with C                   same           test_norm_grows_with_c
The multinomial loss is below that of one versus rest   same           test_below_one_versus_rest
Labels may be strings, classes_ are sorted              same           test_string_labels
A class of class_weight 0 is never predicted            same           test_class_without_weight
Labels, weights, classes and dtypes in any combination  same           test_all_combinations
class_weight={...} is the same as sample_weight         same           test_class_weight
class_weight="balanced" is the same as its dict         same           test_balanced_class_weight
A whole sample_weight is the same as repetitions        same           test_weights_and_repetitions
Rows of weight 0 are as if they were not there          same           test_rows_without_weight
sample_weight, X and y are not changed by fit           same           test_arguments_not_changed
Inconsistent numbers of samples or features             same           test_inconsistent_shapes
NaN and infinity are refused                            same           test_not_finite
The error for NaN says that X contains it               differs        test_not_finite
coef_ and intercept_ can be written to                  same           test_written_coefficients
decision_function, predict_proba and predict_log_proba  same           test_methods_agree
fit together
A decision of 0 is the first class                      same           test_decision_of_zero
intercept_ is 0 with fit_intercept=False                same           test_no_intercept
n_iter_ is max_iter, with a ConvergenceWarning          same           test_out_of_iterations
One warning, that says what to do                       same           test_out_of_iterations
n_iter_ is an array of one number                       differs        test_n_iter_is_an_integer
max_iter=0 gives the model before the first step        differs        test_no_iterations
A second fit of one iteration is near the first with    same           test_warm_start_stays
warm_start, far without
Two warm fits of one iteration are one fit of two       differs        test_warm_start_goes_down
Repeated warm fits stay at the optimum                  same           test_warm_start_at_optimum
Shapes of the coefficients to begin with                differs        test_first_coefficients
float32 stays float32, others become float64            same           test_dtypes
Memory is read-only, in any order or strided            same           test_memory_layouts
Values above 1e30                                       same           test_huge_values
Sparse features give the model of dense ones            same           test_sparse_features
Sparse float32 stays float32; int64 indices             same           test_sparse_dtypes
l1_ratio from 0 to 1 has saga's objective               same           test_elastic_net
l1_ratio=0 is L2, l1_ratio=1 has exact zeros            same           test_ends_of_elastic_net
sparsify, densify, predictions with sparse coef_        not applicable no such methods
Choice of a solver, and what each solver refuses        not applicable the optimum is the contract
liblinear: dual, random_state, intercept_scaling,       not applicable no such solver
two classes only, not stuck, 1e30
newton-cholesky: its fallback to lbfgs                  not applicable no such solver
penalty, l1_ratio=None and n_jobs are deprecated        not applicable no such parameters
LogisticRegressionCV                                    not applicable another estimator
Paths of coefficients, the scorer's path                not applicable private functions
Array API inputs                                        not applicable no Array API support
======================================================= ============== =============================
"""

import re
from contextlib import nullcontext
from contextvars import ContextVar

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csc_array, csr_array, csr_matrix
from scipy.special import log_softmax, logsumexp
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import scale

from softreg_fast.estimators.classifier import SoftmaxClassifier

TOLERANCE = 1e-10
CORNERS = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
METHODS = ("decision_function", "predict_proba", "predict_log_proba")


# Small problems all go from "auto" to "newton".
SOLVERS = ["auto", *(pytest.param(name, marks=pytest.mark.full) for name in ("newton", "lbfgs"))]
_SOLVER = ContextVar("solver")


@pytest.fixture(autouse=True, params=SOLVERS)
def solver(request):
    """What `classifier` makes models with, in every test of this module."""
    token = _SOLVER.set(request.param)
    yield request.param
    _SOLVER.reset(token)


def classifier(**parameters):
    return SoftmaxClassifier(**{"solver": _SOLVER.get()} | parameters)


def exact(**parameters):
    return classifier(tol=TOLERANCE, **parameters)


def peer(solver="newton-cholesky", **parameters):
    """LogisticRegression at its own optimum."""
    return LogisticRegression(solver=solver, tol=1e-9, max_iter=1_000, **parameters)


def assert_same_model(found, expected, rtol=1e-5, atol=1e-6):
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    assert found.coef_.shape == expected.coef_.shape
    assert found.intercept_.shape == expected.intercept_.shape
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=rtol, atol=atol)


def scaled_iris(n_classes=3):
    """Two classes are the ones that no line separates."""
    X, y = load_iris(return_X_y=True)
    rows = y >= 3 - n_classes
    return scale(X[rows]), y[rows]


def penalised_loss(coefficients, X, y, C, sample_weight):
    """The objective of several classes over C; a row of `coefficients` ends with the intercept."""
    linear = X @ coefficients[:, :-1].T + coefficients[:, -1]
    losses = logsumexp(linear, axis=1) - linear[np.arange(len(y)), y]
    return sample_weight @ losses + (coefficients[:, :-1] ** 2).sum() / 2 / C


def test_table_of_contract_names_the_tests_of_this_module():
    named = set(re.findall(r"(?:same|differs) +(test_\w+)", __doc__))
    here = {name for name in globals() if name.startswith("test_")}
    assert named == here - {"test_table_of_contract_names_the_tests_of_this_module"}


@pytest.mark.parametrize("y", [[0, 1, 1], [2, 1, 0]])
@pytest.mark.parametrize("parameters", [{"C": 10}, {"C": 100}, {"C": 10, "fit_intercept": False}])
def test_separable_classes(y, parameters):
    model = classifier(**parameters).fit(CORNERS.tolist(), y)
    n_classes = len(set(y))
    np.testing.assert_array_equal(model.classes_, range(n_classes))
    np.testing.assert_array_equal(model.predict(CORNERS), y)
    probabilities = model.predict_proba(CORNERS)
    assert probabilities.shape == (3, n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), y)


@pytest.mark.parametrize("weighted", [False, True])
def test_lowest_objective(make_data, weighted):
    X, y = make_data(60, 2, 3)
    sample_weight = np.random.default_rng(1).exponential(size=60) if weighted else np.ones(60)
    arguments = (X, y, 0.5, sample_weight)
    model = exact(C=0.5).fit(X, y, sample_weight)
    found = np.column_stack([model.coef_, model.intercept_])

    other = minimize(
        lambda flat: penalised_loss(flat.reshape(3, 3), *arguments), np.zeros(9), tol=1e-10
    )

    assert penalised_loss(found, *arguments) <= other.fun + 1e-12
    np.testing.assert_allclose(found[:, :-1], other.x.reshape(3, 3)[:, :-1], atol=1e-5)
    np.testing.assert_allclose(model.intercept_, other.x[2::3] - other.x[2::3].mean(), atol=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("theirs", ["lbfgs", "newton-cg", "newton-cholesky", "sag"])
def test_same_optimum(make_data, theirs, n_classes, fit_intercept):
    X, y = make_data(200, 6, n_classes)
    parameters = {"C": 0.3, "fit_intercept": fit_intercept}
    expected = peer(theirs, random_state=0, **parameters).fit(X + 0.5, y)

    found = exact(**parameters).fit(X + 0.5, y)

    assert found.coef_.shape == ((1, 6) if n_classes == 2 else (3, 6))
    assert_same_model(found, expected)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_penalty(make_data, n_classes, fit_intercept):
    X, y = make_data(200, 4, n_classes)
    parameters = {"C": np.inf, "fit_intercept": fit_intercept}
    found, expected = exact(**parameters).fit(X, y), peer(**parameters).fit(X, y)

    assert_same_model(found, expected)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-7)
    assert classifier(C=np.inf, fit_intercept=fit_intercept).fit(X, y).converged_


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 3])
def test_wide_data(make_data, n_classes):
    X, y = make_data(12, 30, n_classes)
    separation = pytest.warns(ConvergenceWarning, match="separate the classes completely")
    for C, warning in ((1e30, nullcontext()), (np.inf, separation)):
        with warning:
            model = classifier(C=C).fit(X, y)
        assert model.converged_
        assert model.n_iter_ >= 1
        np.testing.assert_array_equal(model.predict(X), y)
    assert_same_model(exact(C=1.0).fit(X, y), peer("lbfgs", C=1.0).fit(X, y))


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_single_feature(C):
    X = np.array([[0.2, 0.4, 0.5, 0.7, 0.9, 1.1, 1.4, 1.6]]).T
    y = np.array([1, 1, 0, 1, 0, 1, 0, 0])
    assert_same_model(exact(C=C).fit(X, y), peer(C=C).fit(X, y))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [150.0, np.inf])
def test_sums_over_classes(make_data, C, fit_intercept):
    X, y = make_data(300, 4, 4)
    model = exact(C=C, fit_intercept=fit_intercept).fit(X + 1.0, y)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-9)
    assert abs(model.intercept_.sum()) < 1e-11
    assert np.any(model.intercept_) == fit_intercept


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1e-8, 1e-4, 1e2, 1e4])
def test_range_of_penalties(n_classes, C):
    X, y = scaled_iris(n_classes)
    found, expected = exact(C=C).fit(X, y), peer(C=C).fit(X, y)
    assert_same_model(found, expected, rtol=1e-4)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    if C == 1e-8:
        shares = np.bincount(y)[found.classes_] / len(y)
        np.testing.assert_allclose(found.predict_proba(X) - shares, 0.0, atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_norm_grows_with_c(n_classes):
    X, y = scaled_iris(n_classes)
    norms = [np.linalg.norm(classifier(C=C).fit(X, y).coef_) for C in np.logspace(-4, 4, 9)]
    assert (np.diff(norms) > 0).all()


def test_below_one_versus_rest(make_data):
    X, y = make_data(150, 5, 4)
    losses = [
        log_loss(y, model.fit(X, y).predict_proba(X))
        for model in (exact(), OneVsRestClassifier(exact()))
    ]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_string_labels(make_data, n_classes):
    X, y = make_data(150, 5, n_classes)
    names = np.array(["ash", "birch", "cedar"])[:n_classes]
    numbered, named = exact().fit(X, y - 1), exact().fit(X, names[y])
    np.testing.assert_array_equal(named.classes_, names)
    np.testing.assert_array_equal(numbered.classes_, np.arange(n_classes) - 1)
    np.testing.assert_array_equal(named.coef_, numbered.coef_)
    np.testing.assert_array_equal(named.predict(X), names[numbered.predict(X) + 1])
    assert set(named.predict(X)) == set(names)


def test_class_without_weight(make_data):
    X, y = make_data(150, 5, 3)
    names = np.array(["ash", "birch", "cedar"])[y]
    weights = {"ash": 1, "birch": 2, "cedar": 0}
    found = exact(class_weight=weights).fit(X, names)
    expected = peer("lbfgs", class_weight=weights).fit(X, names)
    assert set(found.predict(X)) == {"ash", "birch"}
    # With no rows, an unpenalised intercept has no lowest point: it goes down for ever.
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-4)


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.full), "float64"])
@pytest.mark.parametrize("class_weight", [None, "balanced", "dict"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_all_combinations(n_classes, named, weighted, class_weight, dtype):
    X, y = scaled_iris(n_classes)
    X = X.astype(dtype)
    y = np.array(["pine", "oak", "elm"])[y] if named else y.astype(dtype)
    if class_weight == "dict":
        class_weight = dict(zip(np.unique(y), [1.0, 3.0, 0.5][:n_classes], strict=True))
    sample_weight = None
    if weighted:
        drawn = np.random.default_rng(0).uniform(-1.0, 5.0, size=len(y))
        sample_weight = np.maximum(drawn, 0.0).astype(dtype)
    parameters = {"C": 0.1, "class_weight": class_weight}
    expected = peer(**parameters).fit(X.astype(np.float64), y, sample_weight)

    found = exact(**parameters).fit(X, y, sample_weight)

    assert found.coef_.dtype == found.predict_proba(X).dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-6
    assert_same_model(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        found.predict_proba(X), expected.predict_proba(X.astype(np.float64)), atol=tolerance
    )
    assert found.score(X, y, sample_weight) == pytest.approx(expected.score(X, y, sample_weight))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weight(make_data, n_classes):
    X, y = make_data(200, 5, n_classes)
    factors = np.array([1.0, 2.0, 0.5])[:n_classes]
    sample_weight = np.random.default_rng(2).exponential(size=200)
    by_class = exact(class_weight=dict(enumerate(factors)))
    assert_same_model(by_class.fit(X, y), exact().fit(X, y, factors[y]))
    assert_same_model(
        by_class.fit(X, y, sample_weight), exact().fit(X, y, sample_weight * factors[y])
    )
    # Classes that are not named have the factor 1.
    assert_same_model(
        exact(class_weight={1: 2.0}).fit(X, y), exact().fit(X, y, np.where(y == 1, 2.0, 1.0))
    )


@pytest.mark.parametrize("rows", [slice(45, None), slice(45, 100)])
def test_balanced_class_weight(rows):
    X, y = load_iris(return_X_y=True)
    X, y = scale(X)[rows], y[rows]
    counts = np.bincount(y)
    factors = len(y) / (len(counts) * counts)
    found = exact(class_weight="balanced").fit(X, y)
    assert_same_model(found, exact(class_weight=dict(enumerate(factors))).fit(X, y))
    assert_same_model(found, exact().fit(X, y, sample_weight=factors[y]))
    assert_same_model(found, peer(class_weight="balanced").fit(X, y))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_and_repetitions(make_data, n_classes):
    X, y = make_data(150, 5, n_classes)
    times = np.random.default_rng(3).integers(0, 5, size=150)
    weighted = exact().fit(X, y, sample_weight=times)
    repeated = exact().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_same_model(weighted, repeated, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_without_weight(make_data, n_classes):
    X, y = make_data(80, 3, n_classes)
    contradicting = (y + 1) % n_classes
    order = np.random.default_rng(4).permutation(160)
    model = exact().fit(
        np.tile(X, (2, 1))[order],
        np.append(y, contradicting)[order],
        sample_weight=np.repeat([1.0, 0.0], 80)[order],
    )
    expected = exact().fit(X, y)
    for method in METHODS:
        np.testing.assert_allclose(
            getattr(model, method)(X), getattr(expected, method)(X), rtol=1e-7, atol=1e-8
        )


@pytest.mark.parametrize("class_weight", [None, {0: 1.0, 1: 10.0, 2: 1.0}, "balanced"])
def test_arguments_not_changed(make_data, class_weight):
    X, y = make_data(100, 4, 3)
    sample_weight = np.random.default_rng(5).exponential(size=100)
    start = np.full((3, 4), 0.1)
    arguments = {
        "X": X, "y": y, "sample_weight": sample_weight, "coef_init": start,
        "intercept_init": start[:, 0],
    }  # fmt: skip
    before = [array.copy() for array in arguments.values()]
    model = classifier(class_weight=class_weight).fit(**arguments)
    model.predict_proba(X)
    for array, expected in zip(arguments.values(), before, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert model.class_weight is class_weight


def test_inconsistent_shapes(make_data):
    X, y = make_data(30, 10, 2)
    for estimator in (classifier(), LogisticRegression()):
        with pytest.raises(ValueError, match="Found input variables with inconsistent numbers"):
            estimator.fit(X, y[:-1])
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            estimator.fit(X[:, 0], y)
        with pytest.raises(ValueError, match="y should be a 1d array"):
            estimator.fit(X, np.stack([y, y], axis=1))
        estimator.fit(X, y)
        for method in ("predict", *METHODS):
            with pytest.raises(ValueError, match=r"X has 12 features, but .* is expecting 10"):
                getattr(estimator, method)(np.ones((3, 12)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    with_bad = CORNERS.copy()
    with_bad[0, 1] = bad
    for estimator, message in [
        (classifier(), r"X\[0, 1\] is (NaN|-?inf)"),
        (LogisticRegression(), "Input X contains (NaN|infinity)"),
    ]:
        with pytest.raises(ValueError, match=message):
            estimator.fit(with_bad, [0, 1, 1])
        estimator.fit(CORNERS, [0, 1, 1])
        with pytest.raises(ValueError, match=message):
            estimator.predict(with_bad)
        with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
            estimator.fit(CORNERS, [0.0, 1.0, bad])
        with pytest.raises(ValueError, match=r"sample_weight(\[2\] is -?(nan|inf)| contains)"):
            estimator.fit(CORNERS, [0, 1, 1], sample_weight=[1.0, 1.0, bad])


@pytest.mark.parametrize("y", [[0, 1, 1], [2, 1, 0]])
def test_written_coefficients(y):
    model = classifier().fit(CORNERS, y)
    assert np.any(model.decision_function(CORNERS))
    model.coef_[:] = 0.0
    model.intercept_[:] = 0.0
    np.testing.assert_array_equal(model.decision_function(CORNERS), 0.0)
    np.testing.assert_allclose(model.predict_proba(CORNERS), 1 / len(set(y)), rtol=1e-15)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_methods_agree(make_data, n_classes):
    X, y = make_data(100, 4, n_classes)
    model = classifier().fit(X, y)
    decision, probabilities, logarithms = (getattr(model, method)(X) for method in METHODS)
    np.testing.assert_allclose(
        np.squeeze(X @ model.coef_.T + model.intercept_), decision, rtol=1e-12, atol=1e-14
    )
    # Two classes are several classes with opposite halves of the decision.
    values = np.outer(decision, [-0.5, 0.5]) if n_classes == 2 else decision
    np.testing.assert_allclose(logarithms, log_softmax(values, axis=1), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(probabilities, np.exp(logarithms), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), probabilities.argmax(axis=1))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_decision_of_zero(make_data, n_classes):
    X, y = make_data(50, 5, n_classes)
    for estimator in (classifier(fit_intercept=False), peer(fit_intercept=False)):
        predicted = estimator.fit(X, y + 7).predict(np.zeros((4, 5)))
        np.testing.assert_array_equal(predicted, 7)


@pytest.mark.parametrize("y", [[0, 1, 1], [2, 1, 0]])
def test_no_intercept(y):
    model = classifier(fit_intercept=False).fit(CORNERS, y)
    np.testing.assert_array_equal(model.intercept_, np.zeros(1 if max(y) == 1 else 3))
    assert np.any(classifier().fit(CORNERS, [0, 1, 1]).intercept_)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 4])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_out_of_iterations(n_classes, max_iter):
    X, y = scaled_iris(n_classes)
    with pytest.warns(ConvergenceWarning, match="increase max_iter or tol") as record:
        model = classifier(max_iter=max_iter, tol=1e-15).fit(X, y)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert (model.n_iter_, model.converged_) == (max_iter, False)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_n_iter_is_an_integer(n_classes):
    X, y = scaled_iris(n_classes)
    model = classifier(max_iter=500).fit(X, y)
    assert type(model.n_iter_) is int
    assert 1 <= model.n_iter_ < 500
    assert LogisticRegression().fit(X, y).n_iter_.shape == (1,)
    assert exact().fit(X, y).n_iter_ > model.n_iter_


def test_no_iterations():
    with pytest.raises(ValueError, match="max_iter=0 is not allowed"):
        classifier(max_iter=0).fit(CORNERS, [0, 1, 1])
    with pytest.warns(ConvergenceWarning):
        assert LogisticRegression(max_iter=0).fit(CORNERS, [0, 1, 1]).n_iter_ == 0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("warm_start", [True, False])
def test_warm_start_stays(warm_start, fit_intercept):
    X, y = load_iris(return_X_y=True)
    model = classifier(warm_start=warm_start, fit_intercept=fit_intercept, tol=1e-5)
    first = model.fit(X, y).coef_
    # Another penalty, so that there is a step to make.
    model.set_params(C=1.05, max_iter=1, tol=0.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    distance = np.abs(first - model.coef_).sum()
    assert (distance < 0.5) == warm_start
    assert (distance > 2.0) != warm_start
    assert distance > 0


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_warm_start_goes_down(make_data, C, solver):
    # L-BFGS's memory of curvatures ends with a fit, so one fit of two iterations is another point
    # than two fits of one; both must be below the first. Newton's method has no memory, and is at
    # the optimum after five.
    X, y = make_data(200, 5, 3)
    settings = {"C": C, "tol": 0.0}
    one_by_one = classifier(max_iter=1, warm_start=True, **settings)
    at_once = classifier(max_iter=2, **settings)

    def objective(model):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
        coefficients = np.column_stack([model.coef_, model.intercept_])
        return penalised_loss(coefficients, X, y, C, np.ones(len(y)))

    objectives = [objective(one_by_one) for _ in range(6 if solver == "lbfgs" else 4)]
    second = objective(at_once)
    assert (np.diff(objectives) < 0).all()
    assert second < objectives[0]
    if solver == "lbfgs":
        assert second != objectives[1]
    else:
        assert second == pytest.approx(objectives[1], rel=1e-12)


def test_warm_start_at_optimum():
    X, y = make_blobs(n_samples=200, centers=[[0, 0], [1, 1]], random_state=0)
    cold, warm = exact(), exact(warm_start=True)
    expected = log_loss(y, cold.fit(X, y).predict_proba(X))
    iterations = [warm.fit(X, y).n_iter_ for _ in range(5)]
    assert iterations[0] == cold.n_iter_ > 1
    assert iterations[1:] == [0, 0, 0, 0]
    assert log_loss(y, warm.predict_proba(X)) == pytest.approx(expected, rel=1e-12)
    # Near the optimum of a slightly different problem.
    iterations = [estimator.set_params(C=1.1).fit(X, y).n_iter_ for estimator in (warm, cold)]
    assert 0 < iterations[0] < iterations[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_first_coefficients(make_data, n_classes):
    X, y = make_data(100, 2, n_classes)
    model = exact()
    expected = clone(model).fit(X, y)
    shapes = [(1, 2), (2,)] if n_classes == 2 else [(3, 2)]
    for shape in shapes:
        assert_same_model(clone(model).fit(X, y, coef_init=np.ones(shape)), expected)
    n_rows = len(expected.coef_)
    # The intercept is an argument of its own instead of a last column.
    found = clone(model).fit(X, y, coef_init=expected.coef_, intercept_init=np.ones(n_rows))
    assert_same_model(found, expected)
    for shape in [(n_rows, 3), (n_rows + 1, 2), (2, n_rows), (n_rows, 2, 1)]:
        with pytest.raises(ValueError, match="coef_init"):
            model.fit(X, y, coef_init=np.ones(shape))
    with pytest.raises(ValueError, match="intercept_init"):
        model.fit(X, y, intercept_init=np.ones(n_rows + 1))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_dtypes(n_classes, fit_intercept):
    X, y = load_iris(return_X_y=True)
    X, y = np.round(X)[::5][y[::5] < n_classes], y[::5][y[::5] < n_classes]
    double = exact(fit_intercept=fit_intercept).fit(X, y)
    for dtype in ("float16", "float32", ">f4", "float64", ">f8", "int8", "uint64", "object"):
        for estimator in (classifier, LogisticRegression):
            # LogisticRegression takes the other order of bytes for another dtype.
            singles = ("float32", ">f4") if estimator is classifier else ("float32",)
            expected = np.float32 if dtype in singles else np.float64
            model = estimator(C=0.01, fit_intercept=fit_intercept, max_iter=1_000)
            model.fit(X.astype(dtype), y.astype(np.float32))
            assert model.coef_.dtype == model.intercept_.dtype == expected
            assert model.decision_function(X.astype(dtype)).dtype == expected
        found = exact(fit_intercept=fit_intercept).fit(X.astype(dtype), y)
        tolerance = 1e-6 if dtype in ("float32", ">f4") else 1e-9
        assert_same_model(found, double, rtol=tolerance, atol=tolerance)


def with_layout(array, layout):
    if layout == "strided":
        wide = np.zeros((2 * array.shape[0], *[3 * n for n in array.shape[1:]]), array.dtype)
        view = wide[(slice(None, None, 2), *[slice(1, None, 3)] * (array.ndim - 1))]
        view[...] = array
        array = view
    elif layout == "reversed":
        array = np.ascontiguousarray(array[::-1])[::-1]
    elif layout == "columns":
        array = np.asfortranarray(array)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("layout", ["rows", "columns", "strided", "reversed"])
@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.full), "float64"])
def test_memory_layouts(make_data, dtype, layout):
    X, y = make_data(100, 5, 3)
    X = X.astype(dtype)
    sample_weight = np.random.default_rng(6).exponential(size=100)
    expected = classifier().fit(X, y, sample_weight)
    given = [with_layout(array.copy(), layout) for array in (X, y, sample_weight)]
    assert (layout == "rows") == given[0].flags.c_contiguous
    found = classifier().fit(*given)
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    assert_same_model(found, expected, rtol=tolerance, atol=tolerance)
    for method in METHODS:
        np.testing.assert_allclose(
            getattr(found, method)(given[0]),
            getattr(expected, method)(X),
            rtol=10 * tolerance,
            atol=tolerance,
        )


def test_huge_values():
    X, y = np.array([[0.0], [1e100]]), np.array([0, 1])
    # A residual of 1e-17 makes a gradient of 1e83.
    with pytest.warns(ConvergenceWarning, match="center or scale feature 0"):
        model = classifier().fit(X, y)
    assert not model.converged_
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 1.0, 2: 0.5}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_features(make_data, n_classes, class_weight):
    X, y = make_data(150, 6, n_classes)
    X[np.abs(X) < 0.5] = 0.0
    if isinstance(class_weight, dict):
        class_weight = {label: class_weight[label] for label in range(n_classes)}
    expected = exact(class_weight=class_weight).fit(X, y)
    for container in (csr_array, csc_array, csr_matrix):
        found = exact(class_weight=class_weight).fit(container(X), y)
        assert_same_model(found, expected, rtol=1e-6, atol=1e-8)
        for method in METHODS:
            np.testing.assert_allclose(
                getattr(found, method)(container(X)), getattr(expected, method)(X), atol=1e-7
            )


@pytest.mark.parametrize(
    "solver", [*SOLVERS, pytest.param("sgd", marks=pytest.mark.full)], indirect=True
)
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
def test_sparse_dtypes(make_data, dtype, solver):
    X, y = make_data(150, 6, 3)
    X[np.abs(X) < 0.5] = 0.0
    matrix = csr_array(X.astype(dtype))
    expected = classifier(random_state=0).fit(matrix, y)
    assert expected.coef_.dtype == expected.predict_proba(matrix).dtype == dtype
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    found = classifier(random_state=0).fit(matrix, y)
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def penalised(model, X, y, C, l1_ratio):
    penalty = l1_ratio * np.abs(model.coef_).sum() + (1 - l1_ratio) / 2 * (model.coef_**2).sum()
    return C * len(y) * log_loss(y, model.predict_proba(X)) + penalty


@pytest.mark.parametrize("solver", SOLVERS[:2], indirect=True)
@pytest.mark.parametrize("C", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 1.0])
def test_elastic_net(make_data, l1_ratio, C):
    X, y = make_data(500, 8, 3)
    saga = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", random_state=0, tol=1e-9, max_iter=10_000
    )
    lowest = penalised(saga.fit(X, y), X, y, C, l1_ratio)
    model = classifier(C=C, l1_ratio=l1_ratio, tol=1e-8).fit(X, y)
    # saga leaves something above the lowest.
    assert lowest * (1 - 1e-4) < penalised(model, X, y, C, l1_ratio) < lowest * (1 + 1e-9)


@pytest.mark.parametrize("solver", [*SOLVERS, "sgd"], indirect=True)
def test_ends_of_elastic_net(make_data, solver):
    X, y = make_data(500, 8, 3)
    found = classifier(l1_ratio=0.0, random_state=0).fit(X, y)
    np.testing.assert_array_equal(found.coef_, classifier(random_state=0).fit(X, y).coef_)
    assert np.count_nonzero(found.coef_) == found.coef_.size
    if solver == "lbfgs":
        with pytest.raises(ValueError, match=r"l1_ratio=1\.0 is not allowed with solver='lbfgs'"):
            classifier(l1_ratio=1.0).fit(X, y)
        return
    sparse = classifier(C=0.02, l1_ratio=1.0, random_state=0).fit(X, y)
    assert 0 < np.count_nonzero(sparse.coef_) < sparse.coef_.size
