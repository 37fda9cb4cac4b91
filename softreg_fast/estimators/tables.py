"""Tables of users: which columns are categories, and which those are."""

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.table import Table
from .table_columns import (
    Codes,
    check_table,
    columns_of,
    decode,
    is_categorical,
    is_missing,
    sorted_values,
    with_missing,
)

FROM_DTYPE = "from_dtype"
_DOUBLE, _SINGLE = np.dtype(np.float64), np.dtype(np.float32)


@dataclass(frozen=True)
class TableReader:
    """How columns of users become a table.

    Attributes
    ----------
    categories : tuple
        Of each column: its categories, or None if it is a number.
    names : tuple of str
        Of the columns.
    """

    categories: tuple[npt.NDArray[Any] | None, ...]
    names: tuple[str, ...]

    @property
    def of_categorical(self) -> list[npt.NDArray[Any]]:
        """The categories of the categorical columns."""
        return [each for each in self.categories if each is not None]

    @property
    def n_coefficients(self) -> int:
        """Of a class."""
        return sum(1 if each is None else len(each) for each in self.categories)

    @property
    def coefficient_names(self) -> list[str]:
        """Of the columns, and of each category of them."""
        names = []
        for name, categories in zip(self.names, self.categories, strict=True):
            names += [name] if categories is None else [f"{name}_{each}" for each in categories]
        return names

    def check_same(self, other: "TableReader") -> None:
        """Raise ValueError if another one has other categories."""
        if len(self.names) != len(other.names):
            raise ValueError(
                f"X has {len(other.names)} columns: with warm_start=True it must have the "
                f"{len(self.names)} of the last fit"
            )
        for label, own, others in zip(self.names, self.categories, other.categories, strict=True):
            are_same = own is None and others is None
            if own is not None and others is not None:
                are_same = own.astype(str).tolist() == others.astype(str).tolist()
            if not are_same:
                raise ValueError(
                    f"X[{label!r}] has other categories than in the last fit, with whose model "
                    "warm_start=True begins"
                )

    def read(self, name: str, X: Any) -> tuple[Table, list[str]]:
        """A table, and the names of the columns in which categories are unknown.

        Parameters
        ----------
        name : str
            Of the argument, for errors.
        X : data frame or array-like
            With as many columns, of the same names.

        Raises
        ------
        TypeError, ValueError
            There are no rows or other columns than in fit, or a column is not of numbers, or has
            one that isn't finite.
        """
        check_table(name, X)
        columns = columns_of(X)
        if len(columns) != len(self.names):
            raise ValueError(
                f"{name} has {len(columns)} columns: it must have the {len(self.names)} of fit"
            )
        are_categorical = [each is not None for each in self.categories]
        return self.assemble(decode(name, columns, self.names, are_categorical), name)

    def assemble(
        self, columns: Sequence[npt.NDArray[Any] | Codes], name: str
    ) -> tuple[Table, list[str]]:
        """The same of decoded columns."""
        sizes = tuple(len(each) for each in self.of_categorical)
        most = max(sizes, default=0)
        kind = np.dtype(np.uint8 if most < 256 else np.uint16 if most < 65_536 else np.uint32)
        parts = [each for each in columns if not isinstance(each, Codes)]
        are_single = bool(parts) and all(part.dtype == _SINGLE for part in parts)
        first = columns[0]
        n_samples = len(first.codes if isinstance(first, Codes) else first)
        table_numbers = np.empty((len(parts), n_samples), _SINGLE if are_single else _DOUBLE)
        codes = np.empty((len(sizes), n_samples), kind)
        n_numbers = n_categorical = 0
        unknown = []
        for column, label, categories in zip(columns, self.names, self.categories, strict=True):
            if not isinstance(column, Codes):
                table_numbers[n_numbers] = column
                _check_finite(name, label, table_numbers[n_numbers])
                n_numbers += 1
                continue
            assert categories is not None
            places, own = _places_of(column.values, categories), codes[n_categorical]
            own[:] = places.astype(kind)[column.codes]
            if (places == len(categories)).any() and (own == len(categories)).any():
                unknown.append(label)
            n_categorical += 1
        return Table(table_numbers, codes, sizes, self._order()), unknown

    def _order(self) -> npt.NDArray[np.int64]:
        """See `Table.order`."""
        n_numbers = sum(each is None for each in self.categories)
        order: list[int] = []
        number, category = 0, n_numbers
        for categories in self.categories:
            if categories is None:
                order.append(number)
                number += 1
            else:
                order += range(category, category + len(categories))
                category += len(categories)
        return np.array(order, np.int64)


def _check_finite(name: str, label: str, column: npt.NDArray[Any]) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(column.sum()):
            return
    is_wrong = ~np.isfinite(column)
    if is_wrong.any():
        row = int(is_wrong.argmax())
        found = "NaN" if np.isnan(column[row]) else column[row]
        raise ValueError(
            f"{name}[{label!r}] is {found} in row {row}: every element must be a finite "
            f"{column.dtype.name} number"
        )


def _places_of(values: npt.NDArray[Any], categories: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The number of each value's category; that of a missing one is the last.

    It is the number of categories where there is none.
    """
    known = {value: place for place, value in enumerate(categories.tolist())}
    missing = len(categories)
    if len(categories) and is_missing(categories[-1]):
        missing -= 1
    places = [known.get(value, len(categories)) for value in values.tolist()]
    return np.array([*places, missing], np.int64)


def read_first(
    categorical_features: Any, X: Any, names: Sequence[str] | None, *, keeps_unseen: bool = False
) -> tuple[TableReader, Table]:
    """A table, and how to read others like it.

    Parameters
    ----------
    categorical_features : "from_dtype" or array-like
        See `SoftmaxClassifier`.
    X : data frame or array-like of shape (n_samples, n_features)
    names : sequence of str or None
        Of the columns.
    keeps_unseen : bool, default=False
        Whether categories that a column's type knows and no row has are kept.

    Raises
    ------
    TypeError, ValueError
        An argument is not allowed.
    """
    check_table("X", X)
    columns = columns_of(X)
    labels = [f"x{place}" for place in range(len(columns))] if names is None else list(names)
    are_chosen = _choose(categorical_features, columns, labels, has_names=names is not None)
    decoded = decode("X", columns, labels, are_chosen)
    all_categories: list[npt.NDArray[Any] | None] = []
    for found in decoded:
        if not isinstance(found, Codes):
            all_categories.append(None)
            continue
        is_seen = np.zeros(len(found.values) + 1, bool)
        is_seen[found.codes] = True
        values = found.values if keeps_unseen else found.values[is_seen[:-1]]
        values = values[sorted_values(values)]
        all_categories.append(with_missing(values) if is_seen[-1] else values)
    reader = TableReader(tuple(all_categories), tuple(labels))
    return reader, reader.assemble(decoded, "X")[0]


def _choose(
    categorical_features: Any, columns: list[Any], labels: list[str], *, has_names: bool
) -> list[bool]:
    """Whether each column is categorical."""
    if isinstance(categorical_features, str):
        if categorical_features == FROM_DTYPE:
            return [is_categorical(column) for column in columns]
        raise ValueError(
            f"categorical_features={categorical_features!r} is not allowed: it must be None, "
            f"{FROM_DTYPE!r} or a list of columns"
        )
    try:
        chosen = list(categorical_features)
    except TypeError as error:
        raise TypeError(
            f"categorical_features={categorical_features!r} is not allowed: it must be None, "
            f"{FROM_DTYPE!r} or a list of columns"
        ) from error
    n_columns = len(columns)
    if chosen and all(isinstance(each, bool | np.bool_) for each in chosen):
        if len(chosen) != n_columns:
            raise ValueError(
                f"categorical_features has {len(chosen)} elements and X has {n_columns} columns: "
                "a mask must have one for each"
            )
        return [bool(each) for each in chosen]
    are_chosen = [False] * n_columns
    for each in chosen:
        if isinstance(each, str):
            if not has_names or each not in labels:
                raise ValueError(
                    f"categorical_features has {each!r}, which is none of the columns of X"
                )
            are_chosen[labels.index(each)] = True
        elif isinstance(each, numbers.Integral) and 0 <= int(each) < n_columns:
            are_chosen[int(each)] = True
        else:
            raise ValueError(
                f"categorical_features has {each!r}: it must be names of columns, or numbers from "
                f"0 to {n_columns - 1}, or a mask"
            )
    return are_chosen
