"""Rows of datasets of pyarrow, fragment by fragment."""

from collections.abc import Iterator
from typing import Any

from .tables import TableFile, TableSource, open_tables

_TEXT_FORMATS = ("CsvFileFormat", "JsonFileFormat")


def is_dataset(data: Any) -> bool:
    """Whether it is a `pyarrow.dataset.Dataset`; pyarrow is not imported otherwise."""
    if not type(data).__module__.startswith("pyarrow"):
        return False
    from pyarrow.dataset import Dataset

    return isinstance(data, Dataset)


def open_dataset(dataset: Any, target: Any, weight: Any, features: Any) -> list[TableSource]:
    """The rows of a `pyarrow.dataset.Dataset`, in the order of its fragments; see `open_tables`.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
    target, weight : str or None
        Names of columns.
    features : list of str or None
        Names of columns. None are all others.
    """
    try:
        fragments = list(dataset.get_fragments())
    except ValueError:  # it has a filter
        return open_tables([_FilteredDataset(dataset)], target, weight, features)
    if not fragments:
        raise ValueError("the dataset has no files: there must be one at least")
    tables = [
        _fragment_of(fragment, dataset.schema, number) for number, fragment in enumerate(fragments)
    ]
    return open_tables(tables, target, weight, features)


def _fragment_of(fragment: Any, schema: Any, number: int) -> TableFile:
    from pyarrow.dataset import ParquetFileFragment

    kind = _ParquetFragment if isinstance(fragment, ParquetFileFragment) else _Fragment
    return kind(fragment, schema, number)


def _is_text(dataset_or_fragment: Any) -> bool:
    return type(getattr(dataset_or_fragment, "format", None)).__name__ in _TEXT_FORMATS


class _Fragment(TableFile):
    kind = "a file of a pyarrow dataset"
    may_be_empty = True

    def __init__(self, fragment: Any, schema: Any, number: int) -> None:
        self.place = getattr(fragment, "path", None) or f"fragment {number} of the dataset"
        self.schema = schema
        self.is_text = _is_text(fragment)
        self._fragment = fragment

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        # With the dataset's schema, columns that its partitioning says are there.
        yield from self._fragment.to_batches(
            schema=self.schema,
            columns=names,
            batch_size=most_rows,
            batch_readahead=1,
            fragment_readahead=1,
        )


class _ParquetFragment(_Fragment):
    """pyarrow's datasets decode two row groups and more at a time, which may be of any size."""

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        from pyarrow.dataset import get_partition_keys

        keys = get_partition_keys(self._fragment.partition_expression)
        constants = {name: keys[name] for name in names if name in keys}
        own = [name for name in names if name not in keys]
        if not self._is_as_in_the_file(own, constants):
            yield from super().batches(names, most_rows)
            return
        row_groups = [group.id for group in self._fragment.row_groups]
        with self._open() as file:
            for batch in file.iter_batches(
                batch_size=most_rows, row_groups=row_groups, columns=own
            ):
                yield self._with_constants(batch, constants)

    def _is_as_in_the_file(self, names: list[str], constants: dict[str, Any]) -> bool:
        """Whether the file has these columns, of the dataset's types, but none of the constants."""
        options = self._fragment.format.default_fragment_scan_options
        is_encrypted = any(
            getattr(options, name, None) is not None
            for name in ("decryption_properties", "parquet_decryption_config")
        )
        there = self._fragment.physical_schema
        return (
            bool(names)
            and not is_encrypted
            and not any(name in there.names for name in constants)
            and all(
                there.get_field_index(name) >= 0
                and there.field(name).type == self.schema.field(name).type
                for name in names
            )
        )

    def _open(self) -> Any:
        from pyarrow.parquet import ParquetFile

        fragment = self._fragment
        is_local = fragment.buffer is None and fragment.filesystem.type_name == "local"
        if is_local:
            return ParquetFile(fragment.path, memory_map=True)
        return ParquetFile(fragment.open())

    def _with_constants(self, batch: Any, constants: dict[str, Any]) -> Any:
        import pyarrow as pa

        arrays, names = list(batch.columns), list(batch.schema.names)
        for name, value in constants.items():
            kind = self.schema.field(name).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            arrays.append(pa.repeat(pa.scalar(value, kind), batch.num_rows))
            names.append(name)
        return pa.RecordBatch.from_arrays(arrays, names)


class _FilteredDataset(TableFile):
    """Rows are counted among those that the filter leaves."""

    kind = "a pyarrow dataset"
    place = "the dataset"

    def __init__(self, dataset: Any) -> None:
        self.schema = dataset.schema
        self.is_text = _is_text(dataset)
        self._dataset = dataset

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        # Batches come in order, says pyarrow's C++ interface, `Scanner::ScanBatches`.
        yield from self._dataset.to_batches(
            columns=names, batch_size=most_rows, batch_readahead=1, fragment_readahead=1
        )
