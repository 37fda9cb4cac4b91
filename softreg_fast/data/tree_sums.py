"""Sums of what blocks of rows give, added by a tree that the number of blocks alone decides.

Neighbours are added in pairs, these in pairs, and so on; what has no neighbour goes up alone. So a
sum has the same bits, whoever adds which part of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

Sums = tuple[Any, ...]
"""Numbers and arrays, each of which is added to that of the next block."""


def add_sums(first: Sums, second: Sums) -> Sums:
    """Each part of the first and that of the second."""
    with np.errstate(all="ignore"):  # looked at when all are added
        return tuple(one + other for one, other in zip(first, second, strict=True))


@dataclass(frozen=True)
class Subtree:
    """The sum of neighbouring blocks that are added before others are added to them.

    Attributes
    ----------
    first : int
        Number of the first block, a multiple of how many there are.
    height : int
        There are ``2**height``.
    sums : tuple
    """

    first: int
    height: int
    sums: Sums

    def is_left_of(self, other: "Subtree") -> bool:
        """Whether the other one is added to this one next."""
        n_blocks = 1 << self.height
        return (
            self.height == other.height
            and self.first + n_blocks == other.first
            and self.first % (2 * n_blocks) == 0
        )


class TreeSum:
    """Sums of blocks, of which some may be missing."""

    def __init__(self) -> None:
        self.subtrees: list[Subtree] = []

    def add(self, sums: Sums) -> None:
        """Add those of the next block, none of which may be missing."""
        last = self.subtrees[-1] if self.subtrees else Subtree(-1, 0, ())
        self.add_subtree(Subtree(last.first + (1 << last.height), 0, sums))

    def add_subtree(self, subtree: Subtree) -> None:
        """Add blocks that come after those that are there."""
        while self.subtrees and self.subtrees[-1].is_left_of(subtree):
            left = self.subtrees.pop()
            subtree = Subtree(left.first, left.height + 1, add_sums(left.sums, subtree.sums))
        self.subtrees.append(subtree)

    @property
    def total(self) -> Sums:
        """Of all blocks so far; at least one, and none is missing."""
        *others, last = self.subtrees
        total = last.sums
        for subtree in reversed(others):
            total = add_sums(subtree.sums, total)
        return total


def tree_sum(all_sums: Iterable[Sums]) -> Sums:
    """The sums of blocks in order."""
    tree = TreeSum()
    for sums in all_sums:
        tree.add(sums)
    return tree.total


def join_subtrees(parts: Iterable[Iterable[Subtree]]) -> list[Subtree]:
    """Those of several parts, in any order, of which neighbours are added."""
    tree = TreeSum()
    for subtree in sorted(chain.from_iterable(parts), key=lambda each: each.first):
        tree.add_subtree(subtree)
    return tree.subtrees


def add_subtrees(parts: Iterable[Iterable[Subtree]]) -> Sums:
    """The sums of all blocks, which are in several parts, in any order."""
    tree = TreeSum()
    tree.subtrees = join_subtrees(parts)
    return tree.total
