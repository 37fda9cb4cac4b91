"""Named groups of what kernels hand on to each other, built inside compiled code."""

from typing import Any, NamedTuple

# Rows of a tile beside logits and values.
N_ROW_VALUES = 4


class Blocks(NamedTuple):
    """How much is worked on at a time, each number as the length of a tuple.

    Attributes
    ----------
    width : tuple
        Of `lanes`.
    contract_rows, contract_classes : tuple
        What is contracted at a time; see `matmul`.
    combine_vectors, half_vectors, combine_classes : tuple
        What is combined at a time; and vectors of what remains, at most two, since the second may
        be that of the biases.
    rows_ahead : tuple
        Rows of the next tile that are fetched into the cache while some are contracted; vectors of
        the columns, where they are read in place.
    vectors_ahead : tuple
        The same while vectors are combined.
    class_width, class_vectors, class_rows : tuple
        Where the lanes are classes, their number in a vector, the vectors for all classes, and the
        rows that are taken at a time; empty elsewhere.
    """

    width: Any
    contract_rows: Any
    contract_classes: Any
    combine_vectors: Any
    half_vectors: Any
    combine_classes: Any
    rows_ahead: Any
    vectors_ahead: Any
    class_width: Any
    class_vectors: Any
    class_rows: Any


class Rows(NamedTuple):
    """The rows of a problem.

    Attributes
    ----------
    features : (n_samples, n_features)
        Of any strides; rows of neighbouring numbers where there are neither `columns` nor a
        `Workspace.feature_tile`.
    columns : (n_features, n_samples) or None
        The features transposed, if their columns are of neighbouring numbers and read in place.
    targets : (n_samples,) int32
    weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    order : tuple or None
        In which they are taken; see `rows`. None for their own order.
    """

    features: Any
    columns: Any
    targets: Any
    weights: Any
    order: Any


class SparseRows(NamedTuple):
    """The rows of a problem with sparse features (CSR).

    Attributes
    ----------
    data, indices : (n_elements,)
    pointers : (n_samples + 1,)
    targets, weights, order
        See `Rows`.
    """

    data: Any
    indices: Any
    pointers: Any
    targets: Any
    weights: Any
    order: Any


class TableRows(NamedTuple):
    """The rows of a problem of numbers and categories.

    Attributes
    ----------
    numbers : (n_numbers, n_samples)
    codes : (n_categorical, n_samples)
        Unsigned integers, the numbers of categories.
    offsets : (n_categorical,) int64
        The model's rows of the categories with the number zero.
    targets, weights
        See `Rows`.
    """

    numbers: Any
    codes: Any
    offsets: Any
    targets: Any
    weights: Any


class Columns(NamedTuple):
    """Some rows of a sparse matrix, by columns (CSC).

    Attributes
    ----------
    data : (n_elements,)
    rows : (n_elements,) int32
        Their rows, the first of these being 0.
    pointers : (n_features + 1,) int64
    cuts : (n_chunks + 1,) int64
        The features where chunks begin, then their number.
    """

    data: Any
    rows: Any
    pointers: Any
    cuts: Any


class Span(NamedTuple):
    """Positions in the order of the rows.

    Attributes
    ----------
    start, stop : int
    ahead : int
        Where the same thread goes on afterwards.
    """

    start: Any
    stop: Any
    ahead: Any


class Scoring(NamedTuple):
    """Which models a pass is for, if it counts correctly classified rows.

    Attributes
    ----------
    first_model, last_model : int
        TRAINED and WORKING, or one of them twice; see `tile`.
    counts : bool
        Whether to count while training.
    """

    first_model: Any
    last_model: Any
    counts: Any


class Workspace(NamedTuple):
    """What a thread works in.

    Attributes
    ----------
    tile : (2 * tile_classes + N_ROW_VALUES, tile_rows)
        Logits and values, targets, weights and two rows of scratch.
    feature_tile : (>= n_features, tile_rows) or None
        The rows transposed, and finite numbers below, to whole vectors.
    feature_weights : (n_models, >= n_features + 1, class_vectors * class_lanes) or None
        The parameters transposed, the biases last.
    numbers : (4, >= 2 * tile_rows) int64
        Which rows are in the tile, and from `tile_rows` on in the next; 0, 1, 2 ..., of columns in
        place up to the last; the tables of two windows of a shuffled order.
    """

    tile: Any
    feature_tile: Any
    feature_weights: Any
    numbers: Any


class SparseWorkspace(NamedTuple):
    """What a thread works in on sparse rows.

    Attributes
    ----------
    tile : (2 * padded_classes + N_ROW_VALUES, tile_rows)
        See `Workspace`.
    lines : (tile_rows, padded_classes)
        Logits, row by row.
    numbers : (tile_rows,) int64
        Which rows are in the tile.
    totals : (padded_classes,) float64
        Sums over rows.
    """

    tile: Any
    lines: Any
    numbers: Any
    totals: Any


class Team(NamedTuple):
    """A thread among those that run a kernel together.

    Attributes
    ----------
    thread, n_threads : int
        Its number, from 0, and how many there may be.
    call : int
        The number of the call.
    shared : (n_shared,) int64
        See `threads.claims`.
    """

    thread: Any
    n_threads: Any
    call: Any
    shared: Any


class Sums(NamedTuple):
    """What the chunks of a pass are summed in.

    Attributes
    ----------
    gradients : (n_buffers, padded_classes, padded_features + lanes)
    totals : (padded_classes, padded_features + lanes) float64
    chunk_results : (n_buffers, 2) float64
        Loss and number of correctly classified rows.
    shared : (n_shared,) int64
        Which buffer is a chunk's; see `threads.claims`.
    """

    gradients: Any
    totals: Any
    chunk_results: Any
    shared: Any


class Fold(NamedTuple):
    """What is done with the chunks' gradients after a round.

    Attributes
    ----------
    is_first : bool
        Whether there is nothing of the batch in the totals.
    is_last : bool
        Whether the batch ends, and a step is taken.
    scale : float
        Of the gradient in that step.
    """

    is_first: Any
    is_last: Any
    scale: Any


class Ahead(NamedTuple):
    """What of the next tile is fetched into the cache meanwhile.

    Attributes
    ----------
    number : int
        Where in the numbers of the rows it begins; below 0, nothing is fetched of it.
    column : int
        Of its rows, from which vectors are fetched while others are combined.
    blocks : tuple
        As long as there are rows, or vectors, at a time.
    coming : tuple
        Of columns in place: the features' columns, shape (n_features, n_samples); the first row of
        the tile that will be taken next and its number of rows; and a tuple as long as vectors are
        fetched at a time, down each column, one column after the other.
    n_fetched : int
        Vectors that have been fetched of these.
    """

    number: Any
    column: Any
    blocks: Any
    coming: Any
    n_fetched: Any


class Proximal(NamedTuple):
    """What a step with a penalty needs; see `sgd_step`.

    Attributes
    ----------
    coefficients : tuple
        Rate, share and pull.
    scaling : (N_SCALINGS, padded_features) float64
        The features' means, the factors of their rates and the inverse of these.
    step_factors : (2, padded_features) float64
        Overwritten.
    row_results : (padded_classes, N_ROW_RESULTS) float64
        Overwritten: how far the average has gone against the gradient, if accelerated; and the
        penalty of the working set.
    """

    coefficients: Any
    scaling: Any
    step_factors: Any
    row_results: Any


class Slopes(NamedTuple):
    """What is found out of a batch of sparse rows, tile by tile.

    Attributes
    ----------
    values : (n_buffers, tile_rows, padded_classes)
        Derivatives of the rows' losses by their logits.
    row_numbers : (n_buffers, tile_rows) int64
    losses : (n_buffers,) float64
    shared : (n_shared,) int64
        Which buffer is a tile's; see `threads.claims`.
    """

    values: Any
    row_numbers: Any
    losses: Any
    shared: Any


class ColumnStore(NamedTuple):
    """Some columns of the features.

    Attributes
    ----------
    data : (n_elements,)
        Those of one column after the other.
    rows : (n_places,) int32
        Which rows they are in. Columns that are in all rows may share their places.
    pointers : (n_columns + 1,) int64
        Where the elements of each column begin, then their number.
    row_starts : (n_columns,) int64
        Where its rows begin.
    """

    data: Any
    rows: Any
    pointers: Any
    row_starts: Any
