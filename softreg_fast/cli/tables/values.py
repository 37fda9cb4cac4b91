"""Values of columns of any type: as texts without what is missing, and as numbers."""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ...blocks.columns import is_string

# What pandas takes for missing, and what many public data sets have.
MISSING = (
    "", "#N/A", "#NA", "-NAN", "-NaN", "-nan", "<NA>", "?", "N/A", "NA", "NAN", "NULL", "NaN",
    "Nan", "None", "n/a", "nan", "null",
)  # fmt: skip
NUMBER, TEXT, BOOLEAN, DATE, OTHER = "number", "text", "boolean", "date", "other"
_NO_NUMBER = "?"
_WHOLE = re.compile(r"[+-]?[0-9]+\.0+")
_NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?([iI][nN][fF])$"
DATE_PATTERN = (
    r"^([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})"
    r"([T ][0-9]{1,2}:[0-9]{2}.*)?$"
)


DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_CODE = re.compile(r"0[0-9]+")


def are_codes(texts: Iterable[str]) -> bool:
    """Whether some texts are digits that begin with zero, as postal codes do, and no numbers."""
    return any(_CODE.fullmatch(text) for text in texts)


def order_of(text: str) -> tuple[bool, float, str]:
    """What texts are sorted by: numbers first, by their values; then everything else, as text."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    return (True, 0.0, text) if math.isnan(number) else (False, number, text)


def kind_of_type(kind: Any) -> str:
    """What a type of Arrow's holds: numbers, texts, booleans, dates, or something else."""
    from pyarrow import types

    if types.is_dictionary(kind):
        value = kind_of_type(kind.value_type)
        return TEXT if value in (NUMBER, BOOLEAN) else value
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return NUMBER
    if types.is_boolean(kind):
        return BOOLEAN
    if types.is_temporal(kind):
        return DATE
    return TEXT if is_string(kind) or types.is_null(kind) else OTHER


def texts_of(column: Any, missing: Any) -> Any:
    """A column as texts, encoded as a dictionary of texts without spaces around them.

    Parameters
    ----------
    column : pyarrow.Array
    missing : tuple of str
        Texts that stand for a missing value.

    Returns
    -------
    codes : ndarray of shape (n_rows,), integers
        -1 where a value is missing.
    values : list of str
        Those that the codes are numbers of; one may be there twice.
    """
    from pyarrow import types

    if not types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = [_text_of(value) for value in column.dictionary.to_pylist()]
    codes = _codes_of(column)
    are_missing = np.array([each is None or each in missing for each in values] + [True], bool)
    if are_missing[:-1].any():
        codes = np.where(are_missing[codes], -1, codes)
    return codes, [each or "" for each in values]


def count_codes(codes: npt.NDArray[Any], n_values: int) -> npt.NDArray[np.int64]:
    """How often each code of `texts_of` is there; -1 isn't counted."""
    return np.bincount(codes + 1, minlength=n_values + 1)[1:]


def _codes_of(column: Any) -> npt.NDArray[Any]:
    """Of a column that is encoded as a dictionary; -1 where a value is missing."""
    import pyarrow as pa
    from pyarrow import types

    indices = column.indices
    if not types.is_int32(indices.type):  # such as unsigned ones
        indices = indices.cast(pa.int64())
    if indices.null_count:
        indices = indices.fill_null(-1)
    codes: npt.NDArray[Any] = indices.to_numpy(zero_copy_only=False)
    return codes


def _text_of(value: Any) -> str | None:
    """A value of a dictionary as a text; whole numbers have no decimals, however they are held."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def numbers_of(column: Any, missing: Any, decimal: str) -> Any:
    """A column as numbers.

    Parameters
    ----------
    column : pyarrow.Array
    missing : tuple of str
        Texts that stand for a missing value.
    decimal : str
        What stands before decimals in texts.

    Returns
    -------
    numbers : ndarray of shape (n_rows,), float64
        NaN where a number is missing or none.
    are_wrong : ndarray of shape (n_rows,), bool, or None
        Where a text is neither a number nor missing; None if there is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(column.type):
        return _numbers_of_dictionary(column, missing, decimal)
    kind = kind_of_type(column.type)
    if kind == BOOLEAN:
        column = column.cast(pa.uint8())
    numbers_for_missing = _numbers_in(tuple(missing))
    if kind in (NUMBER, BOOLEAN) or types.is_floating(column.type):
        numbers = _as_array(column.cast(pa.float64(), safe=False))  # large integers are rounded
        if kind == NUMBER and numbers_for_missing:
            numbers = np.where(np.isin(numbers, numbers_for_missing), np.nan, numbers)
        return numbers, None
    texts = column.cast(pa.string())
    missing_texts = pa.array(missing, pa.string())
    if decimal == ".":
        # As most columns are: without spaces, and often without missing values.
        if not numbers_for_missing:
            with suppress(pa.ArrowInvalid):
                return _as_array(texts.cast(pa.float64())), None
        with suppress(pa.ArrowInvalid):
            return _as_array(_with_nulls(texts, missing_texts).cast(pa.float64())), None
    texts = _with_nulls(pc.utf8_trim_whitespace(texts), missing_texts)
    if decimal != ".":
        # A point would part thousands.
        texts = pc.if_else(pc.match_substring(texts, "."), _NO_NUMBER, texts)
        texts = pc.replace_substring(texts, decimal, ".")
    try:
        return _as_array(texts.cast(pa.float64())), None
    except pa.ArrowInvalid:
        pass
    are_numbers = pc.match_substring_regex(texts, _NUMBER_PATTERN)
    kept = pc.if_else(are_numbers, pc.utf8_ltrim(texts, "+"), None)
    are_wrong = pc.fill_null(pc.invert(are_numbers), False).to_numpy(zero_copy_only=False)
    return _as_array(kept.cast(pa.float64())), are_wrong if are_wrong.any() else None


def _with_nulls(texts: Any, missing_texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(texts, value_set=missing_texts), None, texts)


@lru_cache(maxsize=8)
def _numbers_in(texts: tuple[str, ...]) -> tuple[float, ...]:
    """Numbers among texts."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(float(text))
    return tuple(number for number in found if not math.isnan(number))


def _numbers_of_dictionary(column: Any, missing: Any, decimal: str) -> Any:
    numbers, are_wrong = numbers_of(column.dictionary, missing, decimal)
    codes = _codes_of(column)
    found = np.append(numbers, np.nan)[codes]
    if are_wrong is None:
        return found, None
    are_wrong = np.append(are_wrong, False)[codes]
    return found, are_wrong if are_wrong.any() else None


def _as_array(numbers: Any) -> npt.NDArray[np.float64]:
    # Nulls of floats become NaN.
    array: npt.NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    return array
