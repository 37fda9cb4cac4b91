"""Text files as tables, of which all columns are texts."""

from collections.abc import Iterator
from typing import Any

from ...blocks.read_ahead import read_ahead
from ...blocks.stamps import Stamp
from ...blocks.tables import TableFile
from ..errors import UserError
from .text import TextLayout, find_wrong_row, open_bytes

_BLOCK_BYTES = 4 << 20
# Of the rows that begin a file, and how many different texts dictionaries may have in them.
_FIRST_ROWS = 4096
_MOST_DIFFERENT = 1 / 16


class CsvTable(TableFile):
    """A text file.

    Parameters
    ----------
    layout : TextLayout
        Columns without a name are called "column 1" and so on.
    """

    kind = "a CSV file"
    is_text = True

    def __init__(self, layout: TextLayout) -> None:
        import pyarrow as pa

        self.place = str(layout.path)
        self.stamp = Stamp(layout.path)
        self._layout = layout
        names = [name or f"column {place}" for place, name in enumerate(layout.names, 1)]
        self.schema = pa.schema([(name, pa.string()) for name in names])

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        import pyarrow as pa

        types = {name: pa.string() for name in self.schema.names}
        first = next(self._read(names, types), None)
        if first is None:
            return
        first = first.slice(0, _FIRST_ROWS)
        of_dictionaries = pa.dictionary(pa.int32(), pa.string())
        types |= {name: of_dictionaries for name in names if _are_few(first.column(name))}
        # Parsing takes about as long as what is done with a batch.
        yield from read_ahead(self._read(names, types))

    def _read(self, names: list[str], types: dict[str, Any]) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv

        layout = self._layout
        try:
            with (
                open_bytes(layout.path) as file,
                open_csv(
                    pa.PythonFile(file, "r"),
                    read_options=ReadOptions(
                        block_size=_BLOCK_BYTES,
                        encoding="utf8" if layout.encoding == "utf-8" else layout.encoding,
                        column_names=self.schema.names,
                        skip_rows_after_names=layout.n_blank + 1,
                    ),
                    parse_options=ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
                    convert_options=ConvertOptions(
                        include_columns=names,
                        column_types=types,
                        strings_can_be_null=False,
                    ),
                ) as reader,
            ):
                yield from (batch for batch in reader if batch.num_rows)
        except (pa.ArrowInvalid, UnicodeError) as error:
            # Threads of Arrow don't know in which line they are.
            found = find_wrong_row(layout)
            if found is None:
                found = UserError(f"{layout.path} can't be read: {' '.join(str(error).split())}")
            raise found from error


def _are_few(column: Any) -> bool:
    """Whether the same texts are there again and again."""
    return len(column.unique()) <= _MOST_DIFFERENT * len(column)
