"""A table that is parsed once."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ...blocks.columns import import_pyarrow
from ...blocks.tables import TableFile
from ...blocks.temporary_folder import TemporaryFolder


class _Spool:
    """Record batches that are kept: in memory, and in a file from a number of bytes on.

    Parameters
    ----------
    schema : pyarrow.Schema
    most_bytes : int
        That are kept in memory.
    """

    def __init__(self, schema: Any, most_bytes: int) -> None:
        self._pa = import_pyarrow("keeping rows")
        self._schema = schema
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._in_memory: list[Any] = []
        self._folder: TemporaryFolder | None = None
        self._writer: Any = None
        self.is_full = False

    def add(self, batch: Any) -> None:
        """Keep a batch; nothing is kept any more if the disk is full."""
        if self.is_full:
            return
        self._n_bytes += batch.nbytes
        if self._n_bytes <= self._most_bytes:
            self._in_memory.append(batch)
            return
        try:
            if self._writer is None:
                self._open()
            self._writer.write_batch(batch)
        except OSError:
            self.is_full = True
            self._in_memory.clear()
            self.close()

    def _open(self) -> None:
        self._folder = TemporaryFolder()
        self._writer = self._pa.ipc.new_stream(self._path_in(self._folder), self._schema)

    def _path_in(self, folder: TemporaryFolder) -> str:
        return str(folder.path / "rows.arrow")

    def close(self) -> None:
        """Say that there are no more."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            self._writer = None

    def __iter__(self) -> Iterator[Any]:
        yield from self._in_memory
        if self._folder is not None:
            with self._pa.memory_map(self._path_in(self._folder)) as source:
                yield from self._pa.ipc.open_stream(source)


class KeptTable(TableFile):
    """A table whose rows are kept when they are read for the first time, if there is room.

    Parameters
    ----------
    table : TableFile
    most_bytes : int
        That are kept in memory. The others are kept in a file, which goes with the table.
    """

    def __init__(self, table: TableFile, most_bytes: int) -> None:
        self._table = table
        self._most_bytes = most_bytes
        self._kept: _Spool | None = None
        self._names: list[str] = []
        self.place, self.kind, self.schema = table.place, table.kind, table.schema
        self.n_rows, self.stamp = table.n_rows, table.stamp

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        if self._kept is not None and set(names) <= set(self._names):
            yield from (batch.select(names) for batch in self._kept)
            return
        spool: _Spool | None = None
        for batch in self._table.batches(names, most_rows):
            if spool is None:
                spool = _Spool(batch.schema, self._most_bytes)
            spool.add(batch)
            yield batch
        if spool is not None:
            spool.close()
            if not spool.is_full:
                self._kept, self._names = spool, names
