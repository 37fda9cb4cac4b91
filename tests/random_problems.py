"""Random problems that are hard on numbers, and what is true of a model in extended precision."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier
from softreg_fast.data.problem import Problem

LONG = np.longdouble
# The share of `tol` by which a gradient in another order of summation may be above it, and what
# the objective's own rounding may add to a gap.
_SHARE_OF_TOL = 1e-6
_ROUNDING_OF_GAP = 1e-13


def sparse_problem(n_columns, types, n_samples, shares, *, mean, spread):
    """Features of different frequency, one that is nowhere, a row without any, weights.

    Some rows weigh nothing.

    Parameters
    ----------
    n_columns : int
        Of the model.
    types : tuple
        Of the features and of the indices.
    n_samples : int
    shares : ndarray of shape (n_features,)
        Of the rows that have each feature.
    mean, spread : float
        Of the elements.
    """
    dtype, index_dtype = types
    random = np.random.default_rng(0)
    X = random.normal(mean, spread, (n_samples, len(shares)))
    X *= random.uniform(size=X.shape) < shares
    X[:, 7] = X[3] = 0.0
    matrix = scipy.sparse.csr_array(X.astype(dtype))
    matrix.indices = matrix.indices.astype(index_dtype)
    matrix.indptr = matrix.indptr.astype(index_dtype)
    n_classes = max(n_columns, 2)
    targets = random.integers(0, n_classes, n_samples).astype(np.int32)
    weights = random.exponential(size=n_samples) * (random.uniform(size=n_samples) > 0.2)
    return Problem(matrix, targets, n_classes, "identity", np.dtype(np.float64), weights)


@dataclass
class RandomProblem:
    """Rows, labels, weights, and the parameters of an estimator."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    parameters: dict[str, Any]

    def fit(self, X=None):
        """The model, whatever it warns of; None where the problem is refused."""
        model = SoftmaxClassifier(**self.parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                return model.fit(self.X if X is None else X, self.y, self.sample_weight)
            except ValueError as error:
                if "overflow" in str(error) or "scale the features" in str(error):
                    return None
                raise


def make_problem(seed: int, solvers=("newton", "lbfgs", "auto")) -> RandomProblem:
    """A problem that depends on the seed alone."""
    random = np.random.default_rng(seed)
    n_samples = int(random.choice([6, 12, 30, 80, 200]))
    n_features = int(random.integers(1, 6))
    n_classes = int(random.integers(2, 5))
    X = random.standard_normal((n_samples, n_features))
    kind = random.choice(["normal", "whole", "heavy", "factor"])
    if kind == "whole":
        X = np.round(X)
    elif kind == "heavy":
        X = X / random.uniform(0.01, 1.0, X.shape)
    elif kind == "factor":
        X += 10.0 * random.standard_normal((n_samples, 1))
    truth = random.choice([0.3, 1.0, 5.0]) * random.standard_normal((n_features, n_classes))
    noise = random.gumbel(size=(n_samples, n_classes))
    y = (np.clip(X, -9.0, 9.0) @ truth + noise).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    scales = 10.0 ** (random.integers(-3, 4, n_features) * random.choice([0, 0, 1, 2]))
    offsets = 10.0 ** random.integers(0, 9, n_features) * random.choice([0, 0, 1], n_features)
    X = (X + offsets * random.choice([-1, 1], n_features)) * scales
    X = X.astype(random.choice([np.float64, np.float64, np.float32]))
    sample_weight = None
    if random.random() < 0.5:
        sample_weight = random.exponential(size=n_samples)
        sample_weight[random.random(n_samples) < 0.2] = 0.0
        sample_weight[: n_classes + 1] += 0.1
        sample_weight *= 10.0 ** random.choice([0, 0, 0, -300, 50, 6])
    solver = str(random.choice(solvers))
    C = float(random.choice([1e-3, 1.0, 1.0, 100.0, 1e4, 1e8, np.inf]))
    l1_ratio = float(random.choice([0.0, 0.0, 0.5, 1.0]))
    if solver == "lbfgs" or np.isinf(C):
        l1_ratio = 0.0
    if sample_weight is not None and np.isfinite(C):
        # As strong as without the weights' scale, but for what has no room in float64.
        C = float(np.exp(min(np.log(C) - np.log(sample_weight.max()), 700.0)))
    parameters = {
        "C": C,
        "l1_ratio": l1_ratio,
        "solver": solver,
        "fit_intercept": bool(random.random() < 0.8),
        "tol": float(10.0 ** random.integers(-10, -1)),
        "max_iter": int(random.choice([2, 300, 300, 300])),
        "n_threads": 1,
        "random_state": 0,
    }
    if random.random() < 0.3:
        X = scipy.sparse.csr_array(X)
    return RandomProblem(X, y, sample_weight, parameters)


class Exact:
    """The objective of a problem, in extended precision, of features about their means.

    Parameters are rows of coefficients for each column, the intercept about the means last.
    """

    def __init__(self, problem: RandomProblem, n_columns: int) -> None:
        X = problem.X.toarray() if scipy.sparse.issparse(problem.X) else problem.X
        weights = problem.sample_weight
        weights = np.ones(len(problem.y)) if weights is None else weights
        counts = weights > 0
        self.X = X[counts].astype(LONG)
        self.weights = weights[counts].astype(LONG)
        self.weights /= self.weights.sum()
        self.classes, targets = np.unique(problem.y, return_inverse=True)
        self.targets = targets[counts]
        total = LONG(weights.sum())
        C, l1_ratio = problem.parameters["C"], problem.parameters["l1_ratio"]
        self.l2 = LONG(1 - l1_ratio) / LONG(C) / total
        self.l1 = LONG(l1_ratio) / LONG(C) / total
        self.fit_intercept = problem.parameters["fit_intercept"]
        self.n_columns = n_columns
        self.means = self.weights @ self.X * self.fit_intercept
        self.centred = self.X - self.means
        deviations = np.sqrt(self.weights @ (self.X - self.weights @ self.X) ** 2)
        self.deviations = np.where(np.ptp(self.X, axis=0) > 0, deviations, LONG(0))

    def point_of(self, model):
        """Where a model is."""
        coef, intercept = model.coef_.astype(LONG), model.intercept_.astype(LONG)
        return np.column_stack([coef, intercept + coef @ self.means])

    def _parts(self, point):
        logits = self.centred @ point[:, :-1].T + point[:, -1]
        if self.n_columns == 1:
            logits = np.column_stack([np.zeros(len(logits), LONG), logits])
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1)
        rows = np.arange(len(logits))
        losses = np.log(sums) - logits[rows, self.targets]
        probabilities = exponentials / sums[:, None]
        residuals = probabilities.copy()
        residuals[rows, self.targets] -= 1
        if self.n_columns == 1:
            probabilities, residuals = probabilities[:, 1:], residuals[:, 1:]
        return losses, probabilities, residuals

    def objective(self, point):
        """Per unit of weight."""
        losses, _, _ = self._parts(point)
        coef = point[:, :-1]
        return self.weights @ losses + self.l2 / 2 * (coef**2).sum() + self.l1 * abs(coef).sum()

    def slopes(self, point):
        """The shortest subgradient by coefficients of features as they are, and by intercepts."""
        _, _, residuals = self._parts(point)
        weighted = residuals * self.weights[:, None]
        coef = point[:, :-1]
        by_bias = weighted.sum(axis=0)
        by_coef = weighted.T @ self.centred + np.outer(by_bias, self.means) + self.l2 * coef
        if self.l1 > 0:
            at_zero = np.maximum(abs(by_coef) - self.l1, 0)
            by_coef = np.where(coef == 0, at_zero, by_coef + self.l1 * np.sign(coef))
        return by_coef, by_bias if self.fit_intercept else np.zeros(self.n_columns, LONG)

    def improve(self, point, n_steps=30):
        """A lower point, if Newton's method finds one among those of the same zeros and signs."""
        point = point.copy()
        if not self.fit_intercept:
            features = self.centred
        else:
            features = np.column_stack([self.centred, np.ones(len(self.centred), LONG)])
        size = features.shape[1]
        scales = np.sqrt(self.weights @ features**2)
        scales[scales == 0] = 1
        signs = np.sign(point[:, :-1])
        value = self.objective(point)
        for _ in range(n_steps):
            _, probabilities, residuals = self._parts(point)
            gradient = (residuals * self.weights[:, None]).T @ features
            n_features = self.centred.shape[1]
            gradient[:, :n_features] += self.l2 * point[:, :-1] + self.l1 * signs
            hessian = np.zeros((self.n_columns, size, self.n_columns, size))
            for j in range(self.n_columns):
                for k in range(self.n_columns):
                    own = probabilities[:, j] * ((j == k) - probabilities[:, k]) * self.weights
                    block = (features * own[:, None]).T @ features / np.outer(scales, scales)
                    hessian[j, :, k] = block.astype(float)
            penalty = np.zeros(size)
            penalty[:n_features] = (self.l2 / scales[:n_features] ** 2).astype(float)
            free = np.ones((self.n_columns, size), bool)
            if self.l1 > 0:
                free[:, :n_features] = signs != 0
            flat = hessian.reshape(self.n_columns * size, -1) + np.diag(
                np.tile(penalty, self.n_columns)
            )
            keep = free.ravel()
            right = (gradient / scales).ravel().astype(float)[keep]
            matrix = flat[np.ix_(keep, keep)]
            ridge = 1e-14 * max(matrix.diagonal().max(initial=0.0), 1e-300)
            step = np.zeros(keep.size)
            step[keep] = np.linalg.lstsq(matrix + ridge * np.eye(len(matrix)), right, rcond=None)[0]
            step = step.reshape(self.n_columns, size).astype(LONG) / scales
            if not np.isfinite(step).all():
                break
            for length in (LONG(1), LONG(0.5), LONG(0.1), LONG(0.01)):
                trial = point.copy()
                trial[:, :size] -= length * step
                after = self.objective(trial)
                if after < value:
                    break
            if not after < value:
                break
            done = value - after <= 1e-18 * value
            point, value = trial, after
            if done:
                break
        return value


def faults_of(problem: RandomProblem) -> list[str]:
    """What is wrong with the model of a problem."""
    model = problem.fit()
    if model is None:
        return []
    exact = Exact(problem, len(model.coef_))
    point = exact.point_of(model)
    by_coef, by_bias = exact.slopes(point)
    allowed = problem.parameters["tol"] * (1 + _SHARE_OF_TOL)
    curvature = LONG(1 - 1 / len(exact.classes)) / len(exact.classes)
    is_weak = exact.l2 < 1e-8 * curvature * exact.deviations**2
    spreads = np.where(is_weak & (exact.deviations > 0), exact.deviations, LONG(1))
    largest = max(abs(by_coef).max(), (abs(by_coef) / spreads).max(), abs(by_bias).max())
    faults = []
    if model.converged_ and largest > allowed and not model.gap_ < 1e-6:
        faults.append(f"converged at a gradient of {float(largest):.3g}, gap_ {model.gap_:.3g}")
    if not np.isnan(model.gap_):
        value = exact.objective(point)
        lowest = min(value, exact.improve(point))
        tight = RandomProblem(
            problem.X, problem.y, problem.sample_weight, problem.parameters | {"tol": 1e-10}
        ).fit()
        if tight is not None:
            lowest = min(lowest, exact.improve(exact.point_of(tight)))
        gap = (value - lowest) / value
        if model.gap_ < gap - _ROUNDING_OF_GAP:
            faults.append(f"gap_ {model.gap_:.4g} below {float(gap):.4g}")
    weights = problem.sample_weight
    if weights is not None and (weights == 0).any():
        faults += _faults_of_weightless_rows(problem, model)
    return faults


def _faults_of_weightless_rows(problem, model) -> list[str]:
    X = problem.X
    is_sparse = scipy.sparse.issparse(X)
    other = X.toarray() if is_sparse else X.copy()
    largest = np.finfo(other.dtype).max
    (rows,) = np.nonzero(problem.sample_weight == 0)
    other[rows] = (
        np.resize([1.0, -0.9, 1e-30, 9.97e36 / float(largest)], other[rows].shape) * largest
    )
    if is_sparse:
        other = scipy.sparse.csr_array(other)
    found = problem.fit(other)
    if found is None:
        return ["a row of weight zero is refused"]
    same = all(
        getattr(found, name).tobytes() == getattr(model, name).tobytes()
        for name in ("coef_", "intercept_")
    )
    return [] if same else ["a row of weight zero counts"]
