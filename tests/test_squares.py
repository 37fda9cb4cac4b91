"""Weighted squares and sums of features, which exact solvers take beside passes over the rows."""

from dataclasses import replace

import numpy as np
import pytest

from softreg_fast import reference
from softreg_fast.data.problem import make_problem
from softreg_fast.objective.coordinates import choose_coordinates
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.solvers.base import SolverOptions
from softreg_fast.solvers.newton import hessian as derivatives
from softreg_fast.solvers.newton import subsample as samples
from softreg_fast.solvers.newton.compiled import FewUnknowns

DOUBLE = np.dtype(np.float64)


def _sample(n_rows, n_unknowns, seed=0):
    features = np.zeros((n_rows, samples._pad(n_unknowns)))
    features[:, :n_unknowns] = np.random.default_rng(seed).standard_normal((n_rows, n_unknowns))
    row_weights = np.full(n_rows, 1 / n_rows)
    missing = np.zeros(n_unknowns)
    return samples.Sample(features, n_unknowns, row_weights, slice(None), 1.0, missing, True)


@pytest.mark.parametrize("n_sets", [1, 3])
@pytest.mark.parametrize("n_unknowns", [1, 5, 6, 9, 17, 24, 41])
@pytest.mark.parametrize("n_rows", [1, 128, 150])
def test_squares_equal_reference(n_rows, n_unknowns, n_sets):
    sample = _sample(n_rows, n_unknowns)
    all_weights = np.random.default_rng(1).standard_normal((n_sets, n_rows))
    found = derivatives._weigh_squares(sample, all_weights, 1)
    expected = reference.weigh_squares(sample.features[:, :n_unknowns], all_weights)
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.triu(found), np.triu(expected), rtol=0, atol=1e-12 * n_rows)


def test_rows_that_are_chosen_stand_for_all(monkeypatch):
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_WORTH_CHOOSING_ROWS", 0)
    sample = _sample(4_000, 5)
    features = sample.features[:, :5]
    even = np.full((1, 4_000), 0.25)
    found = derivatives._weigh_squares(sample, even, 1)
    np.testing.assert_allclose(np.triu(found), np.triu(reference.weigh_squares(features, even)))
    # Few rows have nearly all the weight; a class may have none.
    uneven = np.zeros((3, 4_000))
    uneven[:2] = np.random.default_rng(0).exponential(size=(2, 4_000)) ** 8
    found = derivatives._weigh_squares(sample, uneven, 1)
    expected = reference.weigh_squares(features, uneven)
    largest = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(np.triu(found) - np.triu(expected)) <= 0.01 * largest).all()
    uniforms = np.random.default_rng(1).random(4_000)
    rows, weights = derivatives._choose_rows(uneven[0], uniforms)
    assert len(rows) < 1_000
    np.testing.assert_allclose(weights.sum(), uneven[0].sum(), rtol=0.01)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("n_rows", "n_unknowns"), [(1, 1), (30, 5), (131, 14)])
def test_complete_derivatives_equal_reference(n_rows, n_unknowns, n_classes):
    random = np.random.default_rng(2)
    sample = replace(_sample(n_rows, n_unknowns), row_weights=random.exponential(size=n_rows))
    point = random.standard_normal((n_unknowns, n_classes))
    penalties = random.uniform(size=n_unknowns)
    gradient = random.standard_normal((n_unknowns, n_classes))
    arguments = sample.features[:, :n_unknowns], point, sample.row_weights, penalties
    for makes_regular in (True, False):
        expected = reference.complete_derivatives(*arguments, makes_regular=makes_regular)
        found = derivatives.derive_all(sample, point, penalties, makes_regular=makes_regular)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    matrix = derivatives.derive_all(sample, point, penalties, makes_regular=True)
    right = gradient.T.ravel()
    expected = np.linalg.solve(matrix + np.diag(np.tile(penalties, n_classes)), right)
    found = derivatives.factor_all(matrix, penalties, n_classes)(right)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def _follow(features, targets, weights, l2_penalties, settings, *, fit_intercept=True, start=None):
    """What compiled steps find, each penalty from the one before."""
    problem = make_problem(features, targets, "identity", DOUBLE)
    problem = replace(problem, sample_weight=weights)
    sums = sum_features(problem)
    coordinates = choose_coordinates(problem, sums, fit_intercept=fit_intercept)
    sample = samples.take_sample(problem, coordinates)
    n_columns = 1 if problem.n_classes == 2 else problem.n_classes
    few = FewUnknowns(problem, sums, coordinates, sample, n_columns)
    if start is None:
        start = np.zeros((features.shape[1], n_columns)), np.zeros(n_columns)
    return list(few.follow(problem, l2_penalties, start, settings)), coordinates, sample


def _assert_same_objectives(found, expected, rtol):
    """Of each step; rounding decides whether one more is taken where nothing is left to gain."""
    n_steps = min(len(found), len(expected))
    assert n_steps > 2
    np.testing.assert_allclose(found[:n_steps], expected[:n_steps], rtol=rtol)
    for further in (found[n_steps:], expected[n_steps:]):
        np.testing.assert_allclose(further, expected[n_steps - 1], rtol=1e-13)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("n_rows", "n_features"), [(30, 2), (131, 9)])
def test_compiled_newton_steps_equal_reference(
    make_data, n_rows, n_features, n_classes, fit_intercept
):
    features, targets = make_data(n_rows, n_features, n_classes)
    weights = np.random.default_rng(0).exponential(size=n_rows)
    weights[::5] = 0.0
    l2_penalties = [10.0, 0.5]
    settings = SolverOptions(tolerance=Tolerance(1e-9), max_iterations=6)
    found, coordinates, sample = _follow(
        features, targets, weights, l2_penalties, settings, fit_intercept=fit_intercept
    )
    rows, start = sample.features[:, : sample.n_unknowns], found[0].variables * 0.0
    for l2_penalty, descent in zip(l2_penalties, found, strict=True):
        penalties = coordinates.penalties_of(l2_penalty / weights.sum())
        arguments = rows, targets, sample.row_weights, penalties, 1e-9, start, 6
        point, objectives = reference.minimise_by_newton(*arguments)
        start = descent.variables
        _assert_same_objectives(descent.objectives, objectives[1:], rtol=1e-10)
        np.testing.assert_allclose(descent.variables, point, rtol=1e-6, atol=1e-8)
        totals = descent.totals(weights.sum())
        expected = reference.accumulate(
            features, targets, weights, *descent.model, "identity", "exact"
        )
        np.testing.assert_allclose(totals.loss, expected[0], rtol=1e-11)
        np.testing.assert_allclose(totals.weights_gradient, expected[2], rtol=1e-9, atol=1e-9)
        if fit_intercept:
            np.testing.assert_allclose(totals.bias_gradient, expected[3], rtol=1e-9, atol=1e-9)
        model_slopes = expected[2] + l2_penalty * descent.model[0]
        largest = max(np.abs(model_slopes).max(), fit_intercept * np.abs(expected[3]).max())
        np.testing.assert_allclose(descent.largest_slope, largest / weights.sum(), atol=1e-14)


def test_compiled_newton_steps_that_are_too_long_equal_reference(make_data):
    features, targets = make_data(60, 2, 3)
    start = 8.0 * np.random.default_rng(1).standard_normal((2, 3)), np.zeros(3)
    settings = SolverOptions(tolerance=Tolerance(1e-9), max_iterations=12)
    (found,), coordinates, sample = _follow(
        features, targets, np.ones(60), [1e-3], settings, start=start
    )
    expected, objectives = reference.minimise_by_newton(
        sample.features[:, : sample.n_unknowns],
        targets,
        sample.row_weights,
        coordinates.penalties_of(1e-3 / 60),
        1e-9,
        coordinates.point_of(*start),
        12,
    )
    assert len(found.objectives) > 6
    _assert_same_objectives(found.objectives, objectives[1:], rtol=1e-6)
    np.testing.assert_allclose(found.variables, expected, rtol=1e-4, atol=1e-5)


def test_compiled_newton_steps_end_where_none_leads_lower(make_data):
    features, targets = make_data(40, 2, 3)
    settings = SolverOptions(tolerance=Tolerance(0.0), max_iterations=50)
    (found,), _, _ = _follow(features, targets, np.ones(40), [1.0], settings)
    assert len(found.objectives) < 50
    assert found.largest_slope < 1e-12
    # Where all probabilities are 0 or 1, there are no second derivatives.
    start = np.array([[1e6, 0.0, -1e6], [0.0, 0.0, 0.0]]), np.zeros(3)
    (found,), _, _ = _follow(features, targets, np.ones(40), [0.0], settings, start=start)
    assert found.objectives == []
    assert found.largest_slope > 0.1
    start = np.full((2, 3), np.nan), np.zeros(3)
    (found,), _, _ = _follow(features, targets, np.ones(40), [1.0], settings, start=start)
    assert found.objectives == []


@pytest.mark.usefixtures("eager_threads")
def test_squares_have_the_same_bits_for_any_number_of_threads(started_threads):
    sample = _sample(200, 30)
    all_weights = np.random.default_rng(1).uniform(size=(2, 200))
    single, several = (derivatives._weigh_squares(sample, all_weights, n) for n in (1, 3))
    np.testing.assert_array_equal(np.triu(single), np.triu(several))
    assert started_threads


@pytest.mark.parametrize("is_weighted", [True, False], ids=["weighted", "unweighted"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_equal_reference(make_data, order, dtype, is_weighted):
    features, targets = make_data(100, 7, 3)
    features = np.asarray(features + 5.0, dtype, order=order)
    weights = np.random.default_rng(0).exponential(size=100) if is_weighted else None
    problem = replace(make_problem(features, targets, "identity", DOUBLE), sample_weight=weights)
    sums = sum_features(problem)
    row_weights = np.ones(100) if weights is None else weights
    args = features.astype(np.float64), targets, row_weights, 3
    by_class, _ = reference.sum_features(*args, np.zeros(7))
    _, squares = reference.sum_features(*args, sums.origin)
    found = sums.about_origin + sums.class_weights[:, None] * sums.origin
    np.testing.assert_allclose(found, by_class, rtol=1e-12)
    np.testing.assert_allclose(sums.squares, squares, rtol=1e-12)
    np.testing.assert_allclose(sums.class_weights, np.bincount(targets, row_weights), rtol=1e-12)


@pytest.mark.usefixtures("eager_threads")
def test_sums_have_the_same_bits_for_any_number_of_threads(make_data, monkeypatch, started_threads):
    monkeypatch.setattr("softreg_fast.objective.moments._NUMBERS_PER_BLOCK", 40)
    problem = make_problem(*make_data(203, 4, 3), "identity", DOUBLE)
    single, several = (sum_features(problem, n) for n in (1, 3))
    np.testing.assert_array_equal(single.about_origin, several.about_origin)
    np.testing.assert_array_equal(single.squares, several.squares)
    assert started_threads


def test_sums_equal_reference_where_the_first_row_is_far_off(make_data):
    features, targets = make_data(1000, 3, 3)
    features[0] = 1e9
    weights = np.ones(1000)
    weights[0] = 0.0
    problem = replace(make_problem(features, targets, "identity", DOUBLE), sample_weight=weights)
    sums = sum_features(problem)
    np.testing.assert_allclose(sums.variances, features[1:].var(axis=0), rtol=1e-10)
    np.testing.assert_allclose(sums.means, features[1:].mean(axis=0), rtol=1e-10)


def test_constant_features_have_no_variance(make_data):
    features, targets = make_data(500, 4, 3)
    features[:, 1], features[:, 2] = 0.1, -1e7
    sums = sum_features(make_problem(features, targets, "identity", DOUBLE))
    assert (sums.variances[[1, 2]] == 0.0).all()
    assert (sums.variances[[0, 3]] > 0.5).all()
