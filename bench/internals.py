"""All that benchmarks use of the inside of the package; other modules use its public surface."""

from pathlib import Path
from unittest import mock

import numpy as np
from numba import types
from scipy.sparse import issparse

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.cli.console import Console
from softreg_fast.cli.preparing import Training, prepare
from softreg_fast.cli.tables.files import ReadingOptions
from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.kernels.compile.entry_point import array_type, entry_point
from softreg_fast.kernels.loss import PAIR
from softreg_fast.kernels.simd import cpu
from softreg_fast.kernels.simd.lanes import exponential, load_block, store_block
from softreg_fast.runtime import tuning
from softreg_fast.solvers.base import Size
from softreg_fast.solvers.newton.costs import derivatives_cost
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent
from softreg_fast.solvers.registry import choose
from softreg_fast.solvers.sgd.dense import DenseDescent
from softreg_fast.solvers.sgd.options import SgdSettings


class BareDescent:
    """The descent of `SoftmaxRegressor` without its checks and, by default, without accuracy.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Integers from 0.
    activation : {"identity", "sigmoid"}, default="identity"
    """

    def __init__(self, X, y, activation="identity"):
        self._problem = make_problem(X, y, activation, X.dtype)

    def start(
        self, batch_size, n_epochs, learning_rate, *,
        gradient="exact", coef=None, n_threads=None, shuffle_seed=None,
    ):  # fmt: skip
        """A descent that is ready to run.

        Parameters
        ----------
        batch_size, n_epochs : int
        learning_rate : float
        gradient : {"exact", "notebook"}, default="exact"
        coef : ndarray of shape (n_features, n_columns), default=zeros
        n_threads, shuffle_seed : int, default=None

        Returns
        -------
        callable
            Trains; gives coefficients (n_features, n_columns) and intercepts.
        """
        n_classes = self._problem.n_classes
        n_columns = 1 if n_classes == 2 and gradient == "exact" else n_classes
        if coef is None:
            coef = np.zeros((self._problem.features.shape[1], n_columns))
        settings = DescentSettings(
            learning_rate, batch_size, n_epochs, 0, gradient, score=False,
            shuffle_seed=shuffle_seed,
        )  # fmt: skip
        descent = GradientDescent(self._problem, settings, coef, np.zeros(coef.shape[1]), n_threads)

        def run():
            descent.run(EpochLog(verbose=False))
            return descent.solution

        return run

    def start_proximal(
        self, batch_size, n_epochs, learning_rate, *, method="plain", shuffle_seed=None
    ):
        """A descent of `SoftmaxClassifier` at a constant rate, ready to run; see `start`."""
        n_classes = self._problem.n_classes
        n_columns = 1 if n_classes == 2 else n_classes
        start = np.zeros((self._problem.features.shape[1], n_columns)), np.zeros(n_columns)
        settings = SgdSettings(
            "constant", learning_rate, batch_size, n_epochs, 0, 0.0, method, 0.0, "none",
            shuffle_seed=shuffle_seed,
        )  # fmt: skip
        descent = DenseDescent(self._problem, settings, start, None)

        def run():
            descent.run()
            return descent.solution

        return run


def uninterrupted(n_epochs):
    """A context in which training stays in the compiled code until its end."""
    return mock.patch.multiple(
        tuning,
        SECONDS_PER_CALL=1e6,
        PRODUCTS_OF_THE_FIRST_CALL=10**15,
        EPOCHS_PER_CALL=n_epochs,
    )


def prepare_fit(X, y):
    """All that a fit of `SoftmaxClassifier` does before its solver."""
    model = SoftmaxClassifier()
    model._check_parameters()
    problem, classes = model._make_problem(X, y, None)
    return model._start(problem, classes, None, None)


def dual_ascent(*, is_taken):
    """A context in which dual coordinate ascent is taken always or never where it can be."""
    most = float("inf") if is_taken else -1.0
    return mock.patch.multiple(
        tuning, LARGEST_CURVATURE_OF_DUAL_ASCENT=most, MOST_ELEMENTS_FOR_DUAL_ASCENT=most
    )


def takes_dual_ascent(curvature, n_elements):
    """Whether it is taken, by what is told of sparse rows: see `runtime.tuning`."""
    return (
        curvature <= tuning.LARGEST_CURVATURE_OF_DUAL_ASCENT
        and n_elements <= tuning.MOST_ELEMENTS_FOR_DUAL_ASCENT
    )


def choose_exact_solver(X, n_columns):
    """The solver that "auto" takes for features, and the relative cost of second derivatives."""
    parameters = SoftmaxClassifier()._check_parameters()
    size = Size(X.size, X.shape[1], n_columns, issparse(X))
    chosen = choose(parameters.solver, parameters.needs(), size, exact=True)
    return chosen.name, derivatives_cost(size)


def reference_epoch(X, y, coef, intercept, learning_rate, batch_size):
    """Loss, coefficients and intercepts of an epoch of the notebook's model in plain NumPy."""
    loss, _, coef, intercept = reference.epoch(
        X, y, coef, intercept, learning_rate, batch_size, "sigmoid", "notebook"
    )
    return loss, coef, intercept


def reference_probabilities(X, coef, intercept):
    """Probabilities of the notebook's model in plain NumPy."""
    return reference.predict(X, coef, intercept, "sigmoid")[0]


def _exponential_types(dtype):
    matrix = array_type(dtype, 2)
    width = types.UniTuple(types.intp, len(_width(dtype)))
    return matrix, width, types.int64, matrix


def _width(dtype):
    return (0,) * (cpu.vector_bits() // (8 * dtype.itemsize))


@entry_point(_exponential_types)
def _evaluate(array, width, n_times, out):
    for _ in range(n_times):
        for row in range(array.shape[0]):
            for column in range(0, array.shape[1], 2 * len(width)):
                block = load_block(array, row, column, width, (0,), PAIR)
                store_block(out, row, column, exponential(block))


def evaluate_exponentials(points, n_times, out):
    """Exponentials of an array, as the kernels take them."""
    _evaluate.specialise(points.dtype)(points, _width(points.dtype), n_times, out)


def blocks_of_table(path, target):
    """The blocks of rows that ``softreg-fast train`` learns from, of a table file.

    Parameters
    ----------
    path : path
    target : str
        The column of labels.

    Returns
    -------
    RowBlocks
        Written to a cache when they are read for the first time.
    """
    training = Training(
        data=Path(path), target=target, reading=ReadingOptions(), missing=(), weight=None,
        identifiers=(), dropped=(), kept=(), categorical=(), C=1.0, parameters={}, validation=0.0,
        n_folds=None, calibrates=False, standardizes=False, seed=0, in_blocks=True,
    )  # fmt: skip
    return prepare(training, Console(is_json=True)).rows.open()
