"""Weighted sums of a problem's features, whether its rows are in memory or read in blocks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..data.tree_sums import Sums
from .moments import (
    SMALLEST_SQUARE,
    FeatureSums,
    PlacedPanel,
    sum_dense_about,
    sum_features_in_memory,
    sum_sparse_about,
)


def sum_features(
    problem: Problem,
    n_threads: int | None = None,
    panels: Callable[[], Iterable[PlacedPanel]] | None = None,
) -> FeatureSums:
    """Sums of a problem's features; see `sum_features_in_memory` for the arguments."""
    if isinstance(problem, BlockedProblem):
        return _sum_blocks(problem, n_threads)
    return sum_features_in_memory(problem, n_threads, panels)


@dataclass(frozen=True)
class _SumBlock:
    """Sums of a block about an origin, for each class, and those of the squares."""

    kind: BlockKind
    origin: FloatArray

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        problem = self.kind.problem_of(block)
        with np.errstate(all="ignore"):  # looked at when all are added
            if problem.is_sparse:
                return sum_sparse_about(problem, self.origin)
            return sum_dense_about(problem, self.origin, n_threads)


@dataclass(frozen=True)
class _FindRow:
    """The first row of a block that has a weight, or else the first one."""

    kind: BlockKind

    def __call__(self, block: Block, n_threads: int | None) -> FloatArray:
        weights = self.kind.problem_of(block).sample_weight
        place = 0 if weights is None else int((weights > 0.0).argmax())
        row: FloatArray = np.asarray(block.features[place], np.float64)
        return row


@dataclass(frozen=True)
class _FindLargest:
    """The largest difference of some features to their origin, in rows that have a weight."""

    kind: BlockKind
    columns: npt.NDArray[np.int64]
    origin: FloatArray

    def __call__(self, block: Block, n_threads: int | None) -> FloatArray:
        differences, _ = _differences(self.kind, block, self.columns, self.origin)
        largest: FloatArray = np.abs(differences).max(axis=0, initial=0.0)
        return largest


@dataclass(frozen=True)
class _SumScaled:
    """Weighted sums of these differences over the largest ones, and of their squares."""

    kind: BlockKind
    columns: npt.NDArray[np.int64]
    origin: FloatArray
    largest: FloatArray

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        differences, weights = _differences(self.kind, block, self.columns, self.origin)
        scaled = differences / self.largest
        return weights @ scaled, weights @ scaled**2


def _differences(
    kind: BlockKind, block: Block, columns: npt.NDArray[np.int64], origin: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of some features to their origin, and the weights of these rows."""
    problem = kind.problem_of(block)
    weights = problem.weights()
    rows = np.flatnonzero(weights)
    features = problem.features[rows][:, columns]
    if issparse(features):
        features = features.toarray()
    return features.astype(np.float64) - origin, weights[rows]


def _sum_blocks(problem: BlockedProblem, n_threads: int | None) -> FeatureSums:
    rows, kind = problem.rows, problem.kind
    n_samples, n_features = rows.shape
    class_weights = problem.class_weights
    none_small = np.zeros(n_features)
    origin: FloatArray = np.zeros(n_features)
    if not problem.is_sparse:
        (origin,) = rows.map(_FindRow(kind), [0], n_threads)
    by_class, squares = rows.reduce(_SumBlock(kind, origin), n_threads)
    sums = FeatureSums(by_class, squares, origin, class_weights, n_samples, none_small)
    if sums.are_far_off:
        means = sums.means
        about_means, squares = rows.reduce(_SumBlock(kind, means), n_threads)
        if problem.is_sparse:
            about_means = by_class - class_weights[:, None] * means
        sums = FeatureSums(about_means, squares, means, class_weights, n_samples, none_small)
    return _with_small_deviations(problem, sums, n_threads)


def _with_small_deviations(
    problem: BlockedProblem, sums: FeatureSums, n_threads: int | None
) -> FeatureSums:
    """With standard deviations of the features whose squares are too small for float64."""
    is_small = sums.squares < SMALLEST_SQUARE * sums.total_weight
    (small,) = np.nonzero(is_small & sums.about_origin.any(axis=0))
    if not len(small):
        return sums
    rows, kind, origin = problem.rows, problem.kind, sums.origin[small]
    largest = np.max(rows.map(_FindLargest(kind, small, origin), None, n_threads), axis=0)
    small, origin, largest = (each[largest > 0.0] for each in (small, origin, largest))
    deviations = np.zeros(len(sums.origin))
    if len(small):
        totals, squares = rows.reduce(_SumScaled(kind, small, origin, largest), n_threads)
        means = totals / sums.total_weight
        variances = np.maximum(squares / sums.total_weight - means**2, 0.0)
        deviations[small] = largest * np.sqrt(variances)
    return replace(sums, small_deviations=deviations)
