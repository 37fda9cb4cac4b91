"""Rows of Parquet files and of Arrow IPC files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .columns import import_pyarrow
from .stamps import Stamp
from .tables import TableFile, TableSource, open_tables, reading

_MAGIC_OF_FILES = b"ARROW1"
_MAGIC_OF_FEATHER_1 = b"FEA1"


def open_parquet(
    paths: Sequence[Path], target: Any, weight: Any, features: Any
) -> list[TableSource]:
    """The rows of Parquet files; see `open_tables`."""
    import_pyarrow(f"reading {paths[0]}")
    return open_tables([ParquetTable(path) for path in paths], target, weight, features)


def open_ipc(paths: Sequence[Path], target: Any, weight: Any, features: Any) -> list[TableSource]:
    """The rows of files in Arrow's IPC format, which Feather is too; see `open_tables`."""
    import_pyarrow(f"reading {paths[0]}")
    return open_tables([IpcTable(path) for path in paths], target, weight, features)


class ParquetTable(TableFile):
    """A Parquet file."""

    kind = "a Parquet file"

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self.stamp = Stamp(path)
        with reading(self.place, self.kind), self._open() as file:
            self.schema = file.schema_arrow
            self.n_rows = file.metadata.num_rows

    def _open(self) -> Any:
        from pyarrow.parquet import ParquetFile

        # Otherwise a row group's columns would be read into memory as a whole.
        return ParquetFile(self._path, memory_map=True)

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        with self._open() as file:
            yield from file.iter_batches(batch_size=most_rows, columns=names)


class IpcTable(TableFile):
    """A file or stream in Arrow's IPC format."""

    kind = "an Arrow IPC file or stream"

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self.stamp = Stamp(path)
        with reading(self.place, self.kind), self._open() as reader:
            self.schema = reader.schema
            if getattr(reader, "num_record_batches", None) == 0:
                self.n_rows = 0

    @contextmanager
    def _open(self, names: Sequence[str] = ()) -> Iterator[Any]:
        """A reader of some columns, or of all if there are no names."""
        import pyarrow as pa

        options = pa.ipc.IpcReadOptions(
            included_fields=[self.schema.get_field_index(name) for name in names]
        )
        with pa.memory_map(str(self._path)) as file:
            start = file.read(len(_MAGIC_OF_FILES))
            file.seek(0)
            if start.startswith(_MAGIC_OF_FEATHER_1):
                raise ValueError(
                    f"{self.place} is a Feather file of version 1, which is not supported: read it "
                    "with pyarrow.feather.read_table and write it again"
                )
            is_file = start == _MAGIC_OF_FILES
            open_reader = pa.ipc.open_file if is_file else pa.ipc.open_stream
            with open_reader(file, options=options) as reader:
                yield reader

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        with self._open(names) as reader:
            if hasattr(reader, "get_batch"):
                batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
            else:
                batches = iter(reader)
            for batch in batches:
                batch.validate()
                yield batch
