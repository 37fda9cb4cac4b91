"""What of the features is needed beside passes over them: weighted sums, in one go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.table import Table
from ..kernels.moments import (
    SparseSumsSpecialisation,
    SumsSpecialisation,
    sum_columns,
    sum_rows,
    sum_sparse_rows,
)
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..kernels.table_pass import count_categories
from ..runtime import tuning
from ..runtime.claimed_map import claimed_map, cut_into_blocks
from ..runtime.sparse_workspace import Panel
from ..runtime.threads import count_threads_for_pass

# Rows that are summed by one thread: so many numbers, and no more blocks than that.
_NUMBERS_PER_BLOCK = 1 << 18
_MOST_BLOCKS = 64
# Sums of all blocks, of which each has some for every class.
_MOST_SUMS = 1 << 23
_NOTHING = np.zeros(0)
PlacedPanel = tuple[int, int, Panel]
"""The first row of a panel, the one after its last, and the panel."""
_EPSILON = float(np.finfo(np.float64).eps)
# Of a mean square, what the mean's square may have: four digits are lost then.
_LARGEST_SHARE = 1.0 - 1e-4
# Mean squares below this have lost digits to underflow.
SMALLEST_SQUARE = 1e-280


@dataclass(frozen=True)
class FeatureSums:
    """Weighted sums over all rows; rows of weight zero have no part in them.

    Attributes
    ----------
    about_origin : ndarray of shape (n_classes, n_features), float64
        Of the differences of the features to `origin`, for each class of the targets.
    squares : ndarray of shape (n_features,), float64
        Of the squares of these differences.
    origin : ndarray of shape (n_features,), float64
        Near enough to the means that squares don't drown what differs.
    class_weights : ndarray of shape (n_classes,), float64
        The rows' weights.
    n_samples : int
    small_deviations : ndarray of shape (n_features,), float64
        Standard deviations of features whose squares are too small for float64, zeros for others.
    """

    about_origin: FloatArray
    squares: FloatArray
    origin: FloatArray
    class_weights: FloatArray
    n_samples: int
    small_deviations: FloatArray

    @cached_property
    def total_weight(self) -> float:
        """Of all rows."""
        return float(self.class_weights.sum())

    @cached_property
    def shifts(self) -> FloatArray:
        """The means less the origin."""
        with np.errstate(all="ignore"):
            shifts: FloatArray = self.about_origin.sum(axis=0) / self.total_weight
        return shifts

    @cached_property
    def means(self) -> FloatArray:
        """Of the features."""
        with np.errstate(all="ignore"):
            means: FloatArray = self.origin + self.shifts
        return means

    @cached_property
    def mean_square(self) -> float:
        """Of a row: the sum of its squared features."""
        with np.errstate(all="ignore"):
            squares = self.squares / self.total_weight
            about_zero = squares + self.origin * (2.0 * self.shifts + self.origin)
        return float(about_zero.sum())

    @cached_property
    def variances(self) -> FloatArray:
        """Of the features; zero where they differ by nothing but rounding."""
        with np.errstate(all="ignore"):
            distances = self.shifts**2
            variances: FloatArray = self.squares / self.total_weight - distances
            least = np.maximum(self._rounding, self.n_samples * _EPSILON * distances)
            variances[(variances <= least) & np.isfinite(variances)] = 0.0
        return variances

    @cached_property
    def deviations(self) -> FloatArray:
        """Standard deviations of the features, also where their squares underflow."""
        with np.errstate(all="ignore"):
            roots = np.sqrt(self.variances)
        return np.where(self.small_deviations > 0.0, self.small_deviations, roots)

    def spreads_about(self, numbers: FloatArray | float) -> FloatArray:
        """The roots of the mean squares of the features less some numbers."""
        spreads: FloatArray = np.hypot(self.deviations, self.means - numbers)
        return spreads

    @property
    def _rounding(self) -> FloatArray:
        """What may be left of the variance of a feature that is constant."""
        return (self.n_samples * _EPSILON * self.means) ** 2

    @property
    def are_far_off(self) -> bool:
        """Whether the origin is so far from the means that variances have lost many digits."""
        with np.errstate(all="ignore"):
            distances = self.shifts**2
            share = _LARGEST_SHARE * self.squares / self.total_weight
            return bool(((distances > share) & (distances > self._rounding)).any())


def sum_features_in_memory(
    problem: Problem,
    n_threads: int | None = None,
    panels: Callable[[], Iterable[PlacedPanel]] | None = None,
) -> FeatureSums:
    """Sums of the features of a problem whose rows are in memory.

    Parameters
    ----------
    problem : Problem
    n_threads : int or None, default=None
        See `threads.count_threads`. The sums have the same bits for any number.
    panels : callable or None, default=None
        Gives all rows by columns, if they are sparse and somebody has them.
    """
    class_weights = np.bincount(
        problem.targets, problem.sample_weight, minlength=problem.n_classes
    ).astype(np.float64)
    if problem.is_table:
        return _sum_table(problem, class_weights, n_threads)
    if problem.is_sparse:
        return _sum_sparse(problem, class_weights, n_threads, panels)
    first = 0 if problem.sample_weight is None else int((problem.sample_weight > 0.0).argmax())
    origin = problem.features[first].astype(np.float64)
    sums = _sum_dense(problem, class_weights, origin, n_threads)
    if sums.are_far_off:
        sums = _sum_dense(problem, class_weights, sums.means, n_threads)
    (small,) = np.nonzero(sums.squares < SMALLEST_SQUARE * sums.total_weight)
    if len(small):
        deviations = np.zeros(len(origin))
        for feature in small:
            column = problem.features[:, feature].astype(np.float64)
            deviations[feature] = _deviation(column, problem.sample_weight)
        sums = replace(sums, small_deviations=deviations)
    return sums


def _deviation(column: FloatArray, weights: FloatArray | None) -> float:
    """The standard deviation of a feature whose squares may underflow."""
    if weights is not None:
        column, weights = column[weights > 0.0], weights[weights > 0.0]
    column = column - column[0]
    largest = float(np.abs(column).max())
    if largest == 0.0:
        return 0.0
    column /= largest
    mean = np.average(column, weights=weights)
    return largest * float(np.sqrt(np.average((column - mean) ** 2, weights=weights)))


def _sum_dense(
    problem: Problem, class_weights: FloatArray, origin: FloatArray, n_threads: int | None
) -> FeatureSums:
    by_class, squares = sum_dense_about(problem, origin, n_threads)
    none_small = np.zeros(len(origin))
    return FeatureSums(by_class, squares, origin, class_weights, problem.n_samples, none_small)


def sum_dense_about(
    problem: Problem, origin: FloatArray, n_threads: int | None
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of dense features less an origin for each class, and those of the squares."""
    n_samples, n_features = problem.features.shape
    weights = problem.given_weights
    add = sum_rows.specialise(SumsSpecialisation(problem.features.dtype))

    def sum_block(block: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
        by_class = np.zeros((problem.n_classes, n_features))
        squares = np.zeros(n_features)
        add(problem.features, problem.targets, weights, origin, *block, by_class, squares)
        return by_class, squares

    block_rows = max(_NUMBERS_PER_BLOCK // n_features, -(-n_samples // _MOST_BLOCKS), 1)
    n_sums = problem.n_classes * n_features
    block_rows = max(block_rows, -(-n_samples * n_sums // _MOST_SUMS))
    blocks = cut_into_blocks(n_samples, block_rows)
    if len(blocks) == 1:
        return sum_block(blocks[0])
    n_useful = count_threads_for_pass(n_threads, problem.n_elements)
    sums = claimed_map(sum_block, blocks, min(n_useful, len(blocks)))
    by_class = np.sum([by_class for by_class, _ in sums], axis=0)
    squares = np.sum([squares for _, squares in sums], axis=0)
    return by_class, squares


def _sum_table(problem: Problem, class_weights: FloatArray, n_threads: int | None) -> FeatureSums:
    table: Table = problem.features
    n_numbers, n_classes = len(table.numbers), problem.n_classes
    weights = problem.given_weights
    by_row = np.zeros((table.n_model_rows, n_classes))
    squares, origin, deviations = np.zeros((3, table.n_model_rows))
    kind = choose_specialisation_of_a_pass(table.dtype, table.codes.dtype, problem.dtype, n_classes)
    count = count_categories.specialise(kind)

    def count_column(place: int) -> None:
        first = table.offsets[place]
        own = by_row[first : first + table.n_categories[place] + 1]
        count(table.codes[place], problem.targets, weights, own)

    n_used = count_threads_for_pass(n_threads, table.codes.size)
    claimed_map(count_column, range(len(table.codes)), min(n_used, max(1, len(table.codes))))
    squares[n_numbers:] = by_row[n_numbers:].sum(axis=1)
    if n_numbers:
        sums = sum_features_in_memory(replace(problem, features=table.numbers.T), n_threads)
        by_row[:n_numbers] = sums.about_origin.T
        squares[:n_numbers], origin[:n_numbers] = sums.squares, sums.origin
        deviations[:n_numbers] = sums.small_deviations
    rows = table.model_rows
    about_origin = np.ascontiguousarray(by_row[rows].T)
    return FeatureSums(
        about_origin,
        squares[rows],
        origin[rows],
        class_weights,
        problem.n_samples,
        deviations[rows],
    )


def _sum_elements(
    problem: Problem, origin: FloatArray, by_class_out: FloatArray, element_weights_out: FloatArray
) -> FloatArray:
    """The weighted sums of the squares of a sparse problem's elements, and others on the way.

    See `kernels.moments.sum_sparse_rows`; of all rows, in their order.
    """
    features = problem.features
    n_samples, n_features = features.shape
    specialisation = SparseSumsSpecialisation(features.dtype, features.indices.dtype)
    add = sum_sparse_rows.specialise(specialisation)
    pointers = features.indptr.astype(features.indices.dtype, copy=False)
    weights = problem.given_weights
    squares = np.zeros(n_features)
    block_rows = max(1, tuning.ELEMENTS_PER_CALL * n_samples // max(1, problem.n_elements))
    for block in cut_into_blocks(n_samples, block_rows):
        add(
            features.data,
            features.indices,
            pointers,
            problem.targets,
            weights,
            origin,
            *block,
            by_class_out,
            squares,
            element_weights_out,
        )
    return squares


def _with_zeros(
    problem: Problem, squares: FloatArray, origin: FloatArray, element_weights: FloatArray
) -> FloatArray:
    """Squares about an origin, with those of the elements that aren't stored."""
    total_weight = problem.total_weight
    without = total_weight - element_weights
    without[without <= problem.n_samples * _EPSILON * total_weight] = 0.0
    total: FloatArray = squares + without * origin**2
    return total


def sum_sparse_squares(problem: Problem, origin: FloatArray | None = None) -> FloatArray:
    """Weighted sums of the squares of sparse features, shape (n_features,), float64.

    Parameters
    ----------
    problem : Problem
        With sparse rows.
    origin : ndarray of shape (n_features,), default=None
        What the features are taken less, where they have no element too.
    """
    n_features = problem.features.shape[1]
    no_classes = np.zeros((0, n_features))
    if origin is None:
        return _sum_elements(problem, _NOTHING, no_classes, _NOTHING)
    element_weights = np.zeros(n_features)
    squares = _sum_elements(problem, origin, no_classes, element_weights)
    return _with_zeros(problem, squares, origin, element_weights)


def _sum_columns(
    problem: Problem,
    origin: FloatArray,
    n_threads: int | None,
    panels: Iterable[PlacedPanel],
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of sparse features for each class, and those of their squares.

    With the same bits as by rows, and in less time.
    """
    features = problem.features
    n_features = features.shape[1]
    n_used = count_threads_for_pass(n_threads, problem.n_elements)
    add = sum_columns.specialise(SumsSpecialisation(features.dtype))
    by_feature = np.zeros((n_features, problem.n_classes))
    squares, element_weights = np.zeros((2, n_features))
    for start, stop, panel in panels:
        rows = problem.targets[start:stop], problem.given_weights[start:stop]

        def sum_chunk(cut: int, panel: Panel = panel, rows: Any = rows) -> None:
            bounds = panel.cuts[cut], panel.cuts[cut + 1]
            columns = panel.data, panel.rows, panel.pointers
            add(*columns, *rows, origin, *bounds, by_feature, squares, element_weights)

        claimed_map(sum_chunk, range(len(panel.cuts) - 1), n_used)
    by_class = np.ascontiguousarray(by_feature.T)
    return by_class, _with_zeros(problem, squares, origin, element_weights)


def sum_sparse_about(problem: Problem, origin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of sparse features for each class, and of the squares about an origin."""
    n_features = problem.features.shape[1]
    by_class, element_weights = np.zeros((problem.n_classes, n_features)), np.zeros(n_features)
    squares = _sum_elements(problem, origin, by_class, element_weights)
    return by_class, _with_zeros(problem, squares, origin, element_weights)


def _sum_sparse(
    problem: Problem,
    class_weights: FloatArray,
    n_threads: int | None,
    panels: Callable[[], Iterable[PlacedPanel]] | None,
) -> FeatureSums:
    n_samples, n_features = problem.features.shape

    def sum_about(origin: FloatArray) -> tuple[FloatArray, FloatArray]:
        if panels is not None:
            return _sum_columns(problem, origin, n_threads, panels())
        return sum_sparse_about(problem, origin)

    none = np.zeros(n_features)
    with np.errstate(all="ignore"):
        by_class, squares = sum_about(none)
    sums = FeatureSums(by_class, squares, none, class_weights, n_samples, none)
    if sums.are_far_off:
        about_means = by_class - class_weights[:, None] * sums.means
        _, squares = sum_about(sums.means)
        sums = replace(sums, about_origin=about_means, squares=squares, origin=sums.means)
    is_small = (squares < SMALLEST_SQUARE * sums.total_weight) & by_class.any(axis=0)
    if is_small.any():
        deviations = np.zeros(n_features)
        columns = problem.features[:, is_small].astype(np.float64).tocsc()
        for place, feature in enumerate(np.flatnonzero(is_small)):
            column = columns[:, [place]].toarray()[:, 0]
            deviations[feature] = _deviation(column, problem.sample_weight)
        sums = replace(sums, small_deviations=deviations)
    return sums
