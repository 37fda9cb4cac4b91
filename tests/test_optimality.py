"""What `converged_` and `gap_` promise of the coefficients that are returned."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from random_problems import Exact, RandomProblem, faults_of, make_problem
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.data.problem import make_problem as make_plain_problem
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.optimality import slope_divisors
from softreg_fast.objective.rounding import evaluate_carefully

EXACT = ["newton", "lbfgs"]


def quiet_fit(model, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments, **named)


def _faults(seeds, solvers):
    found = {seed: faults_of(make_problem(seed, solvers)) for seed in seeds}
    return {seed: faults for seed, faults in found.items() if faults}


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2, 3))]
)
def test_random_problems_keep_what_is_promised(block):
    assert not _faults(range(25 * block, 25 * (block + 1)), (*EXACT, "auto"))


@pytest.mark.full
@pytest.mark.parametrize("solver", [*EXACT, "sgd"])
def test_more_random_problems_keep_what_is_promised(solver):
    assert not _faults(range(100, 250), [solver])


@pytest.mark.soak
@pytest.mark.parametrize("block", range(200))
def test_twenty_thousand_random_problems_keep_what_is_promised(block):
    assert not _faults(range(1000 + 100 * block, 1100 + 100 * block), (*EXACT, "auto", "sgd"))


def test_oracle_sees_a_convergence_that_is_none_and_a_gap_that_is_too_low(monkeypatch):
    problem = make_problem(0)
    problem.parameters |= {"C": 1.0, "tol": 1e-9, "max_iter": 300, "solver": "lbfgs"}
    fit = RandomProblem.fit

    def spoilt(self, X=None):
        model = fit(self, X)
        model.coef_[:, 0] += 0.1
        model.converged_, model.gap_ = True, 1e-6
        return model

    monkeypatch.setattr(RandomProblem, "fit", spoilt)
    assert [fault.split()[0] for fault in faults_of(problem)] == ["converged", "gap_"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sums_about_means_equal_extended_precision(make_data, n_classes):
    X, y = make_data(80, 3, n_classes)
    X += [1e8, -1e5, 0.0]
    n_columns = 1 if n_classes == 2 else n_classes
    weights = np.random.default_rng(1).exponential(size=80)
    weights[:4] = 0.0
    problem = make_plain_problem(X, y, "identity", np.dtype(np.float64))
    problem = replace(problem, sample_weight=weights)
    coef = 0.1 * np.random.default_rng(0).standard_normal((3, n_columns))
    bias = np.linspace(-1.0, 1.0, n_columns) - X.mean(axis=0) @ coef
    found = evaluate_carefully(problem, sum_features(problem), coef, bias, fit_intercept=True)
    parameters = {"C": np.inf, "l1_ratio": 0.0, "fit_intercept": True}
    exact = Exact(RandomProblem(X, y, weights, parameters), n_columns)
    model = SoftmaxClassifier()
    model.coef_, model.intercept_ = coef.T, bias
    point = exact.point_of(model)
    by_coef, by_bias = exact.slopes(point)
    np.testing.assert_allclose(found.loss, float(exact.objective(point)), rtol=1e-13)
    np.testing.assert_allclose(found.bias_gradient, by_bias.astype(float), atol=1e-14)
    np.testing.assert_allclose(
        found.gradient_of_features, by_coef.T.astype(float), atol=1e-14 * 1e8
    )


def test_features_that_are_hardly_penalised_are_judged_by_their_scale(make_data):
    X, y = make_data(100, 3, 2)
    problem = make_plain_problem(X * [1e-6, 1.0, 1e3], y, "identity", np.dtype(np.float64))
    sums = sum_features(problem)
    for l2_penalty, expected in [(0.0, [1e-6, 1.0, 1.0]), (1.0, [1.0, 1.0, 1.0])]:
        found = slope_divisors(replace(problem, l2_penalty=l2_penalty), sums)
        np.testing.assert_allclose(found, expected, rtol=0.2)


@pytest.mark.parametrize("sparse", [False, True])
def test_deviations_of_features_far_from_zero_keep_their_digits(make_data, sparse):
    X, y = make_data(200, 3, 2)
    X = X * [1e-2, 1.0, 1e-3] + [1e6, 1e7, 0.0]
    weights = np.random.default_rng(0).exponential(size=200)
    weights[:3] = 0.0
    features = csr_array(X) if sparse else X
    problem = make_plain_problem(X, y, "identity", np.dtype(np.float64))
    sums = sum_features(replace(problem, features=features, sample_weight=weights))
    means = np.average(X, axis=0, weights=weights)
    expected = np.sqrt(np.average((X - means) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(sums.means, means, rtol=1e-14)
    np.testing.assert_allclose(sums.deviations, expected, rtol=1e-6)


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("scale", [1e-6, 1e-170])
def test_unpenalised_fit_follows_the_scale_of_small_features(solver, sparse, scale):
    X, y = np.array([-2.0, -1, 1, 2, -0.5, 0.5])[:, None], [0, 0, 1, 1, 1, 0]
    wanted = SoftmaxClassifier(C=np.inf, tol=1e-10).fit(X, y)
    small = csr_array(X * scale) if sparse else X * scale
    found = SoftmaxClassifier(C=np.inf, solver=solver, tol=1e-10).fit(small, y)
    assert found.converged_
    np.testing.assert_allclose(found.coef_ * scale, wanted.coef_, rtol=1e-6)
    weak = SoftmaxClassifier(C=1e25, solver=solver, tol=1e-10).fit(X * 1e-6, y)
    np.testing.assert_allclose(weak.coef_ * 1e-6, wanted.coef_, rtol=1e-4)


@pytest.mark.parametrize("solver", EXACT)
def test_fit_ends_where_rounding_lets_nothing_fall(make_data, solver):
    X, y = make_data(400, 4, 3)
    with pytest.warns(ConvergenceWarning, match="has not converged") as caught:
        model = SoftmaxClassifier(solver=solver, tol=1e-14, C=np.inf).fit(X * 1e6 + 1e12, y)
    assert model.n_iter_ < 120
    assert "center or scale feature" in str(caught[0].message)
    assert "max_iter" not in str(caught[0].message)
    penalised = SoftmaxClassifier(solver=solver, tol=0.0).fit(X, y)
    assert penalised.converged_
    assert penalised.n_iter_ < 120
    assert penalised.gap_ < 1e-12


def test_feature_that_limits_is_named(make_data):
    X, y = make_data(200, 2, 2)
    X[:, 1] = np.float32(1e7) + 3.0 * X[:, 1]
    # Its rows stay rows: kernels for those are compiled for other tests.
    frame = pd.DataFrame(X.astype(np.float32), columns=["width", "seconds"], copy=False)
    with pytest.warns(ConvergenceWarning, match="center or scale the feature 'seconds'"):
        model = SoftmaxClassifier(tol=1e-9).fit(frame, y)
    assert not model.converged_
    assert model.coef_.dtype == np.float32


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_gap_of_float32_coefficients_is_that_of_what_is_returned(make_data, solver, offset):
    X, y = make_data(300, 4, 3)
    problem = RandomProblem(
        (X + offset).astype(np.float32),
        y,
        None,
        {"C": 1.0, "l1_ratio": 0.0, "fit_intercept": True, "solver": solver, "tol": 1e-8},
    )
    model = problem.fit()
    assert faults_of(problem) == []
    exact = Exact(problem, 3)
    value = exact.objective(exact.point_of(model))
    true = float((value - exact.improve(exact.point_of(model))) / value)
    assert true - 1e-13 <= model.gap_ < 10.0 * true + 1e-9


@pytest.mark.parametrize("scale", [1e50, 1e-300])
@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.full), np.float64])
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd"])
def test_gap_of_extreme_weights_is_never_too_low(make_data, scale, dtype, solver):
    X, y = make_data(100, 3, 3)
    weights = scale * np.random.default_rng(0).exponential(size=100)
    model = SoftmaxClassifier(C=1.0 / scale, solver=solver, max_iter=3)
    quiet_fit(model, X.astype(dtype), y, weights)
    same = SoftmaxClassifier(solver=solver, max_iter=3)
    quiet_fit(same, X.astype(dtype), y, weights / scale)
    np.testing.assert_allclose(model.gap_, same.gap_, rtol=1e-3)
    heavy = quiet_fit(SoftmaxClassifier(solver=solver, max_iter=1), X.astype(dtype), y, weights)
    parameters = {"C": 1.0, "l1_ratio": 0.0, "fit_intercept": True}
    exact = Exact(RandomProblem(X.astype(dtype), y, weights, parameters), 3)
    value = exact.objective(exact.point_of(heavy))
    gap = float((value - exact.improve(exact.point_of(heavy), 60)) / value)
    assert np.isnan(heavy.gap_) or heavy.gap_ >= gap - 1e-13


def _with_ignored_rows(X, y, places, value):
    """The rows, with some in between that weigh nothing, and the weights."""
    weights = np.insert(np.ones(len(y)), places, 0.0)
    return np.insert(X, places, value, axis=0), np.insert(y, places, 1), weights


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize(
    ("n_classes", "kind"),
    [
        # Columns have a kernel of their own for two classes.
        pytest.param(
            n_classes, kind, marks=[pytest.mark.full] * (n_classes == 2 and kind == "columns")
        )
        for n_classes in (2, 3)
        for kind in ("dense", "columns", "sparse", "float32")
    ],
)
def test_row_of_weight_zero_is_as_if_removed(make_data, solver, kind, n_classes, l1_ratio):
    if l1_ratio and solver == "lbfgs":
        return
    X, y = make_data(300, 4, n_classes)
    dtype = np.float32 if kind == "float32" else np.float64
    kinds = {"columns": np.asfortranarray, "sparse": csr_array}
    shape = kinds.get(kind, np.asarray)
    model = SoftmaxClassifier(solver=solver, tol=1e-9, l1_ratio=l1_ratio)
    X = X.astype(dtype)
    alone = quiet_fit(model, shape(X), y)
    wanted = alone.coef_, alone.intercept_
    bits = set()
    for value in (9.97e36, -np.finfo(dtype).max, 1.0):
        padded, labels, weights = _with_ignored_rows(X, y, [0, 150, 300], value)
        found = quiet_fit(model, shape(padded.astype(dtype)), labels, weights)
        for array, expected in zip((found.coef_, found.intercept_), wanted, strict=True):
            tolerance = 1e-5 if kind == "float32" else 1e-8
            np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance)
        bits.add(found.coef_.tobytes() + found.intercept_.tobytes())
        assert found.gap_ < 1e-6
    assert len(bits) == 1


@pytest.mark.parametrize("n_samples", [4000, 170_000])
def test_row_of_weight_zero_has_no_part_in_samples(make_data, n_samples):
    X, y = make_data(n_samples, 3, 3)
    places = np.arange(0, n_samples, 7)
    bits = set()
    for value in (9.97e36, -3.0):
        padded, labels, weights = _with_ignored_rows(X, y, places, value)
        found = SoftmaxClassifier(tol=1e-8).fit(padded, labels, weights)
        bits.add(found.coef_.tobytes() + found.intercept_.tobytes())
    assert len(bits) == 1
    wanted = SoftmaxClassifier(tol=1e-8).fit(X, y)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-6)


@pytest.mark.parametrize("l1_ratios", [(0.0,), (0.5,)])
def test_row_of_weight_zero_has_no_part_in_cross_validation(make_data, l1_ratios):
    X, y = make_data(200, 3, 3)
    bits = set()
    for value in (9.97e36, -3.0):
        padded, labels, weights = _with_ignored_rows(X, y, [0, 100], value)
        model = SoftmaxClassifierCV(Cs=4, cv=3, l1_ratios=l1_ratios, scoring="neg_log_loss")
        model.fit(padded, labels, weights)
        bits.add(model.coefs_paths_.tobytes() + model.scores_.tobytes() + model.coef_.tobytes())
    assert len(bits) == 1


def test_weight_of_zero_does_not_let_nan_through(make_data):
    X, y = make_data(50, 3, 2)
    X[3, 1] = np.nan
    weights = np.ones(50)
    weights[3] = 0.0
    for solver in ("newton", "lbfgs", "sgd"):
        with pytest.raises(ValueError, match="NaN"):
            SoftmaxClassifier(solver=solver).fit(X, y, weights)


def test_class_of_weight_zero_is_listed(make_data):
    X, y = make_data(50, 3, 3)
    model = SoftmaxClassifier().fit(X, y, (y < 2).astype(float))
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_classes", "l1_ratio", "solver"),
    [
        (300, 4, 3, 0.0, "newton"),  # few unknowns
        (300, 4, 2, 0.5, "newton"),
        (5000, 10, 3, 0.0, "newton"),  # a sample
        (200_000, 3, 3, 0.0, "newton"),  # a part first
        (300, 4, 3, 0.0, "lbfgs"),
        (300, 4, 3, 0.0, "sgd"),
        (3000, 4, 3, 0.5, "sgd"),
    ],
)
def test_watched_fit_has_the_same_bits(
    make_data, capsys, n_samples, n_features, n_classes, l1_ratio, solver
):
    X, y = make_data(n_samples, n_features, n_classes)
    parameters = {"l1_ratio": l1_ratio, "solver": solver, "random_state": 0}
    silent = quiet_fit(SoftmaxClassifier(**parameters), X, y)
    loud = quiet_fit(SoftmaxClassifier(verbose=2, **parameters), X, y)
    assert capsys.readouterr().out.count("iteration") == loud.n_iter_
    assert silent.coef_.tobytes() == loud.coef_.tobytes()
    assert silent.intercept_.tobytes() == loud.intercept_.tobytes()
    assert silent.loss_curve_.tobytes() == loud.loss_curve_.tobytes()
    assert (silent.n_iter_, silent.gap_) == (loud.n_iter_, loud.gap_)
