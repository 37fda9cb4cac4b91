"""Loss and gradient over all rows of numbers and categories."""

from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.table import Table
from ..kernels import table_pass as kernels
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..runtime import tuning
from ..runtime.claimed_map import claimed_map, cut_into_blocks
from ..runtime.sparse_workspace import SparseWorkspace, make_sparse_workspaces
from ..runtime.threads import count_threads_for_pass
from ..runtime.workspace import aligned_zeros
from .dense import LossAndGradient
from .loss import loss_of

_NO_WEIGHTS = np.zeros(0)
# Rows are summed in parts, as many or fewer, each of which has so many rows or more, and a gradient
# of its own: all of these together have as many numbers, or fewer.
_MOST_PARTS = 64
_FEWEST_ROWS = 2048
_MOST_NUMBERS = 1 << 23


class TableAccumulator:
    """Passes over all rows of a problem of numbers and categories; see `Accumulator`.

    Parameters
    ----------
    problem, n_columns, n_threads
        See `Accumulator`.
    """

    def __init__(self, problem: Problem, n_columns: int, n_threads: int | None = None) -> None:
        table: Table = problem.features
        self._problem = problem
        self._table = table
        self._n_columns = n_columns
        self._specialisation = choose_specialisation_of_a_pass(
            table.dtype, table.codes.dtype, problem.dtype, n_columns
        )
        n_samples, n_padded = problem.n_samples, self._specialisation.pad(n_columns)
        shape = table.n_model_rows, n_padded
        part_rows = max(_FEWEST_ROWS, 2 * len(table.order), -(-n_samples // _MOST_PARTS))
        part_rows = max(part_rows, -(-n_samples * shape[0] * n_padded // _MOST_NUMBERS))
        self._parts = cut_into_blocks(n_samples, part_rows)
        self._model = aligned_zeros((shape[0] + 1, n_padded), problem.dtype)
        self._gradients = aligned_zeros((len(self._parts) * shape[0], n_padded), problem.dtype)
        self._sums = np.zeros((len(self._parts), 1 + n_padded))
        work = table.size * n_padded + tuning.PRODUCTS_PER_CLASS * n_samples * n_padded
        self._n_used = min(count_threads_for_pass(n_threads, work), len(self._parts))
        self._rows_per_call = max(1, tuning.PRODUCTS_PER_CALL * n_samples // work)
        self._workspaces = make_sparse_workspaces(self._n_used, n_padded, self._specialisation)
        self._settings = np.zeros(1, kernels.TABLE_PASS_SETTINGS)
        self._settings["n_classes"] = n_columns
        self._settings["activation"] = loss_of(problem).code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def weigh(self, sample_weight: npt.NDArray[np.float64] | None) -> None:
        """Give the rows other weights."""
        self._problem = replace(self._problem, sample_weight=sample_weight)

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        sums = self._run(weights, bias, only_loss=False)
        gradients = self._gradients.reshape(len(self._parts), -1, self._gradients.shape[1])
        gradient = gradients.sum(axis=0, dtype=np.float64)[self._table.model_rows]
        return LossAndGradient(float(sums[0]), gradient[:, : self._n_columns], sums[1:])

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        return float(self._run(weights, bias, only_loss=True)[0])

    def _run(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> FloatArray:
        """The loss, and the gradient by the biases."""
        self._model[self._table.model_rows, : self._n_columns] = weights
        self._model[-1, : self._n_columns] = bias
        self._settings["only_loss"] = only_loss
        self._gradients[:] = 0.0
        self._sums[:] = 0.0
        claimed_map(self._run_part, range(len(self._parts)), self._n_used)
        sums: FloatArray = self._sums[:, : 1 + self._n_columns].sum(axis=0)
        return sums

    def _run_part(self, number: int) -> None:
        try:
            workspace = self._workspaces.pop()
        except IndexError:  # other threads have them
            workspace = self._make_workspace()
        table, weights = self._table, self._problem.sample_weight
        compiled = kernels.accumulate_table.specialise(self._specialisation)
        n_rows = table.n_model_rows
        first, last = self._parts[number]
        for start in range(first, last, self._rows_per_call):
            compiled(
                table.numbers,
                table.codes,
                table.offsets,
                self._problem.targets,
                _NO_WEIGHTS if weights is None else weights,
                self._settings,
                self._specialisation.blocks,
                start,
                min(start + self._rows_per_call, last),
                self._model,
                *workspace.arguments,
                self._gradients[number * n_rows : (number + 1) * n_rows],
                self._sums[number],
            )
        self._workspaces.append(workspace)

    def _make_workspace(self) -> SparseWorkspace:
        return make_sparse_workspaces(1, self._model.shape[1], self._specialisation)[0]
