"""The arrays that kernels work on, made from and turned back into what users see."""

import numpy as np

from .definitions import FloatArray
from .kernels.jit import Specialisation

# A tile of rows is read twice, forward and backward, and is to stay in the second-level cache
# meanwhile; its logits and values are to stay in the first.
_TILE_ROWS = 64
_TILE_BYTES = 1 << 19
_TILE_ROWS_STEP = 8


def pack_parameters(
    weights: FloatArray, bias: FloatArray, specialisation: Specialisation
) -> FloatArray:
    """Weights and bias in one array, padded with zeros to whole vectors.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)
    specialisation : Specialisation
        Whose lanes and dtype to use.

    Returns
    -------
    ndarray of shape (n_features + 1, padded_classes)
        The bias is the last row.
    """
    n_features, n_classes = weights.shape
    lanes = specialisation.lanes
    padded_classes = -(-n_classes // lanes) * lanes
    parameters = np.zeros((n_features + 1, padded_classes), specialisation.dtype)
    parameters[:-1, :n_classes] = weights
    parameters[-1, :n_classes] = bias
    return parameters


def unpack_parameters(parameters: FloatArray, n_classes: int) -> tuple[FloatArray, FloatArray]:
    """The reverse of `pack_parameters`: copies of weights and bias."""
    return parameters[:-1, :n_classes].copy(), parameters[-1, :n_classes].copy()


def make_workspace(parameters: FloatArray) -> FloatArray:
    """Room for the logits and values of one tile of rows.

    Parameters
    ----------
    parameters : ndarray of shape (n_features + 1, padded_classes)

    Returns
    -------
    ndarray of shape (2, tile_rows, padded_classes)
        `tile_rows` is a multiple of 8 from 8 to 64 and depends on nothing but the shape and
        dtype of the parameters, so that sums are cut at the same rows in every run.
    """
    n_rows, padded_classes = parameters.shape
    bytes_per_row = max(n_rows, 2 * padded_classes) * parameters.itemsize
    rows = min(_TILE_ROWS, _TILE_BYTES // bytes_per_row)
    tile_rows = max(_TILE_ROWS_STEP, rows - rows % _TILE_ROWS_STEP)
    return np.zeros((2, tile_rows, padded_classes), parameters.dtype)
