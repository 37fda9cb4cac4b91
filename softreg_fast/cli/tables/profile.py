"""A first pass over a table: what there is to know of its columns, in bounded memory."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .values import (
    DATE_PATTERN,
    NUMBER,
    TEXT,
    are_codes,
    count_codes,
    kind_of_type,
    numbers_of,
    texts_of,
)  # fmt: skip

_INTEGERS = "int64", "uint64"  # that float64 may not tell apart
# Of one column; more are not counted.
MOST_DISTINCT = 10_000
MOST_DISTINCT_KEPT = 1_000_000
_MOST_DISTINCT_NUMBERS = 1_000
SAMPLE_ROWS = 100_000
# Rows of which identifiers are looked at for repeated ones.
_ROWS_OF_IDENTIFIERS = 1_000_000


@dataclass
class Sample:
    """Every so many of the rows, so that there are at most `SAMPLE_ROWS`."""

    stride: int = 1
    parts: list[npt.NDArray[np.float64]] = field(default_factory=list)

    def add(self, first_row: int, values: npt.NDArray[np.float64]) -> None:
        """Take some of the values of rows that follow those before."""
        self.parts.append(values[-first_row % self.stride :: self.stride].copy())
        while sum(map(len, self.parts)) > SAMPLE_ROWS:
            self.parts = [np.concatenate(self.parts)[::2]]
            self.stride *= 2

    def median(self) -> float:
        """Of the values that aren't missing."""
        values = np.concatenate([*self.parts, np.empty(0)])
        values = values[~np.isnan(values)]
        return float(np.median(values)) if len(values) else math.nan


@dataclass
class Numbers:
    """The numbers of a column.

    Attributes
    ----------
    count : int
        Of those that aren't missing.
    lowest, highest, mean, squares : float
        The last one is the sum of squared differences to the mean.
    are_integers, are_consecutive, are_distinct : bool
        Whether all are whole; each is one more, or less, than that before; none is there twice.
    first_infinite : int or None
        Row of the first one.
    """

    count: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    are_integers: bool = True
    are_consecutive: bool = True
    are_distinct: bool = True
    first_infinite: int | None = None
    sample: Sample = field(default_factory=Sample)
    _last: float = math.nan
    _step: float = 0.0
    _seen: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def add(
        self,
        first_row: int,
        values: npt.NDArray[np.float64],
        exact: npt.NDArray[Any] | None,
    ) -> None:
        """Take the values of rows that follow those before.

        Parameters
        ----------
        first_row : int
        values : ndarray of shape (n_rows,)
            NaN where one is missing.
        exact : ndarray or None
            Those that aren't missing, not rounded, if the column may identify rows.
        """
        self.sample.add(first_row, values)
        are_there = ~np.isnan(values)
        found = values[are_there]
        self.are_consecutive &= bool(are_there.all())
        if not len(found):
            return
        if self.first_infinite is None and np.isinf(found).any():
            self.first_infinite = first_row + int(np.isinf(values).argmax())
        with np.errstate(all="ignore"):
            self._add_moments(found)
            self.are_integers &= bool((found == np.rint(found)).all())
            self._look_for_sequence(found)
        if exact is not None and self.are_distinct and len(self._seen) < _ROWS_OF_IDENTIFIERS:
            n_before = len(self._seen) + len(exact)
            self._seen = np.union1d(self._seen, exact) if len(self._seen) else np.unique(exact)
            self.are_distinct = len(self._seen) == n_before

    def _add_moments(self, found: npt.NDArray[np.float64]) -> None:
        # Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm, 1979.
        count, mean = len(found), float(found.mean())
        difference, total = mean - self.mean, self.count + len(found)
        self.squares += float(((found - mean) ** 2).sum())
        # A float that overflows by a power is an error.
        self.squares += difference * difference * self.count * count / total
        self.mean += difference * count / total
        self.count = total
        self.lowest = min(self.lowest, float(found.min()))
        self.highest = max(self.highest, float(found.max()))

    def _look_for_sequence(self, found: npt.NDArray[np.float64]) -> None:
        if not self.are_consecutive:
            return
        row = found if math.isnan(self._last) else np.append(self._last, found)
        steps = np.diff(row)
        if self._step == 0.0 and len(steps):
            self._step = float(steps[0])
        self.are_consecutive = abs(self._step) in (0.0, 1.0) and bool((steps == self._step).all())
        self._last = float(found[-1])

    @property
    def scale(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0


@dataclass
class ColumnProfile:
    """What is known of a column.

    Attributes
    ----------
    kind : str
        Of its type in the file: "number", "text", "boolean", "date" or "other".
    is_kept : bool
        Whether the user wants it, whatever it holds.
    n_missing, n_numbers : int
        Rows without a value, and with a number.
    numbers : Numbers
    counts : dict of str to int
        Of texts: how often each is there, up to `most_distinct` of them.
    uncounted : tuple of str
        Kinds of columns whose values aren't counted.
    are_counted : bool
        Whether `counts` has all.
    wrong : tuple of int and str, or None
        The first row whose text is no number, and this text.
    decimal : str
        What stands before decimals in texts.
    n_dates : int
        Texts, each once, that are dates.
    """

    name: str
    kind: str
    type_name: str
    most_distinct: int
    is_identifier: bool
    is_kept: bool
    uncounted: tuple[str, ...] = ("other", NUMBER)
    n_rows: int = 0
    n_missing: int = 0
    n_numbers: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    counts: dict[str, int] = field(default_factory=dict)
    are_counted: bool = True
    wrong: tuple[int, str] | None = None
    decimal: str = "."

    def add(self, column: Any, missing: tuple[str, ...], decimal: str) -> None:
        """Take the values of rows that follow those before."""
        self.decimal = decimal
        if self.kind in (NUMBER, TEXT) and not self._are_texts_known(column):
            values, are_wrong = numbers_of(column, missing, decimal)
            self.numbers.add(self.n_rows, values, self._exact(column, values))
            n_missing = int(np.isnan(values).sum())
            if are_wrong is not None:
                n_missing -= int(are_wrong.sum())
                if self.wrong is None:
                    row = int(are_wrong.argmax())
                    self.wrong = self.n_rows + row, str(column[row].as_py()).strip()
            self.n_missing += n_missing
            self.n_numbers += int((~np.isnan(values)).sum())
        else:
            self.n_missing += column.null_count
        if self.are_counted and self.kind not in self.uncounted:
            self._count(column, missing)
        self.n_rows += len(column)

    def _exact(self, column: Any, values: npt.NDArray[np.float64]) -> Any:
        if not self.is_identifier:
            return None
        if str(column.type) in _INTEGERS:
            return column.drop_null().to_numpy(zero_copy_only=False)
        return values[~np.isnan(values)]

    def _are_texts_known(self, column: Any) -> bool:
        """Whether rows that follow hold no texts but those before, of which none is a number."""
        if self.kind != TEXT or self.n_numbers or not self.are_counted:
            return False
        if not hasattr(column, "dictionary"):
            return False
        return all(text in self.counts for text in column.dictionary.to_pylist())

    def _count(self, column: Any, missing: tuple[str, ...]) -> None:
        if self.kind == "date":
            column = column.cast("string")
        if not self.is_kept and self.n_numbers == self.n_rows + len(column) - self.n_missing:
            self.most_distinct = _MOST_DISTINCT_NUMBERS  # which will hardly be categories
        if not hasattr(column, "dictionary"):
            column = column.dictionary_encode()
            if len(column.dictionary) > self.most_distinct + len(missing):
                self.are_counted = False
                column = column.slice(0, _MOST_DISTINCT_NUMBERS)
        codes, values = texts_of(column, missing)
        counts = count_codes(codes, len(values))
        for code in np.flatnonzero(counts):
            text = values[code]
            self.counts[text] = self.counts.get(text, 0) + int(counts[code])
        self.are_counted &= len(self.counts) <= self.most_distinct

    @property
    def n_found(self) -> int:
        """Rows with a value."""
        return self.n_rows - self.n_missing

    @property
    def are_numbers(self) -> bool:
        """Whether all values are numbers, and none a code such as 01234."""
        if self.n_numbers != self.n_found or self.kind not in (NUMBER, TEXT):
            return False
        return not are_codes(self.counts)

    @property
    def are_dates(self) -> bool:
        """Whether all values are dates."""
        texts = list(self.counts)[:1000]
        if self.kind == TEXT and texts:
            return all(re.match(DATE_PATTERN, text) for text in texts)
        return self.kind == "date"


def profile_columns(
    schema: Any,
    names: list[str],
    identifiers: set[str],
    kept: set[str],
    categorical: set[str],
) -> dict[str, ColumnProfile]:
    """Profiles to which no rows have been added yet.

    Parameters
    ----------
    schema : pyarrow.Schema
    names : list of str
    identifiers : set of str
        Columns that may be identifiers by their names.
    kept : set of str
        Columns that the user wants, whatever they hold.
    categorical : set of str
        Columns that the user wants as categories, numbers too.
    """
    profiles = {}
    for name in names:
        kind = schema.field(name).type
        most = MOST_DISTINCT_KEPT if name in kept else MOST_DISTINCT
        uncounted = ("other",) if name in categorical else ("other", NUMBER)
        profiles[name] = ColumnProfile(
            name, kind_of_type(kind), str(kind), most, name in identifiers, name in kept, uncounted
        )
    return profiles


def add_batch(
    profiles: Mapping[str, ColumnProfile], batch: Any, missing: tuple[str, ...], decimal: str
) -> None:
    """Take the rows of a record batch."""
    for name, profile in profiles.items():
        profile.add(batch.column(batch.schema.get_field_index(name)), missing, decimal)


def number_rows(profiles: Mapping[str, ColumnProfile], rows: npt.NDArray[np.int64]) -> None:
    """Have profiles name rows by their numbers in the file.

    Parameters
    ----------
    profiles : mapping of str to ColumnProfile
    rows : ndarray of shape (n_rows,)
        The number of each row that was added.
    """
    for profile in profiles.values():
        numbers = profile.numbers
        if profile.wrong is not None:
            row, text = profile.wrong
            profile.wrong = int(rows[row]), text
        if numbers.first_infinite is not None:
            numbers.first_infinite = int(rows[numbers.first_infinite])
