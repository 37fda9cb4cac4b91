"""The order in which shuffled gradient descent takes the rows."""

import math

import numpy as np
import numpy.typing as npt

_GOLDEN = 0x9E3779B97F4A7C15


_MIXERS = 0x9E3779B1, 0x85EBCA77


_LOW = 2**32 - 1


def _key_of_epoch(seed: int, epoch: int) -> int:
    """The finaliser of splitmix64."""
    key = (seed + (epoch + 1) * _GOLDEN) % 2**64
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    key = (key ^ (key >> 27)) * 0x94D049BB133111EB % 2**64
    return key ^ (key >> 31)


def _shuffled_blocks(n_blocks: int, key: int) -> list[int]:
    """A Feistel network of three rounds on the pairs ``divmod(position, breadth)``.

    What falls behind the last block is sent through it again.
    """
    breadth = math.ceil(math.sqrt(n_blocks))
    height = -(-n_blocks // breadth) if breadth else 0

    def offset(number: int, key: int, size: int) -> int:
        for mixer in _MIXERS:
            mixed = (number + key & _LOW) * mixer
            number, key = mixed ^ mixed >> 32, 0
        return (number & _LOW) * size >> 32

    def permuted(position: int) -> int:
        left, right = divmod(position, breadth)
        for turn in range(0, 6, 2):
            left = (left + offset(right, key + turn * _GOLDEN, height)) % height
            right = (right + offset(left, key + (turn + 1) * _GOLDEN, breadth)) % breadth
        number = left * breadth + right
        return number if number < n_blocks else permuted(number)

    return [permuted(position) for position in range(n_blocks)]


def _shuffled_places(n_places: int, key: int) -> list[int]:
    """Multiplications by odd numbers, and upper bits added to lower ones without carry.

    What falls behind the last place is sent through again.
    """
    n_bits = max((n_places - 1).bit_length(), 1)
    mask, shift = 2**n_bits - 1, (n_bits + 1) // 2

    def permuted(place: int) -> int:
        number = (place + key) & mask
        for turn in range(5):
            factor = _key_of_epoch(key, turn)
            number = (number ^ number >> shift) * ((factor & _LOW) | 1)
            number = (number + (factor >> 32)) & mask
        number ^= number >> shift
        return number if number < n_places else permuted(number)

    return [permuted(place) for place in range(n_places)]


def shuffled_rows(
    n_samples: int, seed: int, epoch: int, block_bits: int, window_rows: int
) -> npt.NDArray[np.int64]:
    """The order in which shuffled descent takes the rows: every row once.

    Blocks of ``2**block_bits`` neighbouring rows are taken in a random order, and the rows of each
    `window_rows` of them are shuffled, the incomplete block at the end with the last. The first
    block begins at a random row, and the first row follows the last.

    Parameters
    ----------
    n_samples : int
    seed : int
        From 0 to 2**64 - 1.
    epoch : int
        From 0.
    block_bits : int
    window_rows : int
        A power of two, at least ``2**block_bits``.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    key = _key_of_epoch(seed, epoch)
    n_blocks = n_samples >> block_bits
    blocks = [*_shuffled_blocks(n_blocks, key), n_blocks]
    before = np.array([(block << block_bits) + place for block in blocks
                       for place in range(1 << block_bits)])[:n_samples]  # fmt: skip
    windows = np.split(before, range(window_rows, n_samples, window_rows))
    after = [
        rows[_shuffled_places(len(rows), _key_of_epoch(key, -1 - window))]
        for window, rows in enumerate(windows)
    ]
    return (np.concatenate(after) + key % n_samples) % n_samples
