"""Rows of CSV files, which are parsed in blocks of some MiB."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .checking import row_name
from .columns import check_names, import_pyarrow
from .stamps import Stamp
from .tables import TableFile, TableSource, has_no_rows, open_tables, reading

_BLOCK_BYTES = 4 << 20
DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_WRONG_TEXT = re.compile(
    r"In CSV column #(\d+): .*CSV conversion error to (\w+): invalid value '(.*)'", re.DOTALL
)
_LONGEST_SHOWN = 100


def open_csv(
    paths: Sequence[Path], target: Any, weight: Any, features: Any, classes: Any
) -> list[TableSource]:
    """The rows of CSV files; see `open_tables`.

    Features and weights are read as float64, or as booleans if all files begin with booleans.
    Labels are read as what all files begin with: integers, floats, booleans, or else strings; or,
    if classes are given, as what these are.

    Parameters
    ----------
    paths : sequence of Path
    target, weight : str or None
        Names of columns.
    features : list of str or None
        Names of columns. None are all others.
    classes : array-like or None
        All labels there may be.

    Raises
    ------
    TypeError, ValueError
        A file doesn't have such columns, or no rows, or its first rows are not allowed.
    """
    import_pyarrow(f"reading {paths[0]}")
    check_names(str(paths[0]), target=target, weight=weight)
    files = [_CsvFile(path) for path in paths]
    types = [file.first_types() for file in files]
    of_labels = [each[target] for each in types if target in each]
    kind = _common_type(of_labels) if classes is None else _type_of_classes(classes)
    names = {name for each in types for name in each}
    booleans = {name for name in names if _are_booleans(each.get(name) for each in types)}
    for file in files:
        file.settle_types(target, kind, booleans)
    if features is None:
        for file in files:
            file.check_that_columns_are_named()
    return open_tables(files, target, weight, features)


class _CsvFile(TableFile):
    kind = "a CSV file"
    is_text = True
    missing_label = ""

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self.stamp = Stamp(path)
        with reading(self.place, self.kind):
            header = self._header()
            self._delimiter = delimiter_of(path, header)
            self._names = self._names_of(header)

    def _header(self) -> str:
        """The first line that isn't empty, in which quoted names may go on."""
        import pyarrow as pa

        text = b""
        with pa.input_stream(str(self._path), compression="detect") as file:
            while True:
                read: bytes = file.read(1 << 16)
                text = (text + read).lstrip(b"\r\n")
                for end in re.finditer(rb"[\r\n]", text):
                    if text.count(b'"', 0, end.start()) % 2 == 0:
                        return text[: end.start()].decode()
                if not read:
                    break
        if text.strip(b"\xef\xbb\xbf"):
            raise has_no_rows(self.place)
        raise ValueError(
            f"{self.place} is empty: it must have a line of names of columns, and rows; leave it "
            "out"
        )

    def _names_of(self, header: str) -> list[str]:
        rows = csv.reader(
            header.lstrip("\ufeff").splitlines(keepends=True), delimiter=self._delimiter
        )
        return next(rows)

    def first_types(self) -> dict[str, Any]:
        """What columns seem to be by the first rows; those whose name is there once.

        Raises
        ------
        ValueError
            There are no rows.
        """
        with reading(self.place, self.kind), self._open([], {}) as reader:
            for batch in reader:
                if batch.num_rows:
                    names = batch.schema.names
                    return {
                        name: kind
                        for name, kind in zip(names, batch.schema.types, strict=True)
                        if names.count(name) == 1
                    }
        raise has_no_rows(self.place)

    def settle_types(self, target: Any, kind: Any, booleans: set[str]) -> None:
        """Settle the type of labels, and which other columns are booleans."""
        import pyarrow as pa

        self._target = target
        others = {name: pa.bool_() for name in booleans}
        self.schema = pa.schema(
            [
                (name, kind if name == target else others.get(name, pa.float64()))
                for name in self._names
            ]
        )

    def check_that_columns_are_named(self) -> None:
        """Raise ValueError if the names of columns say that there is an index."""
        if "" in self._names:
            raise ValueError(
                f"{self.place} has a column without a name, as pandas writes an index: write the "
                "file with index=False, or say which columns are features by features=[...]"
            )

    def _open(self, names: list[str], types: dict[str, Any]) -> Any:
        import pyarrow as pa
        from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv

        return open_csv(
            pa.input_stream(str(self._path), compression="detect"),
            read_options=ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            convert_options=ConvertOptions(include_columns=names, column_types=types),
        )

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        import pyarrow as pa

        types = {name: self.schema.field(name).type for name in names}
        row = 0
        try:
            with self._open(names, types) as reader:
                for batch in reader:
                    row += batch.num_rows
                    yield batch
        except pa.ArrowInvalid as error:
            wrong = _WRONG_TEXT.search(str(error))
            if wrong is not None:
                column, kind, text = wrong.groups()
                raise self._wrong_text(int(column), kind, text) from error
            raise ValueError(
                f"{self.place} can't be read as a CSV file after row {row - 1}: {error}; correct "
                "it there"
                if row
                else f"{self.place} can't be read as a CSV file: {error}; correct its first rows"
            ) from error

    def _wrong_text(self, column: int, kind: str, text: str) -> ValueError:
        name = self._names[column]
        row = self._row_of(name, text)
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
        where = self.place if row is None else row_name(self.place, row)
        if kind == "double":
            remedy = (
                "it must be a number; correct it, encode the column as numbers, or leave the "
                "column out by features=[...]"
            )
        elif name != self._target:
            remedy = (
                "the first rows of the column are all booleans; correct it, or encode it as 0 and 1"
            )
        else:
            remedy = (
                f"the first labels of the target are all {_NAMES_OF_TYPES.get(kind, kind)}; correct"
                " it, or give all labels by classes=[...], as strings if they are strings"
            )
        return ValueError(f"the column {name!r} holds {shown!r} in {where}: {remedy}")

    def _row_of(self, name: str, text: str) -> int | None:
        """The first row that has some text in a column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        row = 0
        with self._open([name], {name: pa.string()}) as reader:
            for batch in reader:
                place = pc.index(pc.utf8_trim_whitespace(batch.column(0)), text).as_py()
                if place >= 0:
                    return int(row + place)
                row += batch.num_rows
        return None


_NAMES_OF_TYPES = {"int64": "integers", "bool": "booleans", "boolean": "booleans"}


def delimiter_of(path: Path, header: str) -> str:
    """What stands between names of columns: a tab in .tsv files, else what a header has most."""
    if ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:]):
        return "\t"
    unquoted = _QUOTED.sub("", header)
    return max(DELIMITERS, key=unquoted.count)


def _are_booleans(types: Iterable[Any]) -> bool:
    """Whether all that are there are."""
    from pyarrow import types as kinds

    return all(kind is None or kinds.is_boolean(kind) for kind in types)


def _common_type(types: Sequence[Any]) -> Any:
    """As what labels are read that seem to be of some types."""
    import pyarrow as pa

    for allowed in ((pa.int64(),), (pa.int64(), pa.float64()), (pa.bool_(),)):
        if all(kind in allowed for kind in types):
            return allowed[-1]
    return pa.dictionary(pa.int32(), pa.string())


def _type_of_classes(classes: Any) -> Any:
    import pyarrow as pa

    kinds = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64(), "b": pa.bool_()}
    return kinds.get(np.asarray(classes).dtype.kind, pa.dictionary(pa.int32(), pa.string()))
