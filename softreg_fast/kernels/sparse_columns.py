"""The elements of some rows of a sparse matrix by columns (CSC), on any number of threads.

First the elements of each feature are counted in chunks of the rows; then each chunk's are written
to places of their own. Those of a feature are in the order of the rows.
"""

from dataclasses import dataclass

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point


@dataclass(frozen=True)
class ColumnsSpecialisation:
    """The types that the entry points are compiled for.

    Attributes
    ----------
    features_dtype, index_dtype : numpy.dtype
        Of the elements and of their columns.
    number_dtype : numpy.dtype
        Unsigned; of numbers of elements.
    """

    features_dtype: np.dtype
    index_dtype: np.dtype
    number_dtype: np.dtype


def _count_types(specialisation: ColumnsSpecialisation) -> tuple[types.Type, ...]:
    return (
        array_type(specialisation.index_dtype, 1, readonly=True),
        types.int64,
        types.int64,
        array_type(specialisation.number_dtype, 1),
    )


@entry_point(_count_types)
def count_elements(indices, start, stop, counts_out):
    """Count the elements of each feature.

    Parameters
    ----------
    indices : (n_elements,)
    start, stop : int
        Which elements.
    counts_out : (n_features,)
        They are added.
    """
    for element in range(start, stop):
        counts_out[np.uint64(indices[element])] += 1


def _place_types(specialisation: ColumnsSpecialisation) -> tuple[types.Type, ...]:
    index = array_type(specialisation.index_dtype, 1, readonly=True)
    return (
        array_type(specialisation.features_dtype, 1, readonly=True),
        index,
        index,
        types.int64,
        types.int64,
        types.int64,
        array_type(specialisation.number_dtype, 1),
        array_type(specialisation.features_dtype, 1),
        array_type(np.dtype(np.int32), 1),
    )


@entry_point(_place_types)
def place_elements(data, indices, pointers, start, stop, first_row, places, data_out, rows_out):
    """Write the elements of some rows to where they are by columns.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
    start, stop : int
        Which rows.
    first_row : int
        The one that has the number zero.
    places : (n_features,)
        Where the next element of each feature belongs; changed in place.
    data_out, rows_out : (n_elements,), (n_elements,) int32
        Elements, and the numbers of their rows.
    """
    for row in range(start, stop):
        for element in range(np.uint64(pointers[row]), np.uint64(pointers[row + 1])):
            feature = np.uint64(indices[element])
            place = np.uint64(places[feature])
            places[feature] += 1
            data_out[place] = data[element]
            rows_out[place] = row - first_row
