"""Fits, predictions and scores of rows that are read in blocks."""

import gc
import pickle
import threading
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.blocks import open_blocks
from softreg_fast.blocks.read_ahead import read_ahead
from softreg_fast.data.blocked import (
    Block,
    BlockedProblem,
    BlockKind,
    RowShare,
    keys_of,
)
from softreg_fast.data.problem import Problem
from softreg_fast.data.tree_sums import Subtree, TreeSum, add_subtrees, add_sums
from softreg_fast.objective.blockwise import KeptAccumulators
from softreg_fast.objective.feature_sums import sum_features
from softreg_fast.solvers.sgd import windows as windows_module

BLOCK_ROWS = 700
EXACT = [
    {"solver": "newton"},
    {"solver": "lbfgs"},
    {"solver": "newton", "l1_ratio": 0.5, "C": 0.05},
    {"solver": "newton", "class_weight": "balanced", "fit_intercept": False},
    {"solver": "newton", "class_weight": {0: 2.0, 2: 0.5}},
]


@pytest.fixture(scope="module")
def data():
    return make_classification(
        5_000, 8, n_informative=6, n_classes=3, n_clusters_per_class=1, random_state=0
    )


@pytest.fixture(scope="module")
def weights():
    drawn = np.random.default_rng(1).exponential(size=5_000)
    drawn[::7] = 0.0
    return drawn


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(windows_module, "_BYTES_OF_A_WINDOW", 1 << 16)
    monkeypatch.setattr("softreg_fast.blocks.learned._BYTES_OF_A_CHUNK", 1 << 12)


def _pieces(X, y, n_rows, weights=None):
    for start in range(0, len(y), n_rows):
        rows = slice(start, start + n_rows)
        yield (X[rows], y[rows]) if weights is None else (X[rows], y[rows], weights[rows])


def _sources(X, y, folder):
    """The same rows from everywhere."""
    for name, array in (("X", X), ("y", y)):
        np.save(folder / f"{name}.npy", array)
        np.save(folder / f"{name}_0.npy", array[:1_234])
        np.save(folder / f"{name}_1.npy", array[1_234:])
    paths = [folder / f"X_{part}.npy" for part in range(2)]
    return [
        (X, y),
        (np.asfortranarray(X), list(y)),
        (folder / "X.npy", folder / "y.npy"),
        (str(folder / "X.npy"), y),
        (str(folder / "X_?.npy"), str(folder / "y_?.npy")),
        (paths, [folder / f"y_{part}.npy" for part in range(2)]),
        (list(_pieces(X, y, 999)), None),
        (lambda: _pieces(X, y, 1_500), None),
    ]


def _fit(X, y, weights=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SoftmaxClassifier(**parameters).fit(X, y, weights)


def _assert_same_bits(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.intercept_, other.intercept_)
    np.testing.assert_array_equal(model.loss_curve_, other.loss_curve_)
    assert model.gap_ == other.gap_


@pytest.mark.parametrize("parameters", EXACT)
def test_exact_fits_equal_those_in_memory(data, parameters):
    X, y = data
    rows = open_blocks(X, y, block_rows=BLOCK_ROWS)
    in_blocks = _fit(rows, None, tol=1e-11, **parameters)
    in_memory = _fit(X, y, tol=1e-11, **parameters)
    np.testing.assert_allclose(in_blocks.coef_, in_memory.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(in_blocks.intercept_, in_memory.intercept_, rtol=0, atol=1e-8)
    assert in_blocks.n_features_in_ == 8
    np.testing.assert_array_equal(in_blocks.classes_, in_memory.classes_)


@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.full)])
@pytest.mark.parametrize("parameters", EXACT[:3])
def test_the_bits_are_the_same_wherever_rows_come_from(data, tmp_path, parameters, dtype):
    X, y = data[0].astype(dtype), data[1]
    models = [
        _fit(open_blocks(source, target, block_rows=BLOCK_ROWS), None, tol=1e-5, **parameters)
        for source, target in _sources(X, y, tmp_path)
    ]
    assert models[0].coef_.dtype == dtype
    for model in models[1:]:
        _assert_same_bits(model, models[0])


@pytest.mark.parametrize("parameters", [*EXACT[:3], {"solver": "sgd", "max_iter": 3}])
def test_the_bits_are_the_same_for_any_number_of_threads(data, small_windows, parameters):
    rows = open_blocks(*data, block_rows=BLOCK_ROWS)
    single, several = (
        _fit(rows, None, n_threads=n_threads, random_state=0, **parameters) for n_threads in (1, 2)
    )
    _assert_same_bits(single, several)


def test_weights_come_with_the_blocks(data, weights, tmp_path):
    X, y = data
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "weights.npy", weights)
    expected = _fit(X, y, weights, solver="newton", tol=1e-11)
    fits = [
        _fit(rows, None, solver="newton", tol=1e-11)
        for rows in (
            open_blocks(X, y, weight=weights, block_rows=BLOCK_ROWS),
            open_blocks(lambda: _pieces(X, y, 800, weights), block_rows=BLOCK_ROWS),
            open_blocks(
                tmp_path / "X.npy", y, weight=tmp_path / "weights.npy", block_rows=BLOCK_ROWS
            ),
        )
    ]
    np.testing.assert_allclose(fits[0].coef_, expected.coef_, rtol=0, atol=1e-8)
    for model in fits[1:]:
        _assert_same_bits(model, fits[0])
    rows = open_blocks(X, y, weight=weights, block_rows=BLOCK_ROWS)
    assert fits[0].score(rows) == pytest.approx(expected.score(X, y, weights), rel=1e-12)


def test_few_rows_are_fitted_as_in_memory(data):
    X, y = data[0][:500], data[1][:500]
    in_blocks = _fit(open_blocks(X, y, block_rows=77), None, solver="newton")
    _assert_same_bits(in_blocks, _fit(X, y, solver="newton"))


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_sparse_blocks_are_fitted_exactly(data, solver):
    X, y = data[0] * (np.abs(data[0]) > 0.7), data[1]
    rows = open_blocks(csr_array(X), y, block_rows=BLOCK_ROWS)
    in_blocks = _fit(rows, None, solver=solver, tol=1e-11)
    in_memory = _fit(X, y, solver="newton", tol=1e-11)
    np.testing.assert_allclose(in_blocks.coef_, in_memory.coef_, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(in_blocks.predict(rows), in_memory.predict(X))


def test_sparse_blocks_hold_as_many_rows_as_there_is_room_for(data, monkeypatch):
    monkeypatch.setattr("softreg_fast.blocks.cutting.MOST_BYTES", 50_000)
    X = csr_array(data[0] * (np.abs(data[0]) > 0.7))
    learned, _ = open_blocks(X, data[1]).learn()
    halves, _ = open_blocks([(X[:1_000], data[1][:1_000]), (X[1_000:], data[1][1_000:])]).learn()
    np.testing.assert_array_equal(learned.summary.firsts, halves.summary.firsts)
    assert learned.n_blocks > 3
    per_row = np.diff(X.indptr) * 12 + X.indptr.itemsize
    for start, stop in pairwise(learned.summary.firsts):
        assert per_row[start:stop].sum() <= 50_000
    model = _fit(open_blocks(X, data[1]), None, tol=1e-11)
    expected = _fit(X.toarray(), data[1], tol=1e-11)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"l1_ratio": 1.0, "C": 0.05},
        {"learning_rate": "invscaling"},
        pytest.param({"learning_rate": 0.01, "feature_scaling": "none"}, marks=pytest.mark.full),
        {"feature_scaling": "whiten"},
        pytest.param({"averaging": False, "shuffle": False}, marks=pytest.mark.full),
    ],
)
def test_gradient_descent_ends_close_to_the_optimum(data, small_windows, parameters):
    X, y = data
    rows = open_blocks(X, y, block_rows=BLOCK_ROWS)
    model = _fit(rows, None, solver="sgd", random_state=0, **parameters)
    exact = {name: parameters[name] for name in parameters.keys() & {"l1_ratio", "C"}}
    optimum = _fit(X, y, solver="newton", **exact)
    assert _objective(model, X, y) < 1.02 * _objective(optimum, X, y)
    again = _fit(rows, None, solver="sgd", random_state=0, **parameters)
    _assert_same_bits(again, model)
    if model.l1_ratio:
        assert (model.coef_ == 0.0).any()


def _objective(model, X, y):
    losses = -model.predict_log_proba(X)[np.arange(len(y)), y]
    squares = (1.0 - model.l1_ratio) * 0.5 * np.sum(model.coef_**2)
    return model.C * losses.sum() + squares + model.l1_ratio * np.abs(model.coef_).sum()


def test_gradient_descent_over_sparse_blocks(data, small_windows):
    X, y = csr_array(data[0] * (np.abs(data[0]) > 0.7)), data[1]
    model = _fit(open_blocks(X, y), None, solver="sgd", random_state=0)
    optimum = _fit(X, y, solver="lbfgs")
    assert _objective(model, X, y) < 1.02 * _objective(optimum, X, y)


def test_gradient_descent_goes_back_where_steps_are_too_long(data, small_windows, monkeypatch):
    X, y = data
    monkeypatch.setattr(windows_module, "bound_curvature", lambda *_, **__: 1e-4)
    model = _fit(open_blocks(X, y), None, solver="sgd", random_state=0)
    optimum = _fit(X, y)
    assert _objective(model, X, y) < 1.1 * _objective(optimum, X, y)


def test_a_learning_rate_that_is_too_large_is_refused(data, small_windows):
    rows = open_blocks(*data)
    with pytest.raises(ValueError, match=r"learning_rate=1e\+30 is too large"):
        _fit(rows, None, solver="sgd", learning_rate=1e30, random_state=0)


@pytest.mark.parametrize("seed", [None, 3])
def test_windows_have_every_row_once(data, weights, small_windows, seed):
    X, y = data
    learned, _ = open_blocks(X, y, weight=weights, block_rows=BLOCK_ROWS).learn()
    windows = list(learned.windows(1_000, seed))
    assert len(windows) > 3
    found = np.concatenate([window.rows for window in windows])
    np.testing.assert_array_equal(np.sort(found), np.arange(len(y)))
    assert (seed is None) == bool((np.diff(found) > 0).all())
    for window in windows:
        np.testing.assert_array_equal(window.features, X[window.rows])
        np.testing.assert_array_equal(window.targets, y[window.rows])
        np.testing.assert_array_equal(window.weights, weights[window.rows])
    again = np.concatenate([window.rows for window in learned.windows(1_000, seed)])
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("are_blocks", [True, False])
def test_held_out_rows_may_be_blocks(data, small_windows, are_blocks):
    X, y = data
    rows = open_blocks(X[:4_000], y[:4_000])
    held_out = (open_blocks(X[4_000:], y[4_000:]),) if are_blocks else (X[4_000:], y[4_000:])
    model = SoftmaxClassifier(solver="sgd", random_state=0).fit(rows, None, None, *held_out)
    assert model.converged_
    losses = -model.predict_log_proba(X[4_000:])[np.arange(1_000), y[4_000:]]
    assert losses.mean() == pytest.approx(model.validation_curve_.min(), rel=1e-4)


def test_early_stopping_holds_out_rows_by_their_numbers(data, weights, small_windows):
    X, y = data
    models = [
        SoftmaxClassifier(solver="sgd", early_stopping=True, random_state=0).fit(
            open_blocks(X, y, weight=weights, block_rows=block_rows)
        )
        for block_rows in (300, 900)
    ]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-6)
    assert models[0].converged_
    assert len(models[0].validation_curve_) == models[0].n_iter_


def test_shares_of_rows_are_counted(data, weights):
    learned, classes = open_blocks(*data, weight=weights, block_rows=BLOCK_ROWS).learn()
    problem = BlockedProblem(
        learned, np.zeros(0, np.int32), len(classes), "identity", np.dtype(np.float64)
    )
    share = RowShare(5, 0.2, 0.5, is_inside=True)
    part, rest = problem.with_shares([share, replace(share, is_inside=False)])
    is_in = share.has(np.arange(5_000))
    assert 0.25 < is_in.mean() < 0.35
    for each, mask in ((part, is_in), (rest, ~is_in)):
        np.testing.assert_array_equal(
            each.class_counts, np.bincount(data[1][mask & (weights > 0.0)], minlength=3)
        )
        np.testing.assert_allclose(
            each.class_weights, np.bincount(data[1], weights * mask, minlength=3)
        )
        assert each.with_mean_weight_one().total_weight == pytest.approx(each.class_counts.sum())
    taken = part.take_sample(10_000, 0)
    assert taken.n_samples == part.class_counts.sum()


def test_samples_do_not_depend_on_where_blocks_are_cut(data):
    drawn = []
    for block_rows in (100, 5_000):
        learned, classes = open_blocks(*data, block_rows=block_rows).learn()
        problem = BlockedProblem(
            learned, np.zeros(0, np.int32), len(classes), "identity", np.dtype(np.float64)
        )
        drawn.append(problem.draw(np.array([10, 200, 0]), seed=1))
    np.testing.assert_array_equal(*drawn)
    np.testing.assert_array_equal(np.bincount(data[1][drawn[0]], minlength=3), [10, 200, 0])


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1.0, 1e-170])
@pytest.mark.parametrize("make", [np.asarray, csr_array])
def test_sums_of_features_equal_those_in_memory(data, weights, make, offset, scale):
    X = data[0].copy()
    X[:, 0] += offset
    X[:, 1] *= scale
    X[:, 2] = 3.0
    rows, y = make(X), data[1]
    learned, _ = open_blocks(rows, y, weight=weights, block_rows=BLOCK_ROWS).learn()
    problem = BlockedProblem(learned, np.zeros(0, np.int32), 3, "identity", np.dtype(np.float64))
    found = sum_features(problem)
    expected = sum_features(problem.take(np.arange(5_000)))
    np.testing.assert_allclose(found.means, expected.means, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(found.deviations, expected.deviations, rtol=1e-9)
    np.testing.assert_allclose(found.class_weights, expected.class_weights)
    assert found.n_samples == expected.n_samples


def test_sums_are_added_by_a_binary_tree():
    values = np.random.default_rng(0).standard_normal(1_000)

    def total(numbers):
        while len(numbers) > 1:
            pairs = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
            numbers = [pair[0] if len(pair) == 1 else add_sums(*pair) for pair in pairs]
        return numbers[0]

    for n_blocks in (1, 2, 3, 7, 1_000):
        tree = TreeSum()
        for value in values[:n_blocks]:
            tree.add((value,))
        assert tree.total == total([(value,) for value in values[:n_blocks]])


def test_sums_are_added_by_the_same_tree_wherever_the_blocks_are():
    random = np.random.default_rng(0)
    for n_blocks in (1, 2, 3, 7, 64, 1_000):
        values = random.lognormal(sigma=9.0, size=n_blocks)
        whole = TreeSum()
        for value in values:
            whole.add((value,))
        for n_parts in (1, 2, 5):
            parts = [TreeSum() for _ in range(n_parts)]
            for number, part in enumerate(random.integers(n_parts, size=n_blocks)):
                parts[part].add_subtree(Subtree(number, 0, (values[number],)))
            assert add_subtrees([part.subtrees for part in parts]) == whole.total


def test_predictions_and_scores_equal_those_in_memory(data):
    X, y = data
    rows = open_blocks(X, y, block_rows=BLOCK_ROWS)
    model = _fit(rows, None)
    np.testing.assert_array_equal(model.predict(rows), model.predict(X))
    probabilities = list(model.iter_predict_proba(rows))
    assert [len(block) for block in probabilities] == [BLOCK_ROWS] * 7 + [100]
    np.testing.assert_array_equal(np.concatenate(probabilities), model.predict_proba(X))
    labels = list(model.iter_predict(rows))
    np.testing.assert_array_equal(np.concatenate(labels), model.predict(X))
    assert model.score(rows) == model.score(X, y)
    without_target = open_blocks(X, block_rows=BLOCK_ROWS)
    np.testing.assert_array_equal(model.predict(without_target), model.predict(X))
    with pytest.raises(ValueError, match="the rows have no target"):
        model.score(without_target)


@pytest.mark.parametrize("labels", [["b", "a", "c"], [10, -3, 7], [2.0, 1.0, 0.0], [True, False]])
def test_labels_of_every_kind(data, labels):
    X, y = data
    names = np.array(labels)[y % len(labels)]
    expected = _fit(X, names, solver="newton", tol=1e-9)
    for rows in (
        open_blocks(X, names, block_rows=BLOCK_ROWS),
        open_blocks(lambda: _pieces(X, names.astype(object), 600), block_rows=BLOCK_ROWS),
    ):
        model = _fit(rows, None, solver="newton", tol=1e-9)
        np.testing.assert_array_equal(model.classes_, expected.classes_)
        assert model.classes_.dtype == expected.classes_.dtype
        np.testing.assert_array_equal(model.predict(rows), expected.predict(X))
        assert model.score(rows) == expected.score(X, names)


@pytest.mark.parametrize("parameters", [{}, {"C": np.inf}, {"class_weight": {1: 3.0}}])
def test_standard_errors_equal_those_in_memory(weights, parameters):
    X, y = make_classification(
        5_000, 6, n_informative=6, n_redundant=0, n_classes=3, flip_y=0.2, random_state=0
    )
    rows = open_blocks(X, y, weight=weights, block_rows=BLOCK_ROWS)
    model = SoftmaxClassifier(tol=1e-9, **parameters).fit(rows)
    found, expected = model.summary(rows), model.summary(X, y, weights)
    np.testing.assert_allclose(found.std_err, expected.std_err, rtol=1e-9)
    np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-6, atol=1e-300)


SEARCHES = [
    {},
    {"l1_ratios": (0.0, 0.5)},
    pytest.param(
        {"solver": "lbfgs", "scoring": "accuracy", "class_weight": "balanced"},
        marks=pytest.mark.full,
    ),
    {"refit": False, "fit_intercept": False},
]


@pytest.mark.parametrize("parameters", SEARCHES)
def test_cross_validation_equals_fits_of_the_folds(data, weights, parameters):
    X, y = data
    rows = open_blocks(X, y, weight=weights, block_rows=BLOCK_ROWS)
    found = SoftmaxClassifierCV(Cs=[0.01, 1.0], cv=3, tol=1e-10, **parameters).fit(rows)
    numbers = keys_of(np.arange(len(y)), 0) / 2.0**64
    folds = [(numbers < k / 3) | (numbers >= (k + 1) / 3) for k in range(3)]
    splits = [(np.flatnonzero(fold), np.flatnonzero(~fold)) for fold in folds]
    expected = SoftmaxClassifierCV(Cs=[0.01, 1.0], cv=splits, tol=1e-10, **parameters)
    expected.fit(X, y, weights)
    np.testing.assert_allclose(found.scores_, expected.scores_, rtol=1e-7)
    np.testing.assert_allclose(found.coefs_paths_, expected.coefs_paths_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-6)
    assert (found.C_, found.l1_ratio_) == pytest.approx((expected.C_, expected.l1_ratio_))
    assert found.score(rows) == pytest.approx(found.score(X, y, weights), rel=1e-9)


def test_each_block_is_read_once_for_all_folds(data):
    calls = []

    def blocks():
        calls.append(None)
        return _pieces(*data, 1_000)

    def count(n_folds):
        calls.clear()
        rows = open_blocks(blocks, block_rows=BLOCK_ROWS)
        search = SoftmaxClassifierCV(Cs=[0.1], cv=n_folds, refit=False, solver="lbfgs")
        search.fit(rows)
        return len(calls)

    assert count(6) < 1.5 * count(2)


def test_a_fold_that_fails_ends_the_search(data, monkeypatch):
    rows = open_blocks(*data, block_rows=BLOCK_ROWS)
    search = SoftmaxClassifierCV(Cs=[1.0], cv=4, solver="lbfgs")
    seen = []

    def fail(self, block):
        seen.append(None)
        if len(seen) == 60:
            raise MemoryError("no room")
        return real(self, block)

    real = BlockKind.problem_of
    monkeypatch.setattr(BlockKind, "problem_of", fail)
    with pytest.raises(MemoryError, match="no room"):
        search.fit(rows)
    assert threading.active_count() < 10


def test_what_cross_validation_over_blocks_refuses(data):
    rows = open_blocks(*data, block_rows=BLOCK_ROWS)
    for parameters, match in [
        ({"cv": KFold(3)}, "cv=KFold.* must be an integer"),
        ({"cv": 1}, "cv=1 is not allowed"),
        ({"scoring": "f1_macro"}, "scoring='f1_macro' is not allowed with rows in blocks"),
        ({"penalty_groups": "features", "l1_ratios": (1.0,)}, "penalty_groups='features'"),
    ]:
        with _refused(match, (TypeError, ValueError)):
            SoftmaxClassifierCV(**parameters).fit(rows)
    with _refused("groups is not allowed beside rows in blocks"):
        SoftmaxClassifierCV().fit(rows, groups=np.zeros(5_000))
    with _refused("cv=6 is not allowed with 6 samples"):
        SoftmaxClassifierCV(cv=6).fit(open_blocks(data[0][:6], data[1][:6]))


def test_a_label_that_comes_late_is_learnt(data):
    X, y = data
    order = np.argsort(y, kind="stable")
    rows = open_blocks(X[order], y[order], block_rows=BLOCK_ROWS)
    model = _fit(rows, None, solver="newton", tol=1e-10)
    np.testing.assert_allclose(
        model.coef_, _fit(X, y, solver="newton", tol=1e-10).coef_, rtol=0, atol=1e-8
    )


def test_a_label_that_is_none_of_the_classes_is_named(data):
    X, y = data
    y = y.copy()
    y[3_210] = 5
    blocks = list(_pieces(X, y, 1_000))
    with pytest.raises(ValueError, match=r"label 5 .* \[0, 1, 2\], in row 210 of block 3; leave"):
        open_blocks(blocks, classes=[0, 1, 2]).learn()


def test_classes_that_no_row_has_may_be_named(data):
    rows = open_blocks(*data, classes=[0, 1, 2, 9])
    model = SoftmaxClassifier(max_iter=50).fit(rows)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2, 9])
    assert model.predict_proba(data[0])[:, 3].max() < 0.1


def test_warm_start_goes_on_from_the_last_fit(data):
    rows = open_blocks(*data, block_rows=BLOCK_ROWS)
    model = _fit(rows, None, warm_start=True, solver="lbfgs")
    first = model.n_iter_
    assert model.fit(rows).n_iter_ < first


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_separated_classes_are_found(data, solver):
    X, y = data[0].copy(), data[1]
    rows = open_blocks(X, y, block_rows=BLOCK_ROWS)
    SoftmaxClassifier(C=np.inf, solver=solver).fit(rows)
    X[:, 3] = 10.0 * y
    with pytest.warns(ConvergenceWarning, match="separate"):
        SoftmaxClassifier(C=np.inf, solver=solver, max_iter=30).fit(open_blocks(X, y))


def _refused(match, exception=ValueError):
    return pytest.raises(exception, match=match)


def test_arguments_that_go_with_arrays_alone_are_refused(data):
    X, y = data
    rows = open_blocks(X, y)
    model = SoftmaxClassifier()
    with _refused("y is not allowed beside rows in blocks; .* target="):
        model.fit(rows, y)
    with _refused("sample_weight is not allowed beside rows in blocks; .* weight="):
        model.fit(rows, sample_weight=np.ones(len(y)))
    with _refused("penalty_groups='features' is not allowed with rows in blocks"):
        SoftmaxClassifier(penalty_groups="features", l1_ratio=1.0).fit(rows)
    with _refused("categorical_features=.* is not allowed with rows in blocks"):
        SoftmaxClassifier(categorical_features=[0]).fit(rows)
    with _refused("y_val is not allowed beside rows in blocks"):
        SoftmaxClassifier(solver="sgd").fit(rows, X_val=rows, y_val=y)
    with _refused("solver='newton' is not allowed with 3000 features"):
        wide = csr_array((5_000, 3_000))
        SoftmaxClassifier(solver="newton").fit(open_blocks(wide, y))
    with _refused("requires y to be passed, but the target y is None"):
        model.fit(X)
    assert not hasattr(model, "coef_")
    model.fit(rows)
    for method in (model.predict_proba, model.decision_function, model.predict_log_proba):
        with _refused("use iter_predict_proba", TypeError):
            method(rows)
    with _refused("y is not allowed beside rows in blocks"):
        model.score(rows, y)
    with _refused("rows is a ndarray: it must be RowBlocks", TypeError):
        model.iter_predict(X)
    with _refused("X has 7 features, but SoftmaxClassifier is expecting 8"):
        model.predict(open_blocks(X[:, :7]))
    with _refused("the rows have no target"):
        model.fit(open_blocks(X))


def test_tools_that_need_arrays_refuse_blocks_by_name(data):
    rows = open_blocks(*data)
    with _refused("GridSearchCV, .* Pipeline", TypeError):
        GridSearchCV(SoftmaxClassifier(), {"C": [1.0]}).fit(rows)
    with _refused("GridSearchCV, .* Pipeline", TypeError):
        make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(rows)


def _broken(X, y, place, change):
    """Blocks of which one is changed."""
    blocks = [list(block) for block in _pieces(X, y, 1_000, np.ones(len(y)))]
    blocks[place] = change(*(part.copy() for part in blocks[place]))
    return blocks


def _with_nan(X, y, w):
    X[17, 2] = np.nan
    return X, y, w


def _with_infinity(X, y, w):
    X[17, 2] = np.inf
    return X, y, w


def _with_negative(X, y, w):
    w[5] = -1.0
    return X, y, w


def _with_missing_label(X, y, w):
    y = y.astype(float)
    y[3] = np.nan
    return X, y, w


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_with_nan, "feature 2 is NaN in row 17 of block 4: .* fill in or leave out"),
        (_with_infinity, "feature 2 is inf in row 17 of block 4"),
        (_with_negative, r"the weight is -1.0 in row 5 of block 4"),
        (_with_missing_label, r"missing \(NaN\), in row 3 of block 4"),
        (lambda X, y, w: (X[:, :7], y, w), "block 4 has 7 features, but block 0 has 8"),
        (
            lambda X, y, w: (X.astype(np.float32), y, w),
            "block 4 has features of dtype float32, but block 0 has float64",
        ),
        (lambda X, y, w: (csr_array(X), y, w), "block 4 has rows that are sparse, .* dense"),
        (lambda X, y, w: (X[:0], y[:0], w[:0]), r"block 4 has features of shape \(0, 8\)"),
        (lambda X, y, w: (X[0], y, w), r"block 4 has features of shape \(8,\)"),
        (lambda X, y, w: (X, y[:5], w), r"block 4 has a target of shape \(5,\) beside 1000 rows"),
        (lambda X, y, w: (X, y, w[:5]), r"block 4 has a weight of shape \(5,\) beside 1000 rows"),
        (lambda X, y, w: (X, y.astype(str), w), "holds strings here and integers elsewhere"),
        (lambda X, y, w: (X, y + 0.5, w), "the target of block 4 is not allowed: .*continuous"),
        (lambda X, y, w: (X, y, w.astype(str)), "block 4 has weights of dtype"),
        (lambda X, y, w: (X.astype(str), y, w), "block 4 has features of dtype"),
        (lambda X, y, w: (X, y, w, w), "block 4 is a tuple of 4"),
        (lambda X, y, w: (X, y, np.full(1_000, np.inf)), "the weight is inf in row 0"),
    ],
)
def test_a_bad_block_is_named(data, change, match):
    rows = open_blocks(_broken(*data, 4, change), block_rows=BLOCK_ROWS)
    model = SoftmaxClassifier(C=2.0).fit(*data)
    before = vars(model).copy()
    with _refused(match, (TypeError, ValueError)):
        model.fit(rows)
    assert vars(model) == before


def test_sparse_blocks_are_looked_at(data):
    X = csr_array(data[0])
    X.data[-1] = np.nan
    with _refused("NaN.* in rows of block 1 from row 0 on"):
        open_blocks([(X[:2_500], data[1][:2_500]), (X[2_500:], data[1][2_500:])]).learn()


def test_rows_that_change_between_passes_are_refused(data):
    X, y = data
    calls = []

    def shrinking():
        calls.append(None)
        return _pieces(X[: 5_000 - 100 * len(calls)], y[: 5_000 - 100 * len(calls)], 1_000)

    rows = open_blocks(shrinking, block_rows=BLOCK_ROWS)
    with _refused("all passes must give the same rows"):
        SoftmaxClassifier().fit(rows)


def test_iterators_that_can_be_read_once_are_refused(data):
    with _refused("can be read only once: give a callable", TypeError):
        open_blocks(_pieces(*data, 100))
    used = _pieces(*data, 100)
    with _refused("same iterator", TypeError):
        SoftmaxClassifier().fit(open_blocks(lambda: used))
    with _refused("there are no rows"):
        open_blocks(list).learn()
    with _refused("data is a int", TypeError):
        open_blocks(3)
    with _refused("target is not allowed beside blocks"):
        open_blocks(list, target="y")


def test_arguments_of_open_blocks_are_checked(data, tmp_path):
    X, y = data
    for value in (0, -1, 2.5, "all"):
        with _refused(f"block_rows={value!r} is not allowed", (TypeError, ValueError)):
            open_blocks(X, y, block_rows=value)
    for value in ([1], "abc", [[0, 1], [1, 0]]):
        with _refused("classes=.* is not allowed", (TypeError, ValueError)):
            open_blocks(X, y, classes=value)
    with _refused("data is an empty string", FileNotFoundError):
        open_blocks("")
    with _refused("data is a dict: it must be", TypeError):
        open_blocks({"X": X, "y": y})
    with _refused("target has 10 rows, but X has 5000"):
        open_blocks(X, y[:10])
    with _refused("there is no file", FileNotFoundError):
        open_blocks(tmp_path / "missing.npy")
    with _refused("no file matches", FileNotFoundError):
        open_blocks(str(tmp_path / "*.npy"))
    np.save(tmp_path / "X.npy", X)
    content = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(content[: len(content) // 2])
    with _refused("X.npy can't be read as a .npy file"):
        open_blocks(tmp_path / "X.npy", y)
    with _refused("the sum of the weights is 0"):
        open_blocks(X, y, weight=np.zeros(5_000)).learn()
    with _refused("sum of weight"):
        SoftmaxClassifier(class_weight=dict.fromkeys(range(3), 0.0)).fit(open_blocks(X, y))


def test_gradient_descent_begins_at_a_model_that_is_given(data, small_windows):
    rows = open_blocks(*data, block_rows=BLOCK_ROWS)
    model = _fit(rows, None, solver="sgd", random_state=0, warm_start=True)
    first = model.loss_curve_[0]
    model.fit(rows)
    assert model.loss_curve_[0] < first


def test_a_clone_knows_nothing_of_blocks(data):
    model = _fit(open_blocks(*data), None)
    assert not hasattr(clone(model), "coef_")


def test_two_blocks_are_read_ahead_and_the_reader_ends():
    begun = []
    released = threading.Semaphore(0)

    def items():
        for number in range(10):
            begun.append(number)
            released.release()
            yield number

    iterator = read_ahead(items())
    assert next(iterator) == 0
    for _ in range(4):  # the one that is worked on, two ahead, and the one that waits to be handed
        released.acquire(timeout=10)
        if len(begun) == 3:
            break
    assert len(begun) <= 4
    del iterator
    gc.collect()
    assert not [each for each in threading.enumerate() if "reader" in each.name]
    assert list(read_ahead(range(5))) == list(range(5))


def test_what_reading_fails_with_comes_after_the_items_before():
    def items():
        yield 1
        raise OSError("the disk is gone")

    iterator = read_ahead(items())
    assert next(iterator) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(iterator)


def _misaligned(array):
    found = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    found[:] = array
    assert not found.flags.aligned
    return found


@pytest.mark.parametrize("is_sparse", [False, True])
def test_arrays_that_another_process_has_sent_are_aligned(data, is_sparse):
    """NumPy's sums, by which a checkpoint knows a block, have other bits of misaligned arrays."""
    X, y = data
    weights = np.ones(len(y))
    parts = [X, y.astype(np.int32), weights]
    arrays = [_misaligned(part) for part in parts]
    if is_sparse:
        matrix = csr_array(X)
        names = ("data", "indices", "indptr")
        arrays[0] = csr_array(X)
        for name in names:
            setattr(arrays[0], name, _misaligned(getattr(matrix, name)))
    block = Block(0, 0, *arrays)
    sent = []
    text = pickle.dumps(block, protocol=5, buffer_callback=sent.append)
    moved = []
    for each in sent:
        moved.append(np.empty(each.raw().nbytes + 1, np.uint8)[1:])
        moved[-1][:] = np.frombuffer(each.raw(), np.uint8)
    for found in (block, pickle.loads(text, buffers=moved)):
        features = found.features
        held = [features.data, features.indices, features.indptr] if is_sparse else [features]
        for array in (*held, found.targets, found.weights):
            assert array.flags.aligned
        dense = features.toarray() if is_sparse else features
        for array, expected in zip((dense, found.targets, found.weights), parts, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_one_accumulator_is_kept_for_blocks_of_many_lengths(data):
    X, y = data
    made, open_now = [], set()

    class Counted:
        def __init__(self, problem, n_columns, n_threads):
            made.append(problem.n_samples)

        def __enter__(self):
            open_now.add(self)
            return self

        def __exit__(self, *exception):
            open_now.discard(self)

        def turn_to(self, problem):
            pass

    kept = KeptAccumulators(Counted, 3)
    for n_rows in (5, 5, 6, 7, 7, 5):
        problem = Problem(X[:n_rows], y[:n_rows].astype(np.int32), 3, "identity", X.dtype)
        with kept.of(problem, 1):
            assert len(open_now) == 1
    assert made == [5, 6, 7, 5]
    with pytest.raises(ZeroDivisionError), kept.of(problem, 1), kept.of(problem, 1):
        len(open_now) // 0
    assert not open_now
    with kept.of(problem, 1):
        pass
    assert len(open_now) == 1
    kept.close()
    assert not open_now
