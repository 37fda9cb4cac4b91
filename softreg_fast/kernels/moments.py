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
