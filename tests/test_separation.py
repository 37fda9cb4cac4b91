"""Data without an optimum, and other hard cases: an answer and a warning each time, no NaN."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.data.problem import Problem
from softreg_fast.inference import separation
from softreg_fast.inference.margins import WeighedRows
from softreg_fast.inference.overlap import proves_overlap
from softreg_fast.inference.separating_program import look_for_direction
from softreg_fast.inference.separation import find_separation

SOLVERS = ["newton", "lbfgs"]


def _fit(X, y, **settings):
    """A model, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxClassifier(**settings).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert all(each.category is ConvergenceWarning for each in caught)
    return model, " ".join(str(each.message) for each in caught)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_complete_separation_is_said(n_classes, solver):
    X, y = make_blobs(200, centers=8 * np.eye(3)[:n_classes], random_state=0)
    model, message = _fit(X, y, C=np.inf, solver=solver)
    assert "separate the classes completely" in message
    assert "set a finite C" in message
    assert model.score(X, y) == 1.0
    penalised, message = _fit(X, y, C=1e3, solver=solver, gap_tol=1e-6)
    assert message == ""
    assert penalised.gap_ <= 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_quasi_separation_is_said(make_data, n_classes, solver):
    X, y = make_data(300, 3, n_classes)
    flag = (y == 0) & (np.arange(300) % 3 == 0)
    assert flag.sum() > 10
    _, message = _fit(np.column_stack([X, flag]), y, C=np.inf, solver=solver)
    assert "quasi-complete separation" in message
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert message == ""


def test_rows_without_weight_do_not_keep_classes_together(make_data):
    X, y = make_data(200, 2, 2)
    weights = ((X[:, 0] > 0) == y).astype(float)
    with pytest.warns(ConvergenceWarning, match="completely"):
        SoftmaxClassifier(C=np.inf).fit(X, y, weights)


def _hard_cases():
    random = np.random.default_rng(0)
    X = random.standard_normal((120, 5))
    y = (X @ random.standard_normal((5, 3)) + random.gumbel(size=(120, 3))).argmax(axis=1)
    one_row = y.copy()
    one_row[0] = 3
    return {
        "duplicated columns": (np.hstack([X, X]), y),
        "constant column": (np.column_stack([X, np.full(120, 7.0)]), y),
        "a class with one row": (X, one_row),
        "scales far apart": (X * np.array([1e-8, 1.0, 1e8, 1.0, 1e-4]), y),
        "all rows equal": (np.ones((120, 5)), y),
        "more features than rows": (random.standard_normal((20, 60)), np.arange(20) % 3),
        "separable": make_blobs(60, centers=8 * np.eye(3), random_state=0),
        "many classes": (random.standard_normal((1500, 4)), np.arange(1500) % 500),
    }


@pytest.mark.parametrize("settings", [{}, {"C": np.inf}, {"l1_ratio": 1.0}], ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", list(_hard_cases()))
def test_hard_cases_end_with_a_certificate_or_a_warning(name, solver, settings):
    if solver == "lbfgs" and settings.get("l1_ratio"):
        settings = {"l1_ratio": 0.0, "C": 100.0}
    X, y = _hard_cases()[name]
    model, message = _fit(X, y, solver=solver, max_iter=200, **settings)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    if settings.get("C") == np.inf:
        assert np.isnan(model.gap_)
        assert model.converged_ or message
    else:
        assert 0.0 <= model.gap_ <= 1.0
        assert model.converged_ or "has not converged" in message


def _all_margins(X, targets, n_classes, fit_intercept):
    """A row for each row of X and other class: its margin by the unknowns of all but class 0."""
    design = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    margins = []
    for row, target in zip(design, targets, strict=True):
        for other in range(n_classes):
            if other != target:
                coefficients = np.zeros((n_classes, design.shape[1]))
                coefficients[target] += row
                coefficients[other] -= row
                margins.append(coefficients[1:].ravel())
    return np.array(margins)


def _expected_separation(X, targets, n_classes, sample_weight, fit_intercept):
    """By linear programmes over all margins at once, in features that are small whole numbers."""
    kept = np.ones(len(X), bool) if sample_weight is None else sample_weight > 0
    margins = _all_margins(X[kept], targets[kept], n_classes, fit_intercept)
    nothing = np.zeros(len(margins))
    some = linprog(-margins.sum(axis=0), A_ub=-margins, b_ub=nothing, bounds=(-1, 1))
    assert some.status == 0
    if -some.fun < 1e-6:
        return None
    costs = np.append(np.zeros(margins.shape[1]), -1.0)
    with_least = np.column_stack([-margins, np.ones(len(margins))])
    least = linprog(costs, A_ub=with_least, b_ub=nothing, bounds=[(-1, 1)] * len(costs))
    assert least.status == 0
    return "complete" if -least.fun > 1e-6 else "quasi-complete"


@dataclass
class _Case:
    X: np.ndarray
    y: np.ndarray
    n_classes: int
    sample_weight: np.ndarray | None
    fit_intercept: bool

    @cached_property
    def expected(self):
        return _expected_separation(
            self.X, self.y, self.n_classes, self.sample_weight, self.fit_intercept
        )


def _make_case(seed):
    """Few rows of indicators, small whole numbers, or numbers with zeros; all classes are there."""
    random = np.random.default_rng(seed)
    n_classes, n_features = int(random.integers(2, 5)), int(random.integers(1, 4))
    shape = int(random.integers(n_classes + 2, 30)), n_features
    X = [
        random.integers(0, 2, shape),
        random.integers(-2, 3, shape),
        np.where(random.random(shape) < 0.5, random.integers(-40, 40, shape) / 8.0, 0.0),
    ][random.integers(3)].astype(np.float64)
    strength = random.choice([0.0, 1.0, 3.0])
    scores = X @ random.standard_normal((n_features, n_classes)) * strength
    y = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    weights = None
    if random.random() < 0.4:
        weights = random.integers(0, 3, len(y)).astype(np.float64)
        weights[-1] = 1.0
    return _Case(X, y, n_classes, weights, bool(random.integers(2)))


def _said(message):
    """What a warning says of separation."""
    assert "seem to" not in message
    if "separate the classes completely" in message:
        return "complete"
    return "quasi-complete" if "quasi-complete separation" in message else None


def _disguise(case, seed):
    """The features elsewhere, of another size, or in another form: separated just the same."""
    random = np.random.default_rng(seed + 1_000_000)
    scale = random.choice([1.0, 2.0**-20, 2.0**20])
    X = (case.X + random.choice([0.0, 2.0**20]) * case.fit_intercept) * scale
    form = random.integers(3)
    if form == 0:
        return csr_array(X)
    return X.astype(np.float32) if form == 1 else X


def _check_warnings(seeds):
    """That warnings agree with linear programmes; how often they speak."""
    counts = {None: 0, "quasi-complete": 0, "complete": 0}
    for seed in seeds:
        case = _make_case(seed)
        counts[case.expected] += 1
        settings = {"solver": SOLVERS[seed % 2], "max_iter": [3, 200][seed // 2 % 2]}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            SoftmaxClassifier(C=np.inf, fit_intercept=case.fit_intercept, **settings).fit(
                _disguise(case, seed), case.y, case.sample_weight
            )
        message = " ".join(str(each.message) for each in caught)
        assert _said(message) == case.expected, f"seed {seed}: {message}"
    return counts


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_warnings_agree_with_linear_programmes(first):
    counts = _check_warnings(range(first, first + 20))
    assert counts[None] > 0
    assert counts["quasi-complete"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1000, 6000, 500))
def test_warnings_agree_with_linear_programmes_of_many_problems(first):
    counts = _check_warnings(range(first, first + 500))
    assert min(counts.values()) > 10


def _problem_of(case):
    return Problem(
        case.X,
        case.y.astype(np.int32),
        case.n_classes,
        "identity",
        np.dtype(np.float64),
        case.sample_weight,
    )


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_separation_does_not_depend_on_the_model(first):
    """Solvers stop at different distances from infinity, or early."""
    for seed in range(first, first + 50):
        case = _make_case(seed)
        random = np.random.default_rng(seed)
        n_columns = 1 if case.n_classes == 2 else case.n_classes
        shape = case.X.shape[1], n_columns
        bias = np.zeros(n_columns)
        for size in (0.0, 1.0, 1e3):
            found = find_separation(
                _problem_of(case),
                size * random.standard_normal(shape),
                bias + size * case.fit_intercept,
                fit_intercept=case.fit_intercept,
                n_threads=None,
            )
            assert found == case.expected, f"seed {seed}, size {size}"


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_proofs_of_overlap_are_right_and_found(first):
    n_overlapping = n_proven = 0
    for seed in range(first, first + 50):
        case = _make_case(seed)
        problem = _problem_of(case)
        rows = WeighedRows(problem, fit_intercept=case.fit_intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = SoftmaxClassifier(
                C=np.inf, fit_intercept=case.fit_intercept, tol=1e-6, solver="newton"
            ).fit(case.X, case.y, case.sample_weight)
        n_overlapping += case.expected is None
        for share in (0.0, 0.3, 1.0):
            weights, bias = share * model.coef_.T, share * model.intercept_
            direction = rows.direction_of(weights, bias)
            gradient = _gradient_of(case, weights, bias)
            is_proven = proves_overlap(rows, direction, rows.gradient_of(*gradient))
            assert case.expected is None or not is_proven, f"seed {seed}, share {share}"
        n_proven += is_proven
    assert n_overlapping > 10
    assert n_proven > 0.7 * n_overlapping


def _gradient_of(case, weights, bias):
    logits = case.X @ weights + bias
    if len(bias) == 1:
        logits = np.column_stack([np.zeros(len(logits)), logits])
    logits -= logits.max(axis=1, keepdims=True)
    residuals = np.exp(logits)
    residuals /= residuals.sum(axis=1, keepdims=True)
    residuals[np.arange(len(logits)), case.y] -= 1.0
    if case.sample_weight is not None:
        residuals *= case.sample_weight[:, None]
    residuals = residuals[:, -len(bias) :]
    return case.X.T @ residuals, residuals.sum(axis=0)


def _group_without_a_class():
    b = np.r_[np.ones(20), np.zeros(40)][:, None]
    return b, np.r_[np.tile([0, 1], 10), np.resize([0, 1, 2, 2], 40)]


@pytest.mark.parametrize("form", [np.asarray, csr_array, np.float32], ids=["dense", "sparse", "32"])
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("solver", SOLVERS)
def test_group_that_lacks_a_class_is_said(solver, tol, form):
    b, y = _group_without_a_class()
    _, message = _fit(form(b), y, C=np.inf, solver=solver, tol=tol, max_iter=200)
    assert "the features separate some rows from other classes" in message
    y[0] = 2
    _, message = _fit(form(b), y, C=np.inf, solver=solver, tol=tol, max_iter=200)
    assert "separat" not in message


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sparse_feature_that_a_class_lacks_is_said_however_many_there_are(sign):
    random = np.random.default_rng(0)
    categories = random.permutation(np.repeat(np.arange(600), 12))
    y = random.integers(0, 3, len(categories))
    y[categories == 7] = 1
    places = np.arange(len(categories))
    X = csr_array((np.full(len(y), sign), (places, categories)))
    is_kept = np.array([len(set(y[categories == each])) == 3 for each in range(600)])
    is_kept[7] = True
    rows = np.flatnonzero(is_kept[categories])
    _, message = _fit(X[rows], y[rows], C=np.inf, solver="lbfgs")
    assert "quasi-complete separation" in message
    assert "seem" not in message
    others = rows[categories[rows] != 7]
    _, message = _fit(X[others], y[others], C=np.inf, solver="lbfgs")
    assert message == ""


@pytest.mark.parametrize("solver", SOLVERS)
def test_rare_events_are_no_separation(solver):
    random = np.random.default_rng(0)
    X = random.standard_normal((4000, 3))
    y = random.integers(0, 2, 4000)
    rare = np.zeros(4000)
    rare[:3] = 1.0
    y[:3] = 0, 1, 2
    y[3:8] = 2  # one of six events is in the rare group of three rows
    few = np.column_stack([X * 1e-6 + 1.0, rare])
    _, message = _fit(few, y, C=np.inf, solver=solver, max_iter=300)
    assert "separat" not in message
    y[2] = 1
    _, message = _fit(few, y, C=np.inf, solver=solver, max_iter=300)
    assert "quasi-complete separation" in message


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_without_weight_are_not_looked_at(solver, is_sparse):
    b, y = _group_without_a_class()
    y[0] = 2
    weights = np.ones(60)
    weights[0] = 0.0
    _, message = _fit_weighted(csr_array(b) if is_sparse else b, y, weights, solver=solver)
    assert "quasi-complete separation" in message
    b[5] = 1e30  # a row that counts for nothing must not set the scale
    weights[0], weights[5] = 1.0, 0.0
    problem = Problem(b, y.astype(np.int32), 3, "identity", np.dtype(np.float64), weights)
    rows = WeighedRows(problem, fit_intercept=True)
    assert look_for_direction(rows, np.zeros((2, 3))) == "none"
    weights[0] = 0.0
    assert look_for_direction(WeighedRows(problem, fit_intercept=True), np.zeros((2, 3))) == (
        "quasi-complete"
    )


def _fit_weighted(X, y, weights, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxClassifier(C=np.inf, max_iter=200, **settings).fit(X, y, weights)
    return model, " ".join(str(each.message) for each in caught)


@pytest.mark.parametrize("solver", SOLVERS)
def test_class_without_weight_is_separated_by_its_intercept_alone(make_data, solver):
    X, y = make_data(300, 2, 3)
    weights = (y != 1).astype(np.float64)
    _, message = _fit_weighted(X, y, weights, solver=solver)
    assert "quasi-complete separation" in message
    # Without an intercept, and rows on all sides, no direction lowers its logit everywhere.
    _, message = _fit_weighted(X, y, weights, solver=solver, fit_intercept=False)
    assert "separat" not in message


@pytest.mark.parametrize("solver", SOLVERS)
def test_class_with_one_row_among_the_others_is_not_separated(make_data, solver):
    X, y = make_data(300, 2, 2)
    y[np.linalg.norm(X, axis=1).argmin()] = 2
    _, message = _fit(X, y, C=np.inf, solver=solver, max_iter=300)
    assert "separat" not in message
    y[y == 2] = 0
    y[np.linalg.norm(X, axis=1).argmax()] = 2
    _, message = _fit(X, y, C=np.inf, solver=solver, max_iter=300)
    assert "quasi-complete separation" in message


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("extra", ["sum", "twice", "constant", "all indicators", "zeros"])
def test_features_that_depend_on_each_other_are_no_separation(make_data, solver, extra):
    X, y = make_data(300, 3, 3)
    more = {
        "sum": X[:, :1] + X[:, 1:2],
        "twice": X,
        "constant": np.full((300, 1), 3.0),
        "all indicators": np.eye(4)[np.arange(300) % 4],
        "zeros": np.zeros((300, 2)),
    }[extra]
    X = np.hstack([X, more])
    model, message = _fit(X, y, C=np.inf, solver=solver, tol=1e-8, max_iter=500)
    assert "separat" not in message
    with pytest.raises(ValueError, match=r"singular|no influence") as refusal:
        model.summary(X, y)
    assert "separat" not in str(refusal.value)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_separation_of_few_among_many_rows_is_found(fit_intercept):
    """More margins than a first programme takes."""
    random = np.random.default_rng(0)
    X = np.column_stack([random.standard_normal((6000, 4)), np.arange(6000) % 2000 == 0])
    y = random.integers(0, 3, 6000)
    y[::2000] = 1, 0, 1
    problem = Problem(X, y.astype(np.int32), 3, "identity", np.dtype(np.float64))
    model = np.zeros((4 + 1 + fit_intercept, 3))
    rows = WeighedRows(problem, fit_intercept=fit_intercept)
    assert look_for_direction(rows, model) == "quasi-complete"
    y[4000] = 2
    problem = Problem(X, y.astype(np.int32), 3, "identity", np.dtype(np.float64))
    rows = WeighedRows(problem, fit_intercept=fit_intercept)
    assert look_for_direction(rows, model) == "none"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_narrow_gap_among_many_rows_is_complete_separation(n_classes):
    random = np.random.default_rng(0)
    X = random.random((5000, 3))
    scores = X @ random.standard_normal((3, n_classes))
    problem = Problem(
        X, scores.argmax(axis=1).astype(np.int32), n_classes, "identity", np.dtype(np.float64)
    )
    rows = WeighedRows(problem, fit_intercept=True)
    assert look_for_direction(rows, np.zeros((4, n_classes))) == "complete"
    problem.targets[17] = (problem.targets[17] + 1) % n_classes
    # A third class is still apart from the two that aren't.
    expected = "none" if n_classes == 2 else "quasi-complete"
    assert look_for_direction(rows, np.zeros((4, n_classes))) == expected


@pytest.mark.parametrize("solver", SOLVERS)
def test_overlap_of_many_rows_needs_no_linear_programme(make_data, monkeypatch, solver):
    def refuse(*_):
        raise AssertionError("a linear programme of classes that clearly overlap")

    X, y = make_data(20_000, 6, 3)
    monkeypatch.setattr(separation, "look_for_direction", refuse)
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert message == ""


@pytest.mark.parametrize("solver", SOLVERS)
def test_all_indicators_beside_an_intercept_need_no_linear_programme(
    make_data, monkeypatch, solver
):
    def refuse(*_):
        raise AssertionError("a linear programme of classes that clearly overlap")

    X, y = make_data(6000, 2, 3)
    X = np.hstack([X, np.eye(8)[np.arange(6000) % 8], X[:, :1] - X[:, 1:]])
    with monkeypatch.context() as context:
        context.setattr(separation, "look_for_direction", refuse)
        _, message = _fit(X, y, C=np.inf, solver=solver)
    assert message == ""
    y[X[:, 4] > 0] = np.arange(750) % 2
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert "quasi-complete separation" in message


@pytest.mark.parametrize("solver", SOLVERS)
def test_separation_by_too_many_features_for_a_proof_is_a_suspicion(make_data, solver):
    X, y = make_data(3000, 110, 4)
    flag = np.zeros(3000)
    flag[:100] = 1.0
    y[:100] = np.arange(100) % 3
    X = np.column_stack([X, flag])
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert "seem to separate some rows" in message
    assert "can't be proven" in message
    y[:100] = np.arange(100) % 4
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert "separat" not in message


def test_cross_validated_model_without_a_penalty_says_so():
    b, y = _group_without_a_class()
    with pytest.warns(ConvergenceWarning, match="quasi-complete separation"):
        SoftmaxClassifierCV(Cs=[np.inf], cv=3, max_iter=50).fit(b, y)
    y[:20:5] = 2
    model = SoftmaxClassifierCV(Cs=[np.inf], cv=3).fit(b, y)
    assert np.isfinite(model.coef_).all()
