"""Passes over dense rows for many classes, whose products are BLAS's."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import WITHOUT_JIT
from threadpoolctl import threadpool_limits

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.data.problem import Problem
from softreg_fast.objective import blocks as module
from softreg_fast.objective.blocks import BlockAccumulator, suits
from softreg_fast.objective.optimality import Tolerance
from softreg_fast.objective.passes import accumulator_of
from softreg_fast.runtime import tuning
from softreg_fast.solvers import lbfgs
from softreg_fast.solvers.base import Size, SolverOptions
from softreg_fast.solvers.registry import Needs, choose

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
N_FEATURES, N_CLASSES = 7, 5


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(tuning, "PRODUCTS_WORTH_BLAS", 1)
    monkeypatch.setattr(tuning, "COLUMNS_WORTH_BLAS", 3)
    monkeypatch.setattr(module, "_FEWEST_ROWS", 8)
    monkeypatch.setattr(module, "_NUMBERS_OF_A_BLOCK", 8 * N_CLASSES)


def _problem(features_dtype=DOUBLE, dtype=DOUBLE, n_samples=203, **changes):
    random = np.random.default_rng(0)
    n_samples = min(n_samples, 75) if WITHOUT_JIT else n_samples
    X = random.normal(0.3, 1.0, (n_samples, N_FEATURES)).astype(features_dtype)
    targets = random.integers(0, N_CLASSES, n_samples).astype(np.int32)
    weights = random.exponential(size=n_samples) * (random.uniform(size=n_samples) > 0.2)
    return replace(Problem(X, targets, N_CLASSES, "identity", dtype, weights, 0.3), **changes)


def _model(seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((N_FEATURES, N_CLASSES)), random.standard_normal(N_CLASSES)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("is_weighted", [True, False], ids=["weighted", "unweighted"])
@pytest.mark.parametrize(
    ("features_dtype", "dtype", "order"),
    [(DOUBLE, DOUBLE, "C"), (SINGLE, DOUBLE, "F"), (SINGLE, SINGLE, "C")],
)
def test_sums_equal_reference(features_dtype, dtype, order, is_weighted, activation):
    problem = _problem(features_dtype, dtype, activation=activation)
    problem = replace(problem, features=np.asarray(problem.features, order=order))
    if not is_weighted:
        problem = replace(problem, sample_weight=None)
    model = _model()
    loss, _, *gradients = reference.accumulate(
        problem.features.astype(np.float64), problem.targets, problem.weights(), *model,
        activation, "exact",
    )  # fmt: skip
    with accumulator_of(problem, N_CLASSES, 1) as accumulator:
        assert isinstance(accumulator, BlockAccumulator)
        accumulator.evaluate(*_model(seed=5))
        found = accumulator.evaluate(*model)
        assert accumulator.loss(*model) == found.loss
    tolerance = 1e-12 if dtype == DOUBLE else 2e-5
    scale = np.abs(gradients[1]).max()
    np.testing.assert_allclose(found.loss, loss, rtol=tolerance)
    np.testing.assert_allclose(found.weights_gradient, gradients[0], atol=tolerance * scale)
    np.testing.assert_allclose(found.bias_gradient, gradients[1], atol=tolerance * scale)


def test_any_number_of_threads_gives_the_same_sums(eager_threads, started_threads):
    problem = _problem()
    found = []
    for n_threads in (1, 2, 3):
        for n_blas_threads in (1, 2):
            with threadpool_limits(n_blas_threads):
                accumulator = BlockAccumulator(problem, N_CLASSES, n_threads)
                assert len(accumulator._parts) > 3
                found.append(accumulator.evaluate(*_model()))
            assert bool(started_threads) == (n_threads > 1)
            started_threads.clear()
    for totals in found[1:]:
        for name, expected in vars(found[0]).items():
            np.testing.assert_array_equal(getattr(totals, name), expected)


def test_other_weights_of_the_same_rows():
    problem = _problem()
    accumulator = BlockAccumulator(problem, N_CLASSES, 1)
    unweighted = replace(problem, sample_weight=None)
    accumulator.turn_to(unweighted)
    expected = BlockAccumulator(unweighted, N_CLASSES, 1)
    for name, sums in vars(expected.evaluate(*_model())).items():
        np.testing.assert_array_equal(getattr(accumulator.evaluate(*_model()), name), sums)


def test_fit_begins_in_single_precision_and_ends_in_double():
    problem = _problem(SINGLE)
    start = np.zeros((N_FEATURES, N_CLASSES)), np.zeros(N_CLASSES)
    options = SolverOptions(Tolerance(1e-9), 500, n_threads=1)
    found = lbfgs.solve(problem, options, start)
    in_double = replace(problem, features=problem.features.astype(np.float64))
    expected = lbfgs.solve(in_double, options, start)
    assert found.converged
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-7)
    assert found.objective == pytest.approx(expected.objective, rel=1e-13)
    few = replace(options, max_iterations=3)
    assert lbfgs.solve(problem, few, start).n_iterations == 3
    with_gap = replace(options, tolerance=Tolerance(0.0, 1e-6))
    assert lbfgs.solve(problem, with_gap, start).optimality.gap <= 1e-6


def test_features_too_large_for_single_precision_begin_in_double():
    problem = _problem(SINGLE)
    start = np.zeros((N_FEATURES, N_CLASSES)), np.zeros(N_CLASSES)
    options = SolverOptions(Tolerance(1e-6), 500, n_threads=1)
    huge = replace(problem, features=problem.features * np.float32(1e37), l2_penalty=1e72)
    found = lbfgs.solve(huge, options, start)
    expected = lbfgs.solve(replace(problem, l2_penalty=1e-2), options, start)
    assert found.objective == pytest.approx(expected.objective, rel=1e-6)


def test_observer_may_end_the_part_in_single_precision():
    class Witness:
        n_seen = 0

        def begin_iteration(self):
            pass

        def end_iteration(self, iteration):
            self.n_seen += 1
            return self.n_seen == 2

    options = SolverOptions(Tolerance(1e-9), 500, n_threads=1)
    start = np.zeros((N_FEATURES, N_CLASSES)), np.zeros(N_CLASSES)
    found = lbfgs.solve(_problem(SINGLE), options, start, Witness())
    assert found.was_interrupted
    assert found.n_iterations == 2


def test_few_classes_are_not_taken_so(monkeypatch):
    assert suits(10, 3)
    assert not suits(10, 2)
    monkeypatch.undo()
    assert suits(768, 1_000)
    assert not suits(784, 10)
    assert not suits(100_000, 10)
    size = Size(50_000 * 768, 768, 1_000)
    assert choose("auto", Needs("identity"), size).name == "lbfgs"
    table = Size(50_000 * 768, 768, 1_000, is_table=True)  # has no products by BLAS
    assert choose("auto", Needs("identity"), table).name == "sgd"
    assert choose("auto", Needs("identity"), Size(2 * 10**9, 100_000, 10)).name == "sgd"


@pytest.mark.parametrize("n_classes", [7, pytest.param(40, marks=pytest.mark.full)])
def test_estimator_takes_many_classes(n_classes):
    random = np.random.default_rng(0)
    y = np.arange(600) % n_classes
    X = random.normal(size=(n_classes, 50))[y] + random.normal(size=(600, 50))
    X = X.astype(np.float32)
    model = SoftmaxClassifier(solver="lbfgs", tol=1e-6).fit(X, y)
    assert model.converged_
    coef, intercept = (part.astype(np.float64) for part in (model.coef_.T, model.intercept_))
    _, _, gradient, _ = reference.accumulate(
        X.astype(np.float64), y, np.ones(600), coef, intercept, "identity", "exact"
    )
    gradient += coef
    assert np.abs(gradient).max() / 600 < 1e-5
