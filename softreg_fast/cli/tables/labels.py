"""The labels in the target's column, and whether they are classes at all."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from .values import are_codes, count_codes, kind_of_type, texts_of

INTEGER, FLOAT, BOOLEAN, TEXT = "integer", "number", "boolean", "text"
MOST_CLASSES = 10_000
_MOST_FLOATS = 20
_MOST_INTEGERS = 50
_LARGEST_INTEGER = 2**53 - 1


class LabelReader:
    """Numbers of labels, in the order in which these have been met.

    Parameters
    ----------
    name : str
        Of the column.
    type_of_column : pyarrow.DataType
    missing : tuple of str
        Texts that stand for a missing label.

    Attributes
    ----------
    n_rows, n_missing : int
    """

    def __init__(self, name: str, type_of_column: Any, missing: tuple[str, ...]) -> None:
        kind = kind_of_type(type_of_column)
        if kind in ("date", "other"):
            raise UserError(
                f"--target {name!r} is a column of type {type_of_column}: labels must be texts, "
                "integers or booleans"
            )
        self._name = name
        self._missing = missing
        self._numbers: dict[str, int] = {}
        self._parts: list[npt.NDArray[np.int32]] = []
        self.n_rows = self.n_missing = 0

    def add(self, column: Any) -> npt.NDArray[np.bool_]:
        """Take the labels of rows that follow those before; tells which of these have one.

        Raises
        ------
        UserError
            There are more labels than classes may be.
        """
        codes, values = texts_of(column, self._missing)
        used = np.flatnonzero(count_codes(codes, len(values)))
        places = np.full(len(values) + 1, -1, np.int32)
        places[used] = [self._numbers.setdefault(values[code], len(self._numbers)) for code in used]
        part = places[codes]
        self._parts.append(part)
        self.n_rows += len(part)
        are_there: npt.NDArray[np.bool_] = part >= 0
        self.n_missing += len(part) - int(are_there.sum())
        if len(self._numbers) > MOST_CLASSES:
            self._refuse(self._numbers, self.n_rows)
        return are_there

    def _refuse(self, texts: Collection[str], n_rows: int) -> None:
        check_number_of_classes(self._name, texts, n_rows)
        raise UserError(
            f"--target {self._name!r} has more than {MOST_CLASSES:,} different values in "
            f"{n_rows:,} rows: that is too many classes; join rare ones, or choose another column"
        )

    def finish(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], str]:
        """All labels.

        Returns
        -------
        classes : ndarray of shape (n_classes,)
            In order.
        codes : ndarray of shape (n_rows,), integers
            Numbers of the classes, -1 where a label is missing.
        kind : {"integer", "number", "boolean", "text"}

        Raises
        ------
        UserError
            There are too few classes or too many, or they are quantities.
        """
        codes = np.concatenate([*self._parts, np.empty(0, np.int32)])
        counts = np.bincount(codes[codes >= 0], minlength=len(self._numbers))
        there = [text for text, number in self._numbers.items() if counts[number]]
        check_number_of_classes(self._name, there, self.n_rows - self.n_missing)
        labels, kind = labels_of_texts(there)
        classes, places = np.unique(labels, return_inverse=True)
        numbers = np.full(len(self._numbers) + 1, -1, np.int32)
        numbers[[self._numbers[text] for text in there]] = places
        codes = numbers[codes].astype(np.min_scalar_type(-len(classes)))
        if len(classes) < 2:
            found = f"one class, {classes[0].item()!r}" if len(classes) else "no labels"
            raise UserError(
                f"--target {self._name!r} has {found}, in {self.n_rows:,} rows: there must be two "
                "classes at least"
            )
        return classes, codes, kind


def labels_of_texts(texts: Collection[str]) -> tuple[npt.NDArray[Any], str]:
    """Labels as what they all are: integers, numbers, booleans or texts; and which of these.

    Numbers that aren't whole are texts, since estimators take them for quantities. So are codes
    such as 01234, and integers that float64 can't tell apart.
    """
    lowered = [text.lower() for text in texts]
    if texts and set(lowered) <= {"true", "false"}:
        return np.array([text == "true" for text in lowered]), BOOLEAN
    numbers = _numbers_of(texts)
    are_large = numbers is not None and (np.abs(numbers) > _LARGEST_INTEGER).any()
    if numbers is None or are_large or are_codes(texts):
        return np.array(list(texts), str), TEXT
    if (numbers == np.rint(numbers)).all():
        return numbers.astype(np.int64), INTEGER
    return np.array([str(number) for number in numbers.tolist()]), FLOAT


def encode_labels(
    column: Any, classes: npt.NDArray[Any], kind: str, missing: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], set[str]]:
    """Numbers of the classes of labels; -1 where one is missing, -2 where it is none of them.

    Returns
    -------
    codes : ndarray of shape (n_rows,)
    unknown : set of str
        Labels that are none of the classes.
    """
    codes, values = texts_of(column, missing)
    known = {_key(value, kind): place for place, value in enumerate(classes.tolist())}
    places = np.array([known.get(_key(text, kind), -2) for text in values] + [-1], np.int64)
    found = places[codes]
    used = {values[code] for code in np.unique(codes[found == -2])}
    return found, used


def _key(value: Any, kind: str) -> Any:
    if kind == BOOLEAN:
        return str(value).lower()
    if kind in (INTEGER, FLOAT):
        try:
            return number_of(str(value))
        except ValueError:
            return value
    return value


def number_of(text: str) -> float:
    """The number that a text is.

    Raises
    ------
    ValueError
        It is none, such as 1_1, which Python takes for 11.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is no number")
    return float(text)


def _numbers_of(texts: Collection[str]) -> npt.NDArray[np.float64] | None:
    try:
        numbers = np.array([number_of(text) for text in texts])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def check_number_of_classes(name: str, texts: Collection[str], n_rows: int) -> None:
    """Raise UserError if labels are quantities, or hardly any is there twice.

    Parameters
    ----------
    name : str
        Of the column.
    texts : collection of str
        Labels, each once.
    n_rows : int
    """
    count = len(texts)
    numbers = _numbers_of(texts)
    if numbers is not None and count:
        are_whole = bool((numbers == np.rint(numbers)).all())
        most = _MOST_INTEGERS if are_whole else _MOST_FLOATS
        is_rare = not are_whole or count > n_rows / 10
        if count > most and is_rare:
            example = numbers[np.argmax(numbers != np.rint(numbers))]
            raise UserError(
                f"--target {name!r} has {count:,} different numbers in {n_rows:,} rows, such as "
                f"{example:g}: it is a quantity, not classes; cut it into bins first (such as low, "
                "middle and high), or use a regression"
            )
    if count > 2 and count > n_rows / 2 and n_rows > 10:
        raise UserError(
            f"--target {name!r} has {count:,} different values in {n_rows:,} rows: hardly any "
            "class is there twice; choose another column"
        )


def majority_of(counts: npt.NDArray[Any]) -> tuple[int, float]:
    """The most frequent class and its share."""
    place = int(counts.argmax())
    total = counts.sum()
    return place, float(counts[place] / total) if total else math.nan
