"""Which rows a tile takes, in order or shuffled, and what is read of them beside the features.

A shuffled order needs no memory: a Feistel network (Luby and Rackoff, How to construct pseudorandom
permutations, 1988) on the pairs ``(position // breadth, position % breadth)`` permutes
``height * breadth`` numbers, and what falls behind the last row is sent through it again.
"""

import numpy as np

from .jit import by_presence, kernel
from .lanes import load, load_along, load_numbered, prefetch, store_block, transpose

_ROUNDS = 3
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = np.uint64(0x9E3779B1), np.uint64(0x85EBCA77)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = (0,)


@kernel
def key_of_epoch(seed, epoch):
    """The key of an epoch's order (the finaliser of splitmix64).

    Parameters
    ----------
    seed : uint64
    epoch : int

    Returns
    -------
    uint64
    """
    key = seed + (np.uint64(epoch) + np.uint64(1)) * _GOLDEN
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@kernel
def _offset(number, key, size):
    """Something below `size` that depends on the number and the key.

    Products of 32-bit numbers: for 64-bit ones there is no fast vector instruction.
    """
    mixed = ((number + key) & _LOW) * _MIXERS[0]
    mixed = ((mixed ^ (mixed >> _HALF)) & _LOW) * _MIXERS[1]
    mixed = (mixed ^ (mixed >> _HALF)) & _LOW
    return (mixed * (size & _LOW)) >> _HALF


@kernel
def _permuted(position, height, breadth, key):
    # Exact for positions below 2**52, and unlike a division of integers a vector instruction.
    left = np.uint64(np.int64(np.float64(np.int64(position)) / np.float64(np.int64(breadth))))
    right = position - left * breadth
    for _ in range(_ROUNDS):
        left += _offset(right, key, height)
        left -= height if left >= height else np.uint64(0)
        key += _GOLDEN
        right += _offset(left, key, breadth)
        right -= breadth if right >= breadth else np.uint64(0)
        key += _GOLDEN
    return left * breadth + right


@kernel
def shuffle_positions(start, stop, n_samples, key, numbers_out):
    """Row numbers at some positions of a shuffled order.

    Parameters
    ----------
    start, stop : int
        Positions, from 0 to `n_samples`.
    n_samples : int
        Below 2**52.
    key : uint64
    numbers_out : (>= stop - start,) int64
    """
    n_rows = np.uint64(n_samples)
    breadth = np.uint64(np.ceil(np.sqrt(n_samples)))
    height = (n_rows + breadth - np.uint64(1)) // breadth
    for place in range(stop - start):
        numbers_out[place] = np.int64(_permuted(np.uint64(start + place), height, breadth, key))
    for place in range(stop - start):
        while numbers_out[place] >= n_samples:
            numbers_out[place] = np.int64(
                _permuted(np.uint64(numbers_out[place]), height, breadth, key)
            )


@kernel
def _number_positions(start, stop, n_samples, shuffled, key, numbers_out):
    stop = max(min(stop, n_samples), start)
    if shuffled:
        shuffle_positions(start, stop, n_samples, key, numbers_out)
    else:
        for place in range(stop - start):
            numbers_out[place] = start + place
    return stop - start


@kernel
def number_rows(start, n_rows, n_padded, ahead, n_samples, shuffled, key, tile_rows, numbers):
    """Row numbers of a tile, and of the next.

    Parameters
    ----------
    start, n_rows : int
        Positions of the tile's rows in the order.
    n_padded : int
        How many numbers to give; those behind the last row repeat the first.
    ahead : int
        Position of the first row of the tile that will be taken next.
    n_samples : int
    shuffled : bool
    key : uint64
        Of the shuffled order.
    tile_rows : int
    numbers : (>= 2 * tile_rows + 2,) int64
        The tile's numbers, those of the next tile from `tile_rows` on, and then the position of
        the latter and their key, by which the next call finds out whether they are its own.
    """
    signature = np.int64(key >> np.uint64(1)) if shuffled else np.int64(0)
    if shuffled and numbers[2 * tile_rows] == start and numbers[2 * tile_rows + 1] == signature:
        for place in range(n_rows):
            numbers[place] = numbers[tile_rows + place]
    else:
        _number_positions(start, start + n_rows, n_samples, shuffled, key, numbers)
    for place in range(n_rows, n_padded):
        numbers[place] = numbers[0]
    n_ahead = _number_positions(
        ahead, ahead + tile_rows, n_samples, shuffled, key, numbers[tile_rows:]
    )
    for place in range(n_ahead, tile_rows):
        numbers[tile_rows + place] = numbers[0]
    numbers[2 * tile_rows] = ahead
    numbers[2 * tile_rows + 1] = signature


@kernel
def take_targets(targets, n_rows, n_padded, numbers, targets_out, weights_out):
    """Targets and weights of a tile's rows; what fills up the last vector has no weight."""
    if len(targets) == 0:
        return
    for place in range(n_padded):
        targets_out[place] = targets[numbers[place]]
        weights_out[place] = 1.0 if place < n_rows else 0.0


@kernel
def fetch_ahead(features, numbers, tile_rows, step, n_steps, width):
    """Fetch a share of the tile that will be transposed next.

    Of rows whose numbers are neighbours it is the second half, since the first is fetched while
    this tile is transposed; of columns it is everything.

    Parameters
    ----------
    features : (n_samples, n_features)
    numbers : (>= 2 * tile_rows,) int64
    tile_rows : int
    step, n_steps : int
        Which share of how many.
    width : tuple of `lanes`
    """
    n_features = features.shape[1]
    if features.strides[1] == features.itemsize:
        half = tile_rows // 2
        first = tile_rows + half
        for row in range(first + half * step // n_steps, first + half * (step + 1) // n_steps):
            for column in range(0, n_features, len(width)):
                prefetch(features, numbers[row], column)
    else:
        for column in range(n_features * step // n_steps, n_features * (step + 1) // n_steps):
            for row in range(0, tile_rows, len(width)):
                prefetch(features, numbers[tile_rows] + row, column)


@kernel
def _transpose_blocks(features, n_padded, tile_rows, numbers, width, feature_tile_out):
    """Of rows whose numbers are neighbours in memory."""
    n_features = features.shape[1]
    like = load(feature_tile_out, 0, 0, width)
    for place in range(0, n_padded, len(width)):
        for feature in range(0, n_features, len(width)):
            ahead = tile_rows + place // 2
            for row in range(ahead, ahead + len(width) // 2):
                prefetch(features, numbers[row], feature)
            rows = load_numbered(
                features, numbers, place, feature, n_features - feature, like, width
            )
            store_block(feature_tile_out, feature, place, transpose(rows))


@kernel
def _copy_columns(features, n_rows, tile_rows, numbers, width, feature_tile_out):
    """Of rows that follow each other and whose columns are neighbours in memory."""
    like = load(feature_tile_out, 0, 0, width)
    columns = features.T
    for feature in range(features.shape[1]):
        for place in range(0, n_rows, len(width)):
            numbers_here = load_along(columns, feature, numbers[place], n_rows - place, like, _ONE)
            store_block(feature_tile_out, feature, place, numbers_here)


def _leave_rows(
    features, n_rows, n_padded, shuffled, numbers, width, feature_tiles_out, thread, tile_rows
):
    pass


def _transpose_rows(
    features, n_rows, n_padded, shuffled, numbers, width, feature_tiles_out, thread, tile_rows
):
    """A tile's rows transposed, if there is an array for it.

    Parameters
    ----------
    features : (n_samples, n_features)
        Of any strides.
    n_rows, n_padded : int
    shuffled : bool
    numbers : (>= 2 * tile_rows,) int64
        The rows, and those that will be taken next.
    width : tuple of `lanes`
    feature_tiles_out : (n_threads, >= n_features, tile_rows) or None
        Of rows, as many as the features take whole vectors.
    thread, tile_rows : int
    """
    feature_tile_out = feature_tiles_out[thread]
    n_features = features.shape[1]
    row_stride, feature_stride = features.strides
    if feature_stride == features.itemsize:
        _transpose_blocks(features, n_padded, tile_rows, numbers, width, feature_tile_out)
        return
    if row_stride == features.itemsize and not shuffled:
        _copy_columns(features, n_rows, tile_rows, numbers, width, feature_tile_out)
        return
    for place in range(n_padded):
        for feature in range(n_features):
            feature_tile_out[feature, place] = features[numbers[place], feature]


transpose_rows = by_presence(_leave_rows, feature_tiles_out=_transpose_rows)
