"""Which rows a tile takes, in order or shuffled, and what is read of them beside the features.

A shuffled order takes blocks of neighbouring rows in a random order, as many at a time as the cache
holds, and shuffles the rows of such a *window*: rows read one by one from anywhere in memory would
take several times as long as training on them. Where the blocks begin differs from epoch to epoch.

No order needs memory. That of the blocks is a Feistel network (Luby and Rackoff, How to construct
pseudorandom permutations, 1988) on the pairs ``(position // breadth, position % breadth)``, which
permutes ``height * breadth`` numbers. That within a window is made of steps that can each be undone
on the numbers below a power of two: multiplication by an odd number, and adding a number's upper
bits to its lower ones without carry. What falls behind the last number is sent through again.

`order` is a tuple: whether to shuffle, the epoch's key, the row that the first block begins with,
the rows of a block as a power of two, and the rows of a window.
"""

import numpy as np

from .compile.entry_point import by_presence, kernel
from .simd.lanes import (
    load,
    load_numbered,
    prefetch,
    prefetch_element,
    store_block,
    transpose,
)

_ROWS_PER_FETCH = 8
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TWICE_GOLDEN = np.uint64(0x3C6EF372FE94F82A)
_MIXERS = np.uint64(0x9E3779B1), np.uint64(0x85EBCA77)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ODD = np.uint64(1)


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
def _feistel_round(left, right, height, breadth, key):
    left += _offset(right, key, height)
    left -= height if left >= height else np.uint64(0)
    right += _offset(left, key + _GOLDEN, breadth)
    right -= breadth if right >= breadth else np.uint64(0)
    return left, right


@kernel
def _permuted(position, height, breadth, key):
    # Exact for positions below 2**52, and unlike a division of integers a vector instruction.
    left = np.uint64(np.int64(np.float64(np.int64(position)) / np.float64(np.int64(breadth))))
    right = position - left * breadth
    # Written out, as loops with a fixed number of turns aren't made into vector instructions.
    left, right = _feistel_round(left, right, height, breadth, key)
    left, right = _feistel_round(left, right, height, breadth, key + _TWICE_GOLDEN)
    left, right = _feistel_round(left, right, height, breadth, key + _TWICE_GOLDEN + _TWICE_GOLDEN)
    return left * breadth + right


@kernel
def shuffle_blocks(start, stop, n_blocks, key, blocks_out):
    """Block numbers at some positions of a shuffled order.

    Parameters
    ----------
    start, stop : int
        Positions, from 0 to `n_blocks`.
    n_blocks : int
        Below 2**52.
    key : uint64
    blocks_out : (>= stop - start,) int64
    """
    n_numbers = np.uint64(n_blocks)
    breadth = np.uint64(np.ceil(np.sqrt(n_blocks)))
    height = (n_numbers + breadth - np.uint64(1)) // breadth
    for place in range(stop - start):
        blocks_out[place] = np.int64(_permuted(np.uint64(start + place), height, breadth, key))
    for place in range(stop - start):
        while blocks_out[place] >= n_blocks:
            blocks_out[place] = np.int64(
                _permuted(np.uint64(blocks_out[place]), height, breadth, key)
            )


@kernel
def _mixing_round(number, mask, shift, key):
    number = ((number ^ (number >> shift)) & _LOW) * ((key & _LOW) | _ODD)
    return (number + (key >> _HALF)) & mask


@kernel
def _mixed(number, mask, shift, key):
    """Another number from 0 to `mask`, one for each. `mask` is below 2**31."""
    number = (number + key) & mask
    number = _mixing_round(number, mask, shift, key_of_epoch(key, 0))
    number = _mixing_round(number, mask, shift, key_of_epoch(key, 1))
    number = _mixing_round(number, mask, shift, key_of_epoch(key, 2))
    number = _mixing_round(number, mask, shift, key_of_epoch(key, 3))
    number = _mixing_round(number, mask, shift, key_of_epoch(key, 4))
    return number ^ (number >> shift)


@kernel
def _shuffle_places(start, stop, n_places, key, places_out):
    """Places within a window at some positions of its shuffled order."""
    n_bits = 1
    while (1 << n_bits) < n_places:
        n_bits += 1
    mask = np.uint64((1 << n_bits) - 1)
    shift = np.uint64((n_bits + 1) // 2)
    for place in range(stop - start):
        places_out[place] = np.int64(_mixed(np.uint64(start + place), mask, shift, key))
    for place in range(stop - start):
        while places_out[place] >= n_places:
            places_out[place] = np.int64(_mixed(np.uint64(places_out[place]), mask, shift, key))


@kernel
def order_of_epoch(shuffled, seed, epoch, n_samples, block_bits, window_rows):
    """The `order` of an epoch."""
    key = key_of_epoch(seed, epoch)
    first_row = np.int64(key % np.uint64(n_samples))
    return shuffled, key, first_row, block_bits, window_rows


@kernel
def _fill_table(window, n_samples, order, table):
    """See to it that a table holds the first rows of a window's blocks, behind its signature.

    The incomplete block at the end of all rows comes behind the others.
    """
    _, key, first_row, block_bits, window_rows = order
    signature = np.int64(key_of_epoch(key, window) >> np.uint64(1))
    if table[0] == signature:
        return
    n_blocks = n_samples >> block_bits
    start = min(window * (window_rows >> block_bits), n_blocks)
    stop = min(start + (window_rows >> block_bits), n_blocks)
    shuffle_blocks(start, stop, n_blocks, key, table[1:])
    table[1 + stop - start] = n_blocks
    for place in range(1, 2 + stop - start):
        row = (table[place] << block_bits) + first_row
        table[place] = row - n_samples if row >= n_samples else row
    table[0] = signature


@kernel
def _look_up(table, n_samples, block_bits, places):
    """Rows instead of the places of a window."""
    within = (1 << block_bits) - 1
    for place in range(len(places)):
        row = table[1 + (places[place] >> block_bits)] + (places[place] & within)
        places[place] = row - n_samples if row >= n_samples else row


@kernel
def _number_in_blocks(first, table, block_bits, numbers_out):
    """Rows at places of a window from `first` on; beyond the last within the block that has it."""
    block_rows = 1 << block_bits
    done = 0
    while done < len(numbers_out):
        within = (first + done) & (block_rows - 1)
        row = table[1 + ((first + done) >> block_bits)] + within
        n_here = min(block_rows - within, len(numbers_out) - done)
        for place in range(n_here):
            numbers_out[done + place] = row + place
        done += n_here


def _number_shuffled(start, n_rows, tile_rows, n_samples, order, tables, numbers):
    """Row numbers of a tile; and, for each, that of a row of the window that is taken next."""
    _, key, _, block_bits, window_rows = order
    done = 0
    while done < n_rows:
        window = (start + done) // window_rows
        window_start = window * window_rows
        window_stop = min(window_start + window_rows, n_samples)
        n_here = min(n_rows - done, window_stop - start - done)
        first = start + done - window_start
        here = numbers[done : done + n_here]
        window_key = key_of_epoch(key, -1 - window)
        _shuffle_places(first, first + n_here, window_stop - window_start, window_key, here)
        table = tables[window & 1]
        _fill_table(window, n_samples, order, table)
        _look_up(table, n_samples, block_bits, here)
        n_ahead = max(min(n_here, n_samples - window_stop - first), 0)
        ahead = numbers[tile_rows + done : tile_rows + done + n_here]
        if n_ahead > 0:
            table = tables[(window + 1) & 1]
            _fill_table(window + 1, n_samples, order, table)
            _number_in_blocks(first, table, block_bits, ahead[:n_ahead])
        for place in range(n_ahead, n_here):
            ahead[place] = here[place]
        done += n_here


def _never(order):
    return False


def _if_wanted(order):
    return order[0]


is_shuffled = by_presence(_never, {"order": _if_wanted})


def _leave_order(start, n_rows, tile_rows, n_samples, order, tables, numbers):
    """Compiled, and never called, where the rows keep their own order."""


_shuffle_numbers = by_presence(_leave_order, {"order": _number_shuffled})


@kernel
def number_rows(start, n_rows, n_padded, ahead, n_samples, order, tile_rows, all_numbers):
    """Row numbers of a tile, and of rows to be fetched meanwhile.

    Parameters
    ----------
    start, n_rows : int
        Positions of the tile's rows in the order.
    n_padded : int
        How many numbers to give; those behind the last row repeat the first.
    ahead : int
        Position of the first row of the tile that will be taken next.
    n_samples : int
    order : tuple or None
        None for the rows' own order.
    tile_rows : int
    all_numbers : (4, n) int64
        The first row becomes the tile's numbers, and, from `tile_rows` on, those of the next tile
        or, of shuffled rows, of a part of the next window. The last two are the tables of windows.
    """
    numbers = all_numbers[0]
    n_ahead = n_rows
    if is_shuffled(order):
        _shuffle_numbers(start, n_rows, tile_rows, n_samples, order, all_numbers[2:], numbers)
    else:
        for place in range(n_rows):
            numbers[place] = start + place
        n_ahead = max(min(tile_rows, n_samples - ahead), 0)
        for place in range(n_ahead):
            numbers[tile_rows + place] = ahead + place
    for place in range(n_rows, n_padded):
        numbers[place] = numbers[0]
    for place in range(n_ahead, tile_rows):
        numbers[tile_rows + place] = numbers[0]


@kernel
def fetch_targets(targets, n_rows, tile_rows, numbers):
    """Fetch the targets of rows that will be taken in another order."""
    for place in range(0, n_rows, _ROWS_PER_FETCH):
        prefetch_element(targets, numbers[tile_rows + place])


@kernel
def take_targets(targets, sample_weights, n_rows, n_padded, numbers, targets_out, weights_out):
    """Targets and weights of a tile's rows; what fills up the last vector has no weight."""
    if len(targets) == 0:
        return
    for place in range(n_padded):
        targets_out[place] = targets[numbers[place]]
        weights_out[place] = 1.0 if place < n_rows else 0.0
    if len(sample_weights) > 0:
        for place in range(n_rows):
            weights_out[place] = sample_weights[numbers[place]]


@kernel
def fetch_ahead(features, numbers, tile_rows, step, n_steps, width):
    """Fetch a share of the tile that will be transposed next.

    It is of the second half of rows whose numbers are neighbours, since the first is fetched while
    this tile is transposed. A tile that is this one again is there already.

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
    if features.strides[1] == features.itemsize and numbers[tile_rows] != numbers[0]:
        half = tile_rows // 2
        first = tile_rows + half
        for row in range(first + half * step // n_steps, first + half * (step + 1) // n_steps):
            for column in range(0, n_features, len(width)):
                prefetch(features, numbers[row], column)


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


def _leave_rows(features, n_padded, numbers, width, tile_rows, feature_tile_out):
    pass


def _transpose_rows(features, n_padded, numbers, width, tile_rows, feature_tile_out):
    """A tile's rows transposed, if there is an array for it.

    Parameters
    ----------
    features : (n_samples, n_features)
        Of any strides.
    n_padded : int
    numbers : (>= 2 * tile_rows,) int64
        The rows, and those that will be taken next.
    width : tuple of `lanes`
    tile_rows : int
    feature_tile_out : (>= n_features, tile_rows) or None
        Of rows, as many as the features take whole vectors.
    """
    n_features = features.shape[1]
    if features.strides[1] == features.itemsize:
        _transpose_blocks(features, n_padded, tile_rows, numbers, width, feature_tile_out)
        return
    for place in range(n_padded):
        for feature in range(n_features):
            feature_tile_out[feature, place] = features[numbers[place], feature]


transpose_rows = by_presence(_leave_rows, {"feature_tile_out": _transpose_rows})
