"""Predictions for sparse rows."""

import numpy as np
from scipy.sparse import csr_array

from .._typing import FloatArray
from ..kernels.predict_sparse import predict_sparse
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..runtime.sparse_workspace import (
    SparseWorkspace,
    estimate_sparse_work,
    make_sparse_workspaces,
)
from ..runtime.workspace import aligned_zeros

# Finding out which feature an element is of, among those that there are, takes as long as copying
# so many weights.
_NUMBERS_COPIED_PER_ELEMENT = 32


class SparseRows:
    """Rows that are predicted for, block by block, by several threads.

    Parameters
    ----------
    features : csr_array of shape (n_samples, n_features)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : int
        See `kernels.loss`.
    outputs : tuple of ndarray
        Probabilities, values and logits; see `kernels.predict`.

    Attributes
    ----------
    n_samples : int
    n_products : int
        Of all rows.
    row_multiple : int
        What the rows of a block are a multiple of, but for the last.
    workspaces : list of SparseWorkspace
        Those that nobody works in.
    """

    def __init__(
        self,
        features: csr_array,
        weights: FloatArray,
        bias: FloatArray,
        activation: int,
        outputs: tuple[FloatArray, ...],
    ) -> None:
        data, indices, n_columns = features.data, features.indices, len(bias)
        if _NUMBERS_COPIED_PER_ELEMENT * len(indices) < weights.size:
            used, places = np.unique(indices, return_inverse=True)
            weights, indices = weights[used], places.astype(indices.dtype)
        self._specialisation = choose_specialisation_of_a_pass(
            data.dtype, indices.dtype, weights.dtype, n_columns
        )
        n_padded = self._specialisation.pad(n_columns)
        self._model = aligned_zeros((len(weights) + 1, n_padded), weights.dtype)
        self._model[:-1, :n_columns] = weights
        self._model[-1, :n_columns] = bias
        self._elements = data, indices, features.indptr.astype(indices.dtype, copy=False)
        self._activation = activation
        self._outputs = outputs
        self._compiled = predict_sparse.specialise(self._specialisation)
        self.n_samples = int(features.shape[0])
        self.n_products = estimate_sparse_work(features, n_padded)
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
