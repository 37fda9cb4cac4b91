"""Predictions for rows of numbers and categories."""

from .._typing import FloatArray
from ..data.table import Table
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..kernels.table_pass import predict_table
from ..runtime import tuning
from ..runtime.sparse_workspace import SparseWorkspace, make_sparse_workspaces
from ..runtime.workspace import aligned_zeros


class TableRows:
    """Rows that are predicted for, block by block, by several threads; see `SparseRows`.

    Parameters
    ----------
    table : Table
    weights, bias, activation, outputs
        See `SparseRows`.
    """

    def __init__(
        self,
        table: Table,
        weights: FloatArray,
        bias: FloatArray,
        activation: int,
        outputs: tuple[FloatArray, ...],
    ) -> None:
        n_columns = len(bias)
        self._specialisation = choose_specialisation_of_a_pass(
            table.dtype, table.codes.dtype, weights.dtype, n_columns
        )
        n_padded = self._specialisation.pad(n_columns)
        self._table = table
        self._model = aligned_zeros((table.n_model_rows + 1, n_padded), weights.dtype)
        self._model[table.model_rows, :n_columns] = weights
        self._model[-1, :n_columns] = bias
        self._activation = activation
        self._outputs = outputs
        self._compiled = predict_table.specialise(self._specialisation)
        self.n_samples = table.shape[0]
        per_row = len(table.numbers) + len(table.codes) + tuning.PRODUCTS_PER_CLASS
        self.n_products = self.n_samples * per_row * n_padded
        self.workspaces = [self.make_workspace()]
        self.row_multiple = self.workspaces[0].tile.shape[1]

    def make_workspace(self) -> SparseWorkspace:
        """Another workspace."""
        return make_sparse_workspaces(1, self._model.shape[1], self._specialisation)[0]

    def predict(self, workspace: SparseWorkspace, start: int, stop: int) -> bool:
        """Predict for some rows; whether all logits are finite."""
        all_finite: bool = self._compiled(
            self._table.numbers,
            self._table.codes,
            self._table.offsets,
            start,
            stop,
            self._activation,
            self._specialisation.blocks,
            self._model,
            workspace.tile,
            workspace.lines,
            *self._outputs,
        )
        return all_finite
