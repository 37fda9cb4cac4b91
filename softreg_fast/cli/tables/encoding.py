"""From record batches to features, by a table of columns."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from .columns import BOOLEAN, NUMBER, Column, ColumnTable
from .text import HINT_OF_COMMAS, hint_of_delimiter, shortened
from .values import DECIMAL_COMMA, kind_of_type, numbers_of, texts_of

_UNKNOWN = "\x00"  # no text of a table
_MOST_SHOWN = 5
# Of the elements of sparse rows: to leave out fewer takes longer than to work on them.
_MOST_ZEROS = 0.25


@dataclass
class Counts:
    """What has been met in rows that were encoded.

    Attributes
    ----------
    missing : dict of str to int
        By columns: how many values were missing.
    unknown : dict of str to int
        By columns: how many rows had a category that the table doesn't know.
    categories : dict of str to set
        By columns: some of these categories.
    """

    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    categories: dict[str, set[str]] = field(default_factory=dict)

    def notes(self, table: ColumnTable) -> list[str]:
        """What users should know."""
        columns = {column.name: column for column in table.columns}
        found = []
        for name, count in self.unknown.items():
            shown = ", ".join(shortened(each, 30) for each in sorted(self.categories[name]))
            found.append(
                f"{name!r}: {count:,} rows with categories that the model doesn't know, such as "
                f"{shown}; they contribute nothing"
            )
        for name, count in self.missing.items():
            taken_for = columns[name].what_missing_values_are
            found.append(f"{name!r}: {count:,} missing values, {taken_for}")
        return found


def check_columns(names: list[str], table: ColumnTable, place: str) -> list[str]:
    """Raise UserError if columns are missing.

    Parameters
    ----------
    names : list of str
        Of the columns in a file.
    table : ColumnTable
    place : str
        The file.

    Returns
    -------
    list of str
        Columns that aren't used.
    """
    missing = [name for name in table.names if name not in names]
    if missing:
        hints = []
        for name in missing[:_MOST_SHOWN]:
            close = get_close_matches(name, [each for each in names if each not in table.names], 1)
            hints.append(f"{name!r}" + (f" (is it {close[0]!r}?)" if close else ""))
        more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
        raise UserError(
            f"{place} lacks {len(missing)} of the {len(table.names)} columns of the model: "
            f"{', '.join(hints)}{more}; add them, or rename columns"
            f"{hint_of_delimiter(names)}"
        )
    return [name for name in names if name not in table.names and name != table.target]


@dataclass(frozen=True)
class Encoded:
    """Rows as columns of numbers and codes.

    Attributes
    ----------
    table : ColumnTable
    numbers : list of ndarray
        Of each column of numbers, float64 values.
    codes : list of ndarray
        Of each other column, int32 numbers of categories; as many as there are for one that is not
        known, one more for a missing value that the model doesn't know, and for the reference.
    n_rows : int
    """

    table: ColumnTable
    numbers: list[npt.NDArray[np.float64]]
    codes: list[npt.NDArray[np.int32]]
    n_rows: int

    def as_features(self, *, looks_up: bool) -> Any:
        """What estimators take.

        Parameters
        ----------
        looks_up : bool
            Whether the model takes a table, and looks categories up. Otherwise they become columns
            of ones.

        Returns
        -------
        pyarrow.Table, ndarray or csr_array
        """
        if looks_up:
            return self._as_table()
        return self._as_sparse() if self.codes else np.column_stack(self.numbers)

    def _as_table(self) -> Any:
        import pyarrow as pa

        numbers, codes = iter(self.numbers), iter(self.codes)
        arrays = []
        for column in self.table.columns:
            if column.kind == NUMBER:
                arrays.append(pa.array(next(numbers)))
                continue
            own, values = next(codes), list(column.categories)
            place_of_missing = values.index(None) if None in values else len(values) + 1
            known = [value for value in values if value is not None]
            dictionary = pa.array([*known, _UNKNOWN], pa.string())
            is_unknown = own == len(values)
            indices = np.where(is_unknown, len(known), own).astype(np.int32)
            indices = pa.array(indices, mask=own == place_of_missing)
            arrays.append(pa.DictionaryArray.from_arrays(indices, dictionary))
        return pa.table(arrays, self.table.names)

    def _as_sparse(self) -> Any:
        from scipy.sparse import csr_array

        numbers, codes = iter(self.numbers), iter(self.codes)
        # A column whose only category is the reference has no coefficient.
        values: list[tuple[Column, npt.NDArray[Any]]] = [
            (column, next(numbers if column.kind == NUMBER else codes))
            for column in self.table.columns
        ]
        values = [(column, own) for column, own in values if column.coefficient_names]
        shape = self.n_rows, len(values)
        places, elements = np.empty(shape, np.int32), np.empty(shape)
        first = n_zeros = 0
        for column_place, (column, own) in enumerate(values):
            if column.kind == NUMBER:
                places[:, column_place], own_elements = first, own
            else:
                # An element of zero where there is no category.
                last = len(column.categories) - 1
                places[:, column_place] = np.minimum(own, last) + first
                own_elements = own <= last
            elements[:, column_place] = own_elements
            n_zeros += self.n_rows - int(np.count_nonzero(own_elements))
            first += len(column.coefficient_names)
        if n_zeros <= _MOST_ZEROS * elements.size:
            pointers = (shape[1] * np.arange(self.n_rows + 1)).astype(np.int32)
            return csr_array((elements.ravel(), places.ravel(), pointers), (self.n_rows, first))
        are_there = elements != 0.0
        pointers = np.zeros(self.n_rows + 1, np.int32)
        np.cumsum(np.count_nonzero(are_there, axis=1), out=pointers[1:])
        data, indices = elements[are_there], places[are_there]
        return csr_array((data, indices, pointers), (self.n_rows, first))


def encode(
    batch: Any, table: ColumnTable, decimal: str, counts: Counts, *, first_row: int, place: str
) -> Encoded:
    """Encode the rows of a record batch.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    table : ColumnTable
    decimal : str
        What stands before decimals in texts.
    counts : Counts
        To which is added what is met.
    first_row : int
        Of the batch, for errors.
    place : str
        The file, for errors.

    Raises
    ------
    UserError
        A column holds what it must not.
    """
    numbers, codes = [], []
    for column in table.columns:
        own = batch.column(batch.schema.get_field_index(column.name))
        kind = kind_of_type(own.type)
        if kind == "date":
            own, kind = own.cast("string"), "text"
        if kind == "other":
            raise UserError(
                f"the column {column.name!r} of {place} has type {own.type}: it must be a "
                f"{column.kind}"
            )
        if column.kind == NUMBER:
            found = _numbers(own, column, table, decimal, counts, first_row, place)
            numbers.append(found)
        else:
            codes.append(_codes(own, column, table, counts))
    return Encoded(table, numbers, codes, batch.num_rows)


def _numbers(
    own: Any,
    column: Column,
    table: ColumnTable,
    decimal: str,
    counts: Counts,
    first_row: int,
    place: str,
) -> npt.NDArray[np.float64]:
    found, are_wrong = numbers_of(own, table.missing, decimal)
    values = np.array(found, np.float64)
    if are_wrong is not None:
        row = int(are_wrong.argmax())
        given = str(own[row].as_py()).strip()
        text = shortened(given)
        if decimal == "." and DECIMAL_COMMA.fullmatch(given):
            raise UserError(
                f"the column {column.name!r} of {place} has commas in numbers, such as {text} in "
                f"row {first_row + row + 1}: {HINT_OF_COMMAS}"
            )
        raise UserError(
            f"the column {column.name!r} of {place} holds {text} in row {first_row + row + 1}: it "
            f"must be a number; correct it, or give --na {text} if that means missing"
        )
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise UserError(
            f"the column {column.name!r} of {place} is infinite in row {first_row + row + 1}: it "
            "must be a finite number"
        )
    are_missing = np.isnan(values)
    n_missing = int(are_missing.sum())
    if n_missing:
        _add(counts.missing, column.name, n_missing)
        values[are_missing] = column.fill
    if column.center is not None:
        values = (values - column.center) / (column.scale or 1.0)
    return values


def _codes(own: Any, column: Column, table: ColumnTable, counts: Counts) -> npt.NDArray[np.int32]:
    codes, texts = texts_of(own, table.missing)
    if column.kind == BOOLEAN:
        texts = [text.lower() for text in texts]
    known: dict[str | None, int] = {value: place for place, value in enumerate(column.categories)}
    n_known = len(column.categories)
    missing = known.get(None, n_known + 1)
    if column.reference is not None:
        known[column.reference] = n_known + 1
    places = np.array([known.get(text, n_known) for text in texts] + [missing], np.int32)
    found: npt.NDArray[np.int32] = places[codes]
    n_missing, n_unknown = int((codes < 0).sum()), int((found == n_known).sum())
    if n_missing:
        _add(counts.missing, column.name, n_missing)
    if n_unknown:
        _add(counts.unknown, column.name, n_unknown)
        some = counts.categories.setdefault(column.name, set())
        for code in np.unique(codes[found == n_known])[:_MOST_SHOWN]:
            if len(some) < _MOST_SHOWN:
                some.add(texts[code])
    return found


def _add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count
