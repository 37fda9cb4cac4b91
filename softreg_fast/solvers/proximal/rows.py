"""Where the rows of a problem are with a model: logits, slopes, probabilities."""

from collections.abc import Callable

import numpy as np

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels import row_slopes as kernels
from ...kernels.shapes import choose_column_specialisation
from ...kernels.sparse_pass import SPARSE_PASS_SETTINGS
from ...objective.loss import loss_of
from ...runtime import tuning
from ...runtime.claimed_map import claimed_map, cut_into_blocks
from ...runtime.sparse_workspace import make_sparse_workspaces
from ...runtime.threads import count_threads_for_prediction
from ...runtime.workspace import round_up
from .columns import Columns

_BLOCK_PRODUCTS = 1 << 20


class Rows:
    """The rows of a problem that have a weight.

    Parameters
    ----------
    problem : Problem
        Of a convex loss.
    columns : Columns
    n_classes : int
        Columns of the model.
    n_threads : int or None

    Attributes
    ----------
    logits : ndarray of shape (n_rows, n_padded)
        Zeros at first.
    slopes, probabilities : ndarrays of shape (n_rows, n_padded)
        Derivatives of the loss, per unit of weight, by the logits; see `kernels.row_slopes`.
    factors : ndarray of shape (n_rows,)
        The rows' weights, as shares of all; of a single class, second derivatives by the logits.
    loss : float
        Per unit of weight.
    """

    def __init__(
        self, problem: Problem, columns: Columns, n_classes: int, n_threads: int | None
    ) -> None:
        # Of no columns: one for whatever these are of.
        self._specialisation = choose_column_specialisation(np.dtype(np.float64), n_classes)
        self._targets = np.ascontiguousarray(problem.targets[columns.rows])
        self._weights = np.ascontiguousarray(problem.weights(columns.rows) / problem.total_weight)
        self._settings = np.zeros(1, SPARSE_PASS_SETTINGS)
        self._settings["n_classes"] = n_classes
        self._settings["activation"] = loss_of(problem).code
        self.logits, self.slopes, self.probabilities = (columns.row_zeros() for _ in range(3))
        self.factors: FloatArray = self._weights
        self._n_classes = n_classes
        self.loss = float("nan")
        n_rows, n_padded = self.logits.shape
        products_per_row = tuning.PRODUCTS_PER_CLASS * n_padded
        block_rows = max(1, _BLOCK_PRODUCTS // products_per_row)
        self._blocks = cut_into_blocks(
            n_rows, round_up(block_rows, self._specialisation.row_multiple)
        )
        # They start and end with each of the calls, as those of predictions do.
        self._n_threads = count_threads_for_prediction(n_threads, n_rows * products_per_row)
        self._workspaces = make_sparse_workspaces(self._n_threads, n_padded, self._specialisation)

    def evaluate(self) -> None:
        """Loss, slopes and probabilities of the logits."""
        compiled = kernels.take_slopes.specialise(self._specialisation)

        def work(block: tuple[int, int]) -> float:
            workspace = self._workspaces.pop()
            loss = compiled(
                self._targets,
                self._weights,
                self._settings,
                self._specialisation.blocks,
                *block,
                self.logits,
                workspace.tile,
                workspace.numbers,
                self.slopes,
                self.probabilities,
            )
            self._workspaces.append(workspace)
            return float(loss)

        self.loss = sum(self._map(work))
        if self._n_classes == 1:
            probabilities = self.probabilities[:, 0]
            self.factors = self._weights * probabilities * (1.0 - probabilities)

    def multiply(self, changes: FloatArray, slopes_out: FloatArray) -> None:
        """Write how the slopes change with the logits, to first order."""
        compiled = kernels.multiply_rows.specialise(self._specialisation)

        def work(block: tuple[int, int]) -> float:
            compiled(
                self.factors,
                self._specialisation.blocks,
                *block,
                self.probabilities,
                changes,
                slopes_out,
            )
            return 0.0

        self._map(work)

    def _map(self, work: Callable[[tuple[int, int]], float]) -> list[float]:
        return claimed_map(work, self._blocks, min(self._n_threads, len(self._blocks)))
