"""Weighted sums of the features of each class, and of their squares."""

from dataclasses import dataclass

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel, numba_type


@dataclass(frozen=True)
class SumsSpecialisation:
    """The types that the entry point is compiled for.

    Attributes
    ----------
    features_dtype : numpy.dtype
        float32 or float64.
    """

    features_dtype: np.dtype


def _sums_types(specialisation: SumsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        types.Array(numba_type(specialisation.features_dtype), 2, "A", readonly=True),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(double, 1, readonly=True),
        types.int64,
        types.int64,
        array_type(double, 2),
        array_type(double, 1),
    )


@kernel
def _add_element(value, weight, feature, sums, squares):
    sums[feature] += weight * value
    squares[feature] += weight * value * value


@entry_point(_sums_types)
def sum_rows(features, targets, sample_weights, origin, start, stop, by_class_out, squares_out):
    """Add what the rows from `start` to `stop` bring.

    Parameters
    ----------
    features : (n_samples, n_features)
    targets : (n_samples,) int32
    sample_weights : (n_samples,) or (0,)
        With none, every row weighs 1. What is in rows of weight zero doesn't count.
    origin : (n_features,)
        What the features are taken less.
    start, stop : int
    by_class_out : (n_classes, n_features)
        The features' weighted sums are added.
    squares_out : (n_features,)
        The weighted sums of their squares are added.
    """
    n_features = features.shape[1]
    is_weighted = len(sample_weights) > 0
    if features.strides[1] == features.itemsize:
        for row in range(start, stop):
            sums = by_class_out[targets[row]]
            weight = sample_weights[row] if is_weighted else 1.0
            if weight == 0.0:
                continue
            for feature in range(n_features):
                value = np.float64(features[row, feature]) - origin[feature]
                _add_element(value, weight, feature, sums, squares_out)
        return
    for feature in range(n_features):
        for row in range(start, stop):
            sums = by_class_out[targets[row]]
            weight = sample_weights[row] if is_weighted else 1.0
            if weight == 0.0:
                continue
            value = np.float64(features[row, feature]) - origin[feature]
            _add_element(value, weight, feature, sums, squares_out)


@dataclass(frozen=True)
class SparseSumsSpecialisation:
    """The types that the entry point is compiled for.

    Attributes
    ----------
    features_dtype, index_dtype : numpy.dtype
        Of the elements and of their columns.
    """

    features_dtype: np.dtype
    index_dtype: np.dtype


def _sparse_sums_types(specialisation: SparseSumsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    index = array_type(specialisation.index_dtype, 1, readonly=True)
    return (
        array_type(specialisation.features_dtype, 1, readonly=True),
        index,
        index,
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(double, 1, readonly=True),
        types.int64,
        types.int64,
        array_type(double, 2),
        array_type(double, 1),
        array_type(double, 1),
    )


@entry_point(_sparse_sums_types)
def sum_sparse_rows(
    data,
    indices,
    pointers,
    targets,
    sample_weights,
    origin,
    start,
    stop,
    by_class_out,
    squares_out,
    element_weights_out,
):
    """Add what the elements of the rows from `start` to `stop` bring.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
    targets : (n_samples,) int32
    sample_weights : (n_samples,) or (0,)
        With none, every row weighs 1. What is in rows of weight zero doesn't count.
    origin : (n_features,) or (0,)
        What elements are taken less, for their squares.
    start, stop : int
    by_class_out : (n_classes, n_features) or (0, n_features)
        The elements' weighted sums are added, if they are wanted.
    squares_out : (n_features,)
        The weighted sums of their squares are added.
    element_weights_out : (n_features,) or (0,)
        The sums of their weights are added, if they are wanted.
    """
    for row in range(start, stop):
        weight = sample_weights[row] if len(sample_weights) > 0 else 1.0
        if weight == 0.0:
            continue
        for element in range(np.int64(pointers[row]), np.int64(pointers[row + 1])):
            feature = np.int64(indices[element])
            value = np.float64(data[element])
            if len(by_class_out) > 0:
                by_class_out[targets[row], feature] += weight * value
            if len(origin) > 0:
                value -= origin[feature]
            squares_out[feature] += weight * value * value
            if len(element_weights_out) > 0:
                element_weights_out[feature] += weight


def _column_sums_types(specialisation: SumsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    number = array_type(np.dtype(np.int32), 1, readonly=True)
    return (
        array_type(specialisation.features_dtype, 1, readonly=True),
        number,
        array_type(np.dtype(np.int64), 1, readonly=True),
        number,
        array_type(double, 1, readonly=True),
        array_type(double, 1, readonly=True),
        types.int64,
        types.int64,
        array_type(double, 2),
        array_type(double, 1),
        array_type(double, 1),
    )


@entry_point(_column_sums_types)
def sum_columns(
    data,
    rows,
    pointers,
    targets,
    sample_weights,
    origin,
    start,
    stop,
    by_feature_out,
    squares_out,
    element_weights_out,
):
    """Add what the elements of the features from `start` to `stop` bring, row by row.

    Parameters
    ----------
    data, rows, pointers : (n_elements,), (n_elements,) int32, (n_features + 1,) int64
        Elements by columns, and the numbers of their rows.
    targets : (n_rows,) int32
    sample_weights : (n_rows,) or (0,)
        With none, every row weighs 1. What is in rows of weight zero doesn't count.
    origin : (n_features,)
        What elements are taken less, for their squares.
    start, stop : int
    by_feature_out : (n_features, n_classes)
        The elements' weighted sums are added.
    squares_out : (n_features,)
        The weighted sums of their squares are added.
    element_weights_out : (n_features,)
        The sums of their weights are added.
    """
    is_weighted = len(sample_weights) > 0
    for feature in range(start, stop):
        squares = squares_out[feature]
        element_weights = element_weights_out[feature]
        for element in range(np.uint64(pointers[feature]), np.uint64(pointers[feature + 1])):
            row = np.uint64(rows[element])
            weight = sample_weights[row] if is_weighted else 1.0
            if weight == 0.0:
                continue
            value = np.float64(data[element])
            by_feature_out[feature, np.uint64(targets[row])] += weight * value
            value -= origin[feature]
            squares += weight * value * value
            element_weights += weight
        squares_out[feature] = squares
        element_weights_out[feature] = element_weights
