"""Probabilities of sparse rows, and the steps towards them, in one compiled call."""

from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import SparseRows
from .loss import PAIR
from .predict import finish_tile
from .shapes import SparseSpecialisation, sparse_blocks_type, sparse_elements_types
from .sparse_pass import take_logits
from .sparse_step import fill_up


@kernel
def finish_rows(
    start, n_rows, activation, row_width, tile, probabilities_out, values_out, logits_out
):
    """`predict.finish_tile` for rows side by side, whose last vectors are filled up."""
    multiple = len(PAIR) * len(row_width)
    n_padded = -(-n_rows // multiple) * multiple
    fill_up(n_rows, n_padded, logits_out.shape[1], tile)
    return finish_tile(
        start, n_rows, n_padded, activation, row_width, tile, probabilities_out, values_out,
        logits_out,
    )  # fmt: skip


def _predict_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (
        *sparse_elements_types(specialisation),
        types.int64,
        types.int64,
        types.int64,
        sparse_blocks_type(specialisation),
        matrix,
        matrix,
        matrix,
        matrix,
        matrix,
        matrix,
    )


@entry_point(_predict_types)
def predict_sparse(
    data,
    indices,
    pointers,
    start,
    stop,
    activation,
    blocks,
    model,
    tile,
    lines,
    probabilities_out,
    values_out,
    logits_out,
):
    """Probabilities of the rows from `start` to `stop`, or the steps towards them, or both.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
        The rows.
    start, stop : int
    activation : int
        See `loss`.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    model : (n_features + 1, padded_classes)
        The biases last.
    tile, lines
        The thread's; see `groups.SparseWorkspace`. Zero at first.
    probabilities_out, values_out, logits_out
        See `predict.predict`.

    Returns
    -------
    bool
        Whether all logits are finite.
    """
    all_finite = True
    rows = SparseRows(data, indices, pointers, None, None, None)
    n_columns = logits_out.shape[1]
    for tile_start in range(start, stop, tile.shape[1]):
        n_rows = min(tile.shape[1], stop - tile_start)
        take_logits(rows, tile_start, n_rows, n_columns, model, blocks, lines, tile)
        if not finish_rows(
            tile_start, n_rows, activation, blocks[2], tile, probabilities_out, values_out,
            logits_out,
        ):  # fmt: skip
            all_finite = False
    return all_finite
