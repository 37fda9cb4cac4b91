"""Predictions for rows whose elements say which weights they take."""

from typing import Any

import numpy as np

from .._typing import FloatArray
from ..data.table import Table
from ..kernels.compile.entry_point import EntryPoint
from ..kernels.predict_sparse import predict_sparse
from ..kernels.shapes import SparseSpecialisation, choose_specialisation_of_a_pass
from ..kernels.table_pass import predict_table
from ..runtime import tuning
from ..runtime.sparse_workspace import SparseWorkspace, make_sparse_workspaces
from ..runtime.workspace import aligned_zeros

# Finding out which feature an element is of, among those that there are, takes as long as copying
# so many weights.
_NUMBERS_COPIED_PER_ELEMENT = 32


class ListedRows:
    """Rows that are predicted for, block by block, by several threads.

    Parameters
    ----------
    entry : EntryPoint
        `kernels.predict_sparse.predict_sparse`, or one that differs in its first arguments.
    elements : tuple of ndarray
        Those: the rows.
    specialisation : SparseSpecialisation
    model : ndarray of shape (n_model_rows, n_padded)
        The biases last.
    activation : int
        See `kernels.loss`.
    outputs : tuple of ndarray
        Probabilities, values and logits; see `kernels.predict`.
    n_samples, n_products : int
        Of all rows.

    Attributes
    ----------
    row_multiple : int
        What the rows of a block are a multiple of, but for the last.
    workspaces : list of SparseWorkspace
        Those that nobody works in.
    """

    def __init__(
        self,
        entry: EntryPoint[SparseSpecialisation],
        elements: tuple[Any, ...],
        specialisation: SparseSpecialisation,
        model: FloatArray,
        activation: int,
        outputs: tuple[FloatArray, ...],
        n_samples: int,
        n_products: int,
    ) -> None:
        self._compiled = entry.specialise(specialisation)
        self._elements = elements
        self._specialisation = specialisation
        self._model = model
        self._activation = activation
        self._outputs = outputs
        self.n_samples, self.n_products = n_samples, n_products
        self.workspaces = [self.make_workspace()]
        self.row_multiple = self.workspaces[0].tile.shape[1]

    def make_workspace(self) -> SparseWorkspace:
        """Another workspace."""
        return make_sparse_workspaces(1, self._model.shape[1], self._specialisation)[0]

    def predict(self, workspace: SparseWorkspace, start: int, stop: int) -> bool:
        """Predict for some rows; whether all logits are finite."""
        all_finite: bool = self._compiled(
            *self._elements,
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


def list_rows(
    features: Any,
    weights: FloatArray,
    bias: FloatArray,
    activation: int,
    outputs: tuple[FloatArray, ...],
) -> ListedRows:
    """Rows of a sparse matrix, or of a table.

    Parameters
    ----------
    features : csr_array or Table of shape (n_samples, n_features)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation, outputs
        See `ListedRows`.
    """
    elements: tuple[Any, ...]
    rows: Any
    if isinstance(features, Table):
        entry, rows, n_rows = predict_table, features.model_rows, features.n_model_rows
        elements = features.numbers, features.codes, features.offsets
        n_elements, dtypes = features.size, (features.dtype, features.codes.dtype)
    else:
        data, indices = features.data, features.indices
        if _NUMBERS_COPIED_PER_ELEMENT * len(indices) < weights.size:
            used, places = np.unique(indices, return_inverse=True)
            weights, indices = weights[used], places.astype(indices.dtype)
        entry, rows, n_rows = predict_sparse, slice(len(weights)), len(weights)
        elements = data, indices, features.indptr.astype(indices.dtype, copy=False)
        n_elements = tuning.PRODUCTS_PER_SPARSE_ELEMENT * len(data)
        dtypes = data.dtype, indices.dtype
    n_samples, n_columns = features.shape[0], len(bias)
    specialisation = choose_specialisation_of_a_pass(*dtypes, weights.dtype, n_columns)
    n_padded = specialisation.pad(n_columns)
    model = aligned_zeros((n_rows + 1, n_padded), weights.dtype)
    model[rows, :n_columns] = weights
    model[-1, :n_columns] = bias
    n_products = (n_elements + tuning.PRODUCTS_PER_CLASS * n_samples) * n_padded
    return ListedRows(
        entry, elements, specialisation, model, activation, outputs, n_samples, n_products
    )
