"""Loss and gradient over all rows of numbers and categories."""

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.table import Table
from ..kernels import table_pass as kernels
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..runtime import tuning
from ..runtime.claimed_map import cut_into_blocks
from ..runtime.sparse_workspace import SparseWorkspace, make_sparse_workspaces
from ..runtime.workspace import aligned_zeros
from .parts import PartsAccumulator

# Rows are summed in parts, as many or fewer, each of which has so many rows or more, and a gradient
# of its own: all of these together have as many numbers, or fewer.
_MOST_PARTS = 64
_FEWEST_ROWS = 2048
_MOST_NUMBERS = 1 << 23


class TableAccumulator(PartsAccumulator[SparseWorkspace]):
    """Passes over all rows of a problem of numbers and categories; see `Accumulator`.

    Parameters
    ----------
    problem, n_columns, n_threads
        See `Accumulator`.
    """

    def __init__(self, problem: Problem, n_columns: int, n_threads: int | None = None) -> None:
        table: Table = problem.features
        self._table = table
        self._specialisation = choose_specialisation_of_a_pass(
            table.dtype, table.codes.dtype, problem.dtype, n_columns
        )
        n_samples, n_padded = problem.n_samples, self._specialisation.pad(n_columns)
        shape = table.n_model_rows, n_padded
        part_rows = max(_FEWEST_ROWS, 2 * len(table.order), -(-n_samples // _MOST_PARTS))
        part_rows = max(part_rows, -(-n_samples * shape[0] * n_padded // _MOST_NUMBERS))
        n_products = table.size * n_padded + tuning.PRODUCTS_PER_CLASS * n_samples * n_padded
        self._model = aligned_zeros((shape[0] + 1, n_padded), problem.dtype)
        self._rows_per_call = max(1, tuning.PRODUCTS_PER_CALL * n_samples // n_products)
        super().__init__(
            problem,
            n_columns,
            cut_into_blocks(n_samples, part_rows),
            shape,
            n_products,
            kernels.TABLE_PASS_SETTINGS,
            n_threads,
        )

    def _make_workspace(self) -> SparseWorkspace:
        return make_sparse_workspaces(1, self._model.shape[1], self._specialisation)[0]

    def _fill(self, weights: FloatArray, bias: FloatArray) -> None:
        self._model[self._table.model_rows, : self._n_columns] = weights
        self._model[-1, : self._n_columns] = bias

    def _gradient_of(self, total: FloatArray) -> FloatArray:
        gradient: FloatArray = total[self._table.model_rows, : self._n_columns]
        return gradient

    def _add_part(
        self,
        workspace: SparseWorkspace,
        rows: tuple[int, int],
        gradient_out: FloatArray,
        sums_out: FloatArray,
    ) -> None:
        table = self._table
        compiled = kernels.accumulate_table.specialise(self._specialisation)
        first, last = rows
        for start in range(first, last, self._rows_per_call):
            compiled(
                table.numbers,
                table.codes,
                table.offsets,
                self._problem.targets,
                self._problem.given_weights,
                self._settings,
                self._specialisation.blocks,
                start,
                min(start + self._rows_per_call, last),
                self._model,
                *workspace.arguments,
                gradient_out,
                sums_out,
            )
