"""The classes of labels that come in pieces."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import column_or_1d

from ..data.labels import check_classes, check_labels
from .source import Codes

# Integers that lie in a range as long are looked up in a table.
_LONGEST_TABLE = 1 << 20
_KINDS = {"i": "integers", "u": "integers", "b": "booleans", "f": "floats"}


def _kind_of(labels: npt.NDArray[Any]) -> str:
    return _KINDS.get(labels.dtype.kind, "strings")


class LabelError(ValueError):
    """A label that is not allowed.

    Parameters
    ----------
    row : int
        In the piece that it is in.
    reason : str
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


class LabelCodes:
    """The number of each label, in the order in which labels have been met.

    Parameters
    ----------
    classes : array-like, default=None
        All labels there may be. None are those that there are.
    """

    def __init__(self, classes: Any = None) -> None:
        self._numbers: dict[Any, int] = {}
        self._kind: str | None = None
        self._is_closed = classes is not None
        if classes is not None:
            known = check_classes(classes)
            self._kind = _kind_of(known)
            self._numbers = {label: number for number, label in enumerate(known.tolist())}

    def encode(self, labels: Any) -> npt.NDArray[np.int32]:
        """Of each row, the number of its label.

        Raises
        ------
        LabelError
            A label is missing, or none of the classes that were given.
        ValueError
            These are no labels, or of another kind than those before.
        """
        distinct, places = _distinct(labels)
        numbers = np.empty(len(distinct), np.int32)
        self._check_kind(distinct)
        for place, label in enumerate(distinct.tolist()):
            number = self._numbers.get(label)
            if number is None:
                if self._is_closed:
                    raise LabelError(
                        int((places == place).argmax()),
                        f"the label {label!r} is none of the classes {list(self._numbers)!r}",
                    )
                number = self._numbers[label] = len(self._numbers)
            numbers[place] = number
        codes: npt.NDArray[np.int32] = numbers[places]
        return codes

    def decode(self, numbers: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
        """The labels that numbers stand for."""
        return np.array(list(self._numbers))[numbers]

    def _check_kind(self, distinct: npt.NDArray[Any]) -> None:
        if not len(distinct):
            return
        kind = _kind_of(distinct)
        if self._kind not in (None, kind):
            raise ValueError(
                f"the target holds {kind} here and {self._kind} elsewhere: all labels must be of "
                "one kind"
            )
        self._kind = kind

    def finish(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
        """The classes, in order, and of each number the place of its label among them."""
        labels = np.array(list(self._numbers))
        classes = check_classes(labels)
        return classes, np.searchsorted(classes, labels).astype(np.int32)


def _distinct(labels: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Labels, each once, and of each row the place of its own."""
    if isinstance(labels, Codes):
        return _distinct_of_codes(labels)
    array = column_or_1d(np.asarray(labels))
    if array.dtype.kind == "O":
        array = _without_objects(array)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise LabelError(int(np.isnan(array).argmax()), "the label is missing (NaN)")
    check_labels(array)
    if array.dtype.kind in "iu" and len(array):
        lowest, highest = int(array.min()), int(array.max())
        if highest - lowest < _LONGEST_TABLE:
            offsets = (array - array.dtype.type(lowest)).astype(np.int64)
            is_there = np.zeros(highest - lowest + 1, bool)
            is_there[offsets] = True
            (found,) = np.nonzero(is_there)
            table = np.cumsum(is_there) - 1
            return found + lowest, table[offsets]
    distinct, places = np.unique(array, return_inverse=True)
    return distinct, places


def _distinct_of_codes(codes: Codes) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    is_missing = codes.numbers < 0
    if is_missing.any():
        raise LabelError(int(is_missing.argmax()), "the label is missing (null)")
    counts = np.bincount(codes.numbers, minlength=len(codes.labels))
    (used,) = np.nonzero(counts)
    places = np.zeros(len(codes.labels), np.int64)
    places[used] = np.arange(len(used))
    labels = [codes.labels[number] for number in used.tolist()]
    return np.array(labels), places[codes.numbers]


def _without_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels that are Python objects, as an array of their own kind."""
    kinds = {type(label) for label in array}
    if kinds != {str}:
        missing = next((row for row, label in enumerate(array) if _is_missing(label)), None)
        if missing is not None:
            raise LabelError(missing, f"the label is missing ({array[missing]})")
    if len(kinds) > 1 or kinds & {dict, list, tuple}:
        row = next(place for place, label in enumerate(array) if type(label) is not type(array[0]))
        raise LabelError(
            row,
            f"the label is {array[row]!r} here and {array[0]!r} elsewhere: all labels must be "
            "of one kind",
        )
    return np.array(array.tolist())


def _is_missing(label: Any) -> bool:
    """Whether it is None, NaN, or what pandas has for a missing value."""
    if isinstance(label, float):
        return math.isnan(label)
    return label is None or type(label).__name__ in ("NAType", "NaTType")
