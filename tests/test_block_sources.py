"""Files and datasets that rows are read from in blocks give what was written to them."""

import bz2
import decimal
import errno
import gc
import gzip
import os
import re
import subprocess
import sys
from itertools import pairwise

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather
from scipy.sparse import csr_array, vstack
from sklearn.datasets import dump_svmlight_file

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.blocks import (
    cache,
    csv_text,
    datasets,
    open_blocks,
    svmlight,
    tables,
    temporary_folder,
)
from softreg_fast.blocks.cutting import Part
from softreg_fast.blocks.side_by_side import put_side_by_side
from softreg_fast.blocks.source import Request

N_ROWS, N_FEATURES, BLOCK_ROWS, GROUP_ROWS = 500, 4, 130, 170
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, N_FEATURES))
NUMBERS = RNG.integers(0, 3, N_ROWS)
Y = np.array(["red", "green", "blue"])[NUMBERS]
WEIGHTS = RNG.uniform(0.5, 2.0, N_ROWS)
NAMES = [f"f{place}" for place in range(N_FEATURES)]


def _table(X=X, y=Y, **others):
    columns = {name: X[:, place] for place, name in enumerate(NAMES)}
    return pa.table({**columns, **({} if y is None else {"y": y}), **others})


def _write_parquet(table, path):
    pq.write_table(table, path, row_group_size=GROUP_ROWS)


def _write_feather(table, path):
    feather.write_feather(table, str(path), chunksize=GROUP_ROWS)


def _write_ipc(opened, table, path):
    with opened(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=GROUP_ROWS)


def _write_csv(table, path, **settings):
    table.to_pandas().to_csv(path, index=False, **settings)


WRITERS = {
    "x.parquet": _write_parquet,
    "x.pq": _write_parquet,
    "x.feather": _write_feather,
    "plain.feather": lambda table, path: feather.write_feather(
        table, str(path), compression="uncompressed"
    ),
    "x.arrow": lambda table, path: _write_ipc(pa.ipc.new_file, table, path),
    "x.arrows": lambda table, path: _write_ipc(pa.ipc.new_stream, table, path),
    "x.csv": _write_csv,
    "X.CSV": _write_csv,
    "semicolon.csv": lambda table, path: _write_csv(table, path, sep=";"),
    "x.tsv": lambda table, path: _write_csv(table, path, sep="\t"),
    "x.csv.gz": _write_csv,
    "x.csv.bz2": _write_csv,
}


def _write(folder, name, table):
    path = folder / name
    WRITERS[name](table, path)
    return path


def _parquet(folder, table, name="x.parquet"):
    path = folder / name
    _write_parquet(table, path)
    return path


def _csv(folder, text, name="x.csv"):
    path = folder / name
    path.write_text(text, newline="")
    return path


def _dense(features):
    return features.toarray() if hasattr(features, "toarray") else features


def _rows(opened):
    """Each part of all blocks, joined."""
    return [np.concatenate([_dense(part) for part in parts]) for parts in zip(*opened, strict=True)]


def _assert_rows(opened, X, *others):
    found = _rows(opened)
    assert len(found) == 1 + len(others)
    assert found[0].dtype == X.dtype
    np.testing.assert_array_equal(found[0], X)
    for each, expected in zip(found[1:], others, strict=True):
        assert each.dtype.kind == np.asarray(expected).dtype.kind
        np.testing.assert_array_equal(each, expected)


def _assert_learns_as(opened, expected):
    """What is learnt has the same bits in every pass."""
    rows, classes = opened.learn()
    expected_rows, expected_classes = expected.learn()
    np.testing.assert_array_equal(classes, expected_classes)
    np.testing.assert_array_equal(rows.summary.class_weights, expected_rows.summary.class_weights)
    for _ in range(2):
        for block, other in zip(rows.blocks(), expected_rows.blocks(), strict=True):
            assert block.first_row == other.first_row
            features, wanted = block.features, other.features
            if hasattr(features, "toarray"):
                for name in ("data", "indices", "indptr"):
                    assert getattr(features, name).tobytes() == getattr(wanted, name).tobytes()
            assert _dense(features).tobytes() == _dense(wanted).tobytes()
            assert _dense(features).flags.c_contiguous
            np.testing.assert_array_equal(block.targets, other.targets)
            if other.weights is not None:
                np.testing.assert_array_equal(block.weights, other.weights)


@pytest.fixture
def small_chunks(monkeypatch):
    """Text is read in many pieces."""
    monkeypatch.setattr(csv_text, "_BLOCK_BYTES", 3_000)
    monkeypatch.setattr(svmlight, "_CHUNK_BYTES", 3_000)


@pytest.fixture
def few_rows_per_piece(monkeypatch):
    monkeypatch.setattr(tables, "_MOST_ROWS", 50)


@pytest.mark.parametrize("block_rows", [BLOCK_ROWS, "auto"])
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "X.CSV"])
@pytest.mark.usefixtures("small_chunks")
def test_every_kind_of_file_gives_the_same_blocks(tmp_path, name, block_rows):
    path = _write(tmp_path, name, _table(weight=WEIGHTS))
    with open_blocks(path, target="y", weight="weight", block_rows=block_rows) as opened:
        assert opened.feature_names == NAMES
        assert opened.n_features == N_FEATURES
        _assert_rows(opened, X, Y, WEIGHTS)
        size = N_ROWS if block_rows == "auto" else block_rows
        assert {len(block[0]) for block in opened} <= {min(size, N_ROWS), N_ROWS % size}
        in_memory = open_blocks(X, target=Y, weight=WEIGHTS, block_rows=block_rows)
        _assert_learns_as(opened, in_memory)


@pytest.mark.parametrize("block_rows", [1, 7, BLOCK_ROWS, 200, 10_000])
@pytest.mark.usefixtures("few_rows_per_piece")
def test_pieces_are_cut_and_joined(tmp_path, block_rows):
    path = _parquet(tmp_path, _table())
    opened = open_blocks(path, target="y", block_rows=block_rows)
    _assert_learns_as(opened, open_blocks(X, target=Y, block_rows=block_rows))


def test_pieces_are_whole_blocks_or_parts_of_them():
    float64 = np.dtype(np.float64)
    most = tables.rows_of_pieces(64, float64, None)
    assert most == 2**16
    for block_rows, expected in [
        (1, most),
        (2**15, most),
        (most, most),
        (1_000, 65_000),
        (3 * most, most),
        (most + 2, most // 2 + 1),
        (65_537, 32_769),  # a prime
    ]:
        assert tables.rows_of_pieces(64, float64, block_rows) == expected
    assert tables.rows_of_pieces(10**8, float64, None) == 1
    assert tables.rows_of_pieces(1, float64, None) == 2**20


def test_suffixes_may_be_capital(tmp_path):
    _assert_rows(open_blocks(_write(tmp_path, "X.CSV", _table()), target="y"), X, Y)


@pytest.mark.parametrize("as_given", ["list", "pattern", "folder", "strings"])
@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv"])
def test_several_files_follow_each_other(tmp_path, suffix, as_given):
    bounds = [0, 90, 91, 300, N_ROWS]
    paths = []
    for number, (start, stop) in enumerate(pairwise(bounds)):
        part = _table(weight=WEIGHTS).slice(start, stop - start)
        # Columns are found by their names.
        part = part.select(np.roll(part.column_names, number).tolist())
        paths.append(tmp_path / f"part{number}.{suffix}")
        WRITERS[f"x.{suffix}"](part, paths[-1])
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part0.crc").touch()
    data = {
        "list": paths,
        "strings": [str(path) for path in paths],
        "pattern": tmp_path / f"*.{suffix}",
        "folder": tmp_path,
    }[as_given]
    opened = open_blocks(data, target="y", weight="weight", features=NAMES, block_rows=BLOCK_ROWS)
    _assert_rows(opened, X, Y, WEIGHTS)
    expected = open_blocks(X, target=Y, weight=WEIGHTS, block_rows=BLOCK_ROWS)
    _assert_learns_as(opened, expected)
    if suffix == "parquet":
        assert repr(opened) == f"RowBlocks(n_samples={N_ROWS}, n_features={N_FEATURES})"


def test_patterns_may_match_folders(tmp_path):
    for number in range(2):
        (tmp_path / f"part{number}").mkdir()
        _parquet(tmp_path / f"part{number}", _table().slice(number * 100, 100))
    _assert_rows(open_blocks(f"{tmp_path}/part*", target="y"), X[:200], Y[:200])


# Features.


@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [
        ([pa.float32()], np.float32),
        ([pa.float32(), pa.float16()], np.float32),
        ([pa.float32(), pa.float64()], np.float64),
        ([pa.float32(), pa.int8()], np.float64),
        ([pa.int8(), pa.uint16(), pa.int32(), pa.uint64()], np.float64),
        ([pa.bool_()], np.float64),
        ([pa.decimal128(8, 3), pa.float64()], np.float64),
    ],
)
@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.arrows"])
def test_dtypes_of_features(tmp_path, name, kinds, dtype):
    values = RNG.integers(0, 2, (N_ROWS, N_FEATURES))
    table = _table(values)
    for place in range(N_FEATURES):
        kind = kinds[place % len(kinds)]
        column = pa.array([decimal.Decimal(int(each)) for each in values[:, place]])
        if not pa.types.is_decimal(kind):
            column = pa.array(values[:, place].astype(np.float16 if kind == "halffloat" else int))
        table = table.set_column(place, NAMES[place], column.cast(kind))
    path = _write(tmp_path, name, table)
    _assert_rows(open_blocks(path, target="y", block_rows=BLOCK_ROWS), values.astype(dtype), Y)


def test_features_in_the_order_that_is_asked_for(tmp_path):
    path = _parquet(tmp_path, _table(note=Y))
    opened = open_blocks(path, target="y", features=["f2", "f0"])
    assert opened.feature_names == ["f2", "f0"]
    _assert_rows(opened, X[:, [2, 0]], Y)
    # As predictions need it.
    _assert_rows(open_blocks(path, features=NAMES), X)


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.csv"])
def test_labels_are_read_only_if_they_are_wanted(tmp_path, name):
    source = open_blocks(_write(tmp_path, name, _table()), target="y")._reader.source
    read = []
    batches = source._table.batches

    def batches_of(names, most_rows):
        read.append(names)
        return batches(names, most_rows)

    source._table.batches = batches_of
    for wanted in (True, False):
        for piece in source.pieces(Request(labels=wanted, block_rows=None)):
            assert (piece.labels is not None) == wanted
    assert read == [[*NAMES, "y"], NAMES]


def test_a_name_may_have_points_and_begin_as_another(tmp_path):
    table = _table().rename_columns(["a", "a.b", "a.b.c", "f3", "y"])
    opened = open_blocks(_parquet(tmp_path, table), target="y", features=["a.b", "a"])
    _assert_rows(opened, X[:, [1, 0]], Y)


def test_the_index_of_pandas_is_no_feature(tmp_path):
    frame = _table().to_pandas()
    frame.index = np.arange(N_ROWS)[::-1]
    path = tmp_path / "x.parquet"
    frame.to_parquet(path)
    assert len(pq.read_schema(path)) == N_FEATURES + 2
    _assert_rows(open_blocks(path, target="y"), X, Y)
    path = _csv(tmp_path, frame.to_csv())
    with pytest.raises(ValueError, match=r"x\.csv has a column without a name.*index=False"):
        open_blocks(path, target="y")
    _assert_rows(open_blocks(path, target="y", features=NAMES), X, Y)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int32(), pa.bool_()])
@pytest.mark.parametrize("name", ["x.parquet", "x.feather"])
def test_missing_features_are_refused(tmp_path, name, kind):
    values = RNG.integers(0, 2, N_ROWS).astype(object)
    values[321] = None
    column = pa.array(values, pa.int64()).cast(kind)
    path = _write(tmp_path, name, _table().set_column(1, "f1", column))
    opened = open_blocks(path, target="y", block_rows=BLOCK_ROWS)
    message = rf"the feature 'f1' is NaN in row 321 of .*{re.escape(name)}: .*missing values"
    with pytest.raises(ValueError, match=message):
        opened.learn()


@pytest.mark.parametrize("text", ["", "NA", "nan"])
@pytest.mark.usefixtures("small_chunks")
def test_missing_features_of_csv_files_are_refused(tmp_path, text):
    lines = _table().to_pandas().to_csv(index=False).splitlines()
    lines[1 + 321] = f"1.0,{text},2.0,3.0,red"
    opened = open_blocks(_csv(tmp_path, "\n".join(lines)), target="y", block_rows=BLOCK_ROWS)
    with pytest.raises(ValueError, match=r"the feature 'f1' is NaN in row 321 of .*x\.csv"):
        opened.learn()


# Labels.

LABELS = {
    "strings": (pa.array(Y), Y),
    "large strings": (pa.array(Y.tolist(), pa.large_string()), Y),
    "categories": (pa.array(Y).dictionary_encode(), Y),
    "integers": (pa.array(NUMBERS - 7), NUMBERS - 7),
    "large integers": (pa.array(NUMBERS + 2**60), NUMBERS + 2**60),
    "unsigned": (pa.array(NUMBERS.astype(np.uint8)), NUMBERS),
    "booleans": (pa.array(NUMBERS > 0), NUMBERS > 0),
    "floats": (pa.array(NUMBERS.astype(np.float32)), NUMBERS.astype(float)),
    "categories of integers": (pa.array(NUMBERS + 2**60).dictionary_encode(), NUMBERS + 2**60),
    "categories of booleans": (pa.array(NUMBERS > 0).dictionary_encode(), NUMBERS > 0),
    "categories of floats": (
        pa.array(NUMBERS.astype(float)).dictionary_encode(),
        NUMBERS.astype(float),
    ),
    "repeated categories": (
        pa.DictionaryArray.from_arrays(
            pa.array(np.where(np.arange(N_ROWS) % 2, NUMBERS, NUMBERS + 3), pa.uint8()),
            ["red", "green", "blue", "red", "green", "blue", "none"],
        ),
        Y,
    ),
    "a category that is null": (
        pa.DictionaryArray.from_arrays(
            pa.array(NUMBERS + 1, pa.int16()), [None, "red", "green", "blue"]
        ),
        Y,
    ),
}


if hasattr(pa, "string_view"):
    LABELS["string views"] = pa.array(Y.tolist(), pa.string_view()), Y
NOT_IN_PARQUET = ("repeated categories", "a category that is null", "string views")


@pytest.mark.parametrize("name", ["x.feather", "x.arrow", "x.parquet"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels(tmp_path, kind, name):
    column, expected = LABELS[kind]
    if name == "x.parquet" and kind in NOT_IN_PARQUET:
        column = pa.array(column.to_pylist(), pa.string())
    path = _write(tmp_path, name, _table(y=column))
    opened = open_blocks(path, target="y", block_rows=BLOCK_ROWS)
    _assert_rows(opened, X, expected)
    _assert_learns_as(opened, open_blocks(X, target=expected, block_rows=BLOCK_ROWS))


@pytest.mark.parametrize("kind", LABELS)
def test_missing_labels_are_refused(tmp_path, kind):
    column, _ = LABELS[kind]
    if kind == "a category that is null":
        numbers = np.where(np.arange(N_ROWS) == 321, 0, NUMBERS + 1)
        column = pa.DictionaryArray.from_arrays(pa.array(numbers), column.dictionary)
    elif pa.types.is_dictionary(column.type):
        is_there = pa.array(np.arange(N_ROWS) != 321)
        indices = pa.compute.if_else(is_there, column.indices, None)
        column = pa.DictionaryArray.from_arrays(indices, column.dictionary)
    else:
        values = column.to_pylist()
        values[321] = None
        column = pa.array(values, column.type)
    path = _write(tmp_path, "x.feather", _table(y=column))
    opened = open_blocks(path, target="y", block_rows=BLOCK_ROWS)
    with pytest.raises(ValueError, match=r"the label is missing .*in row 321 of .*x\.feather"):
        opened.learn()


CSV_LABELS = {
    "strings": (Y, Y),
    "texts of two lines": (np.char.add(Y, "\n,"), np.char.add(Y, "\n,")),
    "the text NA": (np.where(Y == "red", "NA", Y), np.where(Y == "red", "NA", Y)),
    "integers": (NUMBERS, NUMBERS),
    "negative": (-NUMBERS, -NUMBERS),
    "booleans": (NUMBERS > 0, NUMBERS > 0),
    "floats": (NUMBERS.astype(float), NUMBERS.astype(float)),
    "dates": (np.char.add("2020-01-0", (NUMBERS + 1).astype(str)),) * 2,
}


@pytest.mark.parametrize("kind", CSV_LABELS)
@pytest.mark.usefixtures("small_chunks")
def test_labels_of_csv_files(tmp_path, kind):
    column, expected = CSV_LABELS[kind]
    path = _write(tmp_path, "x.csv", _table(y=column))
    opened = open_blocks(path, target="y", block_rows=BLOCK_ROWS)
    _assert_rows(opened, X, expected)
    _assert_learns_as(opened, open_blocks(X, target=expected, block_rows=BLOCK_ROWS))


@pytest.mark.parametrize("kind", ["strings", "integers"])
@pytest.mark.usefixtures("small_chunks")
def test_missing_labels_of_csv_files_are_refused(tmp_path, kind):
    column = CSV_LABELS[kind][0].astype(object)
    column[321] = None
    opened = open_blocks(_csv(tmp_path, pd.DataFrame({"x": X[:, 0], "y": column}).to_csv(index=0)))
    assert not opened.has_target
    opened = open_blocks(tmp_path / "x.csv", target="y")
    with pytest.raises(ValueError, match=r"the label is missing \(null\), in row 321 of .*x\.csv"):
        opened.learn()


def test_labels_of_csv_files_are_of_one_type(tmp_path):
    for number, labels in enumerate([[0, 1], [1, 2], [0.0, 2.0], ["a", "b"], [False, True]]):
        text = pd.DataFrame({"x": [1.0, 2.0], "y": labels}).to_csv(index=False)
        _csv(tmp_path, text, f"{number}.csv")
    for files, kind in [("01", "i"), ("02", "f"), ("23", "U"), ("4", "b"), ("04", "U")]:
        opened = open_blocks([tmp_path / f"{number}.csv" for number in files], target="y")
        assert _rows(opened)[1].dtype.kind == kind
    opened = open_blocks(tmp_path / "0.csv", target="y", classes=["0", "1", "2"])
    assert opened.learn()[1].tolist() == ["0", "1", "2"]
    opened = open_blocks(tmp_path / "0.csv", target="y", classes=[0.0, 1.0])
    assert opened.learn()[1].dtype == np.float64


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_files_of_other_programs(tmp_path, ending):
    lines = ["", '\ufeff"a, b";"x ""1""";y', "1;2;red", "", " 3 ;4e0;blue"]
    lines[0:1] = [] if ending == "\n" else [""]
    path = _csv(tmp_path, ending.join(lines[-4:]) + ending)
    opened = open_blocks(path, target="y")
    assert opened.feature_names == ["a, b", 'x "1"']
    _assert_rows(opened, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array(["red", "blue"]))


# Datasets of pyarrow.


@pytest.fixture
def not_by_pyarrow(monkeypatch):
    """Parquet files of datasets must not be scanned by pyarrow, which takes any memory."""

    def fail(*_):
        raise AssertionError("pyarrow scans the dataset")

    monkeypatch.setattr(datasets._Fragment, "batches", fail)


def _partitioned(folder, column, **settings):
    pads.write_dataset(
        _table(part=column),
        folder,
        format="parquet",
        partitioning=["part"],
        partitioning_flavor="hive",
    )
    return pads.dataset(folder, partitioning=pads.HivePartitioning.discover(**settings))


@pytest.mark.usefixtures("not_by_pyarrow", "few_rows_per_piece")
def test_datasets_with_columns_from_the_names_of_folders(tmp_path):
    year = np.where(np.arange(N_ROWS) < 200, 2024, 2025)
    dataset = _partitioned(tmp_path, year)
    opened = open_blocks(dataset, target="y", block_rows=BLOCK_ROWS)
    assert opened.feature_names == [*NAMES, "part"]
    _assert_rows(opened, np.column_stack([X, year]), Y)
    _assert_rows(open_blocks(dataset, target="part", features=NAMES), X, year)
    assert opened._writer is None
    with pytest.raises(ValueError, match=r"no column 'parts' \(target\): did you mean 'part'"):
        open_blocks(dataset, target="parts")


@pytest.mark.parametrize("infer_dictionary", [False, True])
@pytest.mark.usefixtures("not_by_pyarrow")
def test_labels_from_the_names_of_folders(tmp_path, infer_dictionary):
    dataset = _partitioned(tmp_path, Y, infer_dictionary=infer_dictionary)
    order = np.argsort(Y, kind="stable")
    opened = open_blocks(dataset, target="part", features=NAMES, block_rows=BLOCK_ROWS)
    _assert_rows(opened, X[order], Y[order])


def test_missing_labels_from_the_names_of_folders(tmp_path):
    labels = Y.astype(object)
    labels[321] = None
    opened = open_blocks(_partitioned(tmp_path, labels), target="part", features=NAMES)
    with pytest.raises(ValueError, match=r"label is missing \(null\), in row 0 of .*HIVE_DEFAULT"):
        opened.learn()


def test_files_that_differ_from_their_dataset(tmp_path):
    path = _parquet(tmp_path, _table(X.round(), NUMBERS))
    kinds = [pa.field(name, pa.int16()) for name in NAMES]
    dataset = pads.dataset(path, schema=pa.schema([*kinds, pa.field("y", pa.string())]))
    opened = open_blocks(dataset, target="y", block_rows=BLOCK_ROWS)
    _assert_rows(opened, X.round(), NUMBERS.astype(str))
    # A column that the file hasn't.
    kinds = [pa.field("g", pa.float64()), *kinds]
    opened = open_blocks(pads.dataset(path, schema=pa.schema(kinds)))
    with pytest.raises(ValueError, match=r"the feature 'g' is NaN in row 0 of .*x\.parquet"):
        list(opened)


def test_datasets_elsewhere_and_parts_of_files(tmp_path):
    _parquet(tmp_path, _table())
    elsewhere = pa.fs.SubTreeFileSystem(str(tmp_path), pa.fs.LocalFileSystem())
    dataset = pads.dataset("x.parquet", filesystem=elsewhere, format="parquet")
    _assert_rows(open_blocks(dataset, target="y", block_rows=BLOCK_ROWS), X, Y)
    (fragment,) = dataset.get_fragments()
    parts = [fragment.subset(row_group_ids=[group]) for group in (1, 2)]
    dataset = pads.FileSystemDataset(parts, dataset.schema, dataset.format)
    _assert_rows(open_blocks(dataset, target="y"), X[GROUP_ROWS:], Y[GROUP_ROWS:])


def test_empty_files_of_datasets_are_no_harm(tmp_path):
    for number, table in enumerate([_table()[:0], _table(), _table()[:0]]):
        _parquet(tmp_path, table, f"{number}.parquet")
    _assert_rows(open_blocks(pads.dataset(tmp_path), target="y"), X, Y)
    with pytest.raises(ValueError, match="there are no rows"):
        list(open_blocks(pads.dataset(tmp_path / "0.parquet"), target="y"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="the dataset has no files"):
        open_blocks(pads.dataset(tmp_path / "empty", schema=_table().schema), target="y")


@pytest.mark.parametrize("kind", ["in memory", "filtered", "csv", "joined"])
def test_datasets(tmp_path, kind):
    _write_csv(_table(), tmp_path / "x.csv")
    dataset, rows = {
        "in memory": lambda: (pads.dataset(_table()), slice(None)),
        "filtered": lambda: (
            pads.dataset(_table(row=np.arange(N_ROWS))).filter(pads.field("row") >= 100),
            slice(100, None),
        ),
        "csv": lambda: (pads.dataset(tmp_path / "x.csv", format="csv"), slice(None)),
        "joined": lambda: (
            pads.dataset([pads.dataset(_table()[:90]), pads.dataset(_table()[90:])]),
            slice(None),
        ),
    }[kind]()
    opened = open_blocks(dataset, target="y", features=NAMES, block_rows=BLOCK_ROWS)
    _assert_rows(opened, X[rows], Y[rows])
    assert (opened._writer is not None) == (kind == "csv")
    _assert_learns_as(opened, open_blocks(X[rows], target=Y[rows], block_rows=BLOCK_ROWS))


def test_rows_of_datasets_are_named_by_their_files(tmp_path):
    wrong = X.copy()
    wrong[3, 2] = np.inf
    _parquet(tmp_path, _table(), "0.parquet")
    _parquet(tmp_path, _table(wrong), "1.parquet")
    opened = open_blocks(pads.dataset(tmp_path), target="y")
    with pytest.raises(ValueError, match=r"'f2' is inf in row 3 of .*1\.parquet"):
        opened.learn()


# Sparse rows.


def _sparse(n_rows=N_ROWS, n_features=40):
    shape = n_rows, n_features
    # As many digits as are written to text files.
    dense = np.where(RNG.random(shape) < 0.1, RNG.normal(size=shape).round(9), 0.0)
    dense[:, -1] = 0.0
    dense[n_rows // 2, -1] = 0.5
    dense[0, 0] = 1.5
    dense[17] = 0.0
    return csr_array(dense)


SPARSE = _sparse()


@pytest.mark.parametrize("is_zero_based", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "x.svmlight",
        *(pytest.param(f"x.svm.{each}", marks=pytest.mark.full) for each in ("gz", "bz2")),
    ],
)
@pytest.mark.parametrize("block_rows", [BLOCK_ROWS, "auto"])
@pytest.mark.usefixtures("small_chunks")
def test_svmlight_files(tmp_path, name, is_zero_based, block_rows):
    sparse = SPARSE
    path = tmp_path / name
    opener = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    with opener(path, "wb") as file:
        file.write(b"# made by hand\n\n")
        dump_svmlight_file(sparse, NUMBERS, file, zero_based=is_zero_based)
    for cached in (None, False):
        with open_blocks(path, block_rows=block_rows, cache=cached) as opened:
            assert opened.n_samples == N_ROWS
            assert opened.n_features == 40
            _assert_rows(opened, sparse.toarray(), NUMBERS)
            expected = open_blocks(sparse, target=NUMBERS, block_rows=block_rows)
            _assert_learns_as(opened, expected)


def test_svmlight_files_have_their_features_together(tmp_path):
    (tmp_path / "0.svm").write_text("1.5 2:1\n-1 qid:3 2:7 # note\n")
    (tmp_path / "1.svm").write_text("2\n1 1:3 4:5")
    first, second = [[0, 1, 0, 0], [0, 7, 0, 0]], [[0, 0, 0, 0], [3, 0, 0, 5]]
    opened = open_blocks([tmp_path / "1.svm"])
    _assert_rows(opened, np.array(second, float), np.array([2, 1]))
    X, y = np.array(first + second, float), np.array([1.5, -1.0, 2.0, 1.0])
    sources = open_blocks(tmp_path / "*.svm", block_rows=3)._reader.source
    request = Request(labels=True, block_rows=None)
    pieces = list(sources.pieces(request))
    np.testing.assert_array_equal(vstack([piece.features for piece in pieces]).toarray(), X)
    np.testing.assert_array_equal(np.concatenate([piece.labels for piece in pieces]), y)
    (tmp_path / "2.svm").write_text("2 0:1\n")
    assert open_blocks(tmp_path / "*.svm").n_features == 5


def test_svmlight_files_that_lack_the_last_features(tmp_path):
    (tmp_path / "train.svm").write_text("1 1:1 4:2\n2 2:3\n2 4:1\n1 1:5\n")
    (tmp_path / "test.svm").write_text("1 1:1\n2 2:3\n")
    model = SoftmaxClassifier().fit(open_blocks(tmp_path / "train.svm"))
    with pytest.raises(ValueError, match=r"X has 2 features.*expecting 4.*features=4"):
        model.predict(open_blocks(tmp_path / "test.svm"))
    rows = open_blocks(tmp_path / "test.svm", features=model.n_features_in_)
    expected = model.predict(np.array([[1.0, 0, 0, 0], [0, 3, 0, 0]]))
    np.testing.assert_array_equal(model.predict(rows), expected)
    for features, error, message in [
        (3, ValueError, r"train\.svm has a feature of index 4, and indices begin at 1: features=3"),
        (0, ValueError, "features=0"),
        (2.5, TypeError, "features"),
        (["a"], ValueError, r"features=\['a'\] is not allowed with .*must be the number"),
    ]:
        with pytest.raises(error, match=message):
            open_blocks([tmp_path / "test.svm", tmp_path / "train.svm"], features=features)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1:2\n\n2 1:x\n", r"line 3 of .*could not convert"),
        ("1 1:2\n2 3:1 2:1\n", r"line 2 of .*sorted"),
        ("1 1:2\n2 -3:1\n", r"line 2 of .*index -3"),
        ("1 1:2\n2 99999999999:1\n", r"line 2 of .*can't be read"),
        ("red 1:2\n", r"line 1 of .*a line must be a label and pairs index:value"),
        ("# nothing\n", "x.svm has no rows: leave it out"),
        ("", "x.svm has no rows"),
        ("1\n2\n", "x.svm has no features"),
    ],
)
def test_wrong_svmlight_files_are_refused(tmp_path, text, message):
    path = tmp_path / "x.svm"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        open_blocks(path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_svmlight_files_that_are_cut_short_are_refused(tmp_path, compress):
    path = tmp_path / ("x.svm.gz" if compress is gzip.compress else "x.svm.bz2")
    path.write_bytes(compress(b"1 1:2\n" * 10_000)[:-20])
    with pytest.raises(ValueError, match=r"x\.svm\..*can't be read.*cut short"):
        open_blocks(path)
    path.write_bytes(b"1 1:2\n" * 10)
    with pytest.raises(ValueError, match=r"x\.svm\..*can't be read.*cut short"):
        open_blocks(path)


def test_arguments_that_svmlight_files_do_not_have(tmp_path):
    path = tmp_path / "x.svm"
    path.write_text("1 1:2\n")
    for arguments in ({"target": "y"}, {"weight": WEIGHTS}, {"features": ["a"]}):
        with pytest.raises(ValueError, match=f"^{next(iter(arguments))}.* is not allowed with"):
            open_blocks(path, **arguments)


# The cache.


def _cached(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(folder))
    return folder


def test_text_is_cached_until_rows_are_closed(tmp_path, temporary):
    path = _write(tmp_path, "x.csv", _table(weight=WEIGHTS))
    opened = open_blocks(path, target="y", weight="weight", block_rows=BLOCK_ROWS)
    assert not _cached(temporary)
    rows, _ = opened.learn()
    names = {file.name for file in _cached(temporary)}
    assert names == {"X.npy", "weights.npy"}
    (folder,) = temporary.iterdir()
    np.testing.assert_array_equal(np.load(folder / "X.npy"), X)
    path.unlink()
    assert [len(block.targets) for block in rows.blocks()] == [130, 130, 130, 110]
    opened.close()
    assert not list(temporary.iterdir())
    with pytest.raises(ValueError, match=r"closed.*open them again"):
        list(rows.blocks())


@pytest.mark.parametrize("kept", ["rows", "nothing"])
def test_the_cache_goes_with_what_refers_to_it(tmp_path, temporary, kept):
    opened = open_blocks(_write(tmp_path, "x.csv", _table()), target="y")
    rows, _ = opened.learn()
    del opened
    if kept == "rows":
        gc.collect()
        np.testing.assert_array_equal(next(iter(rows.blocks())).features, X)
    del rows
    gc.collect()
    assert not list(temporary.iterdir())


@pytest.mark.full
def test_the_cache_goes_when_python_exits(tmp_path):
    path = _write(tmp_path, "x.csv", _table())
    program = (
        "from softreg_fast.blocks import open_blocks\n"
        f"rows = open_blocks({str(path)!r}, target='y', cache={str(tmp_path / 'cache')!r})\n"
        "rows.learn()\n"
        f"import os\nassert os.listdir({str(tmp_path / 'cache')!r})\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert (tmp_path / "cache").is_dir()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.arrow"])
@pytest.mark.parametrize("asked", [None, True, False, "folder"])
def test_what_is_cached(tmp_path, temporary, name, asked):
    path = _write(tmp_path, name, _table())
    folder = temporary / "a" / "b" if asked == "folder" else temporary
    with open_blocks(path, target="y", cache=folder if asked == "folder" else asked) as opened:
        _assert_learns_as(opened, open_blocks(X, target=Y))
        is_cached = asked in (True, "folder") or (asked is None and name == "x.csv")
        assert bool(_cached(folder)) == is_cached
    assert not _cached(temporary)


def test_what_is_read_as_fast_is_not_cached(tmp_path):
    np.save(tmp_path / "X.npy", X)
    for data in (tmp_path / "X.npy", X, [(X, Y)]):
        target = None if isinstance(data, list) else Y
        opened = open_blocks(data, target=target, cache=tmp_path / "cache")
        opened.learn()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("block_rows", [BLOCK_ROWS, "auto"])
def test_sparse_blocks_are_cached_without_a_copy(tmp_path, wide, block_rows):
    sparse = SPARSE.astype(np.float32)
    if wide:  # indices that need not be 64-bit integers, but are
        sparse.indices, sparse.indptr = (
            each.astype(np.int64) for each in (sparse.indices, sparse.indptr)
        )

    def blocks():
        for start in range(0, N_ROWS, 77):
            rows = slice(start, start + 77)
            yield sparse[rows], Y[rows], WEIGHTS[rows]

    with open_blocks(blocks, block_rows=block_rows, cache=tmp_path / "cache") as opened:
        rows, _ = opened.learn()
        found = list(rows.blocks())
        np.testing.assert_array_equal(
            vstack([block.features for block in found]).toarray(), sparse.toarray()
        )
        np.testing.assert_array_equal(np.concatenate([block.weights for block in found]), WEIGHTS)
        for block in found:
            assert block.features.dtype == np.float32
            assert block.features.indices.dtype == np.int32
            assert not block.features.data.flags.owndata
            assert not block.features.data.flags.writeable
    assert not _cached(tmp_path)


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
def test_any_rows_can_be_read_from_a_cache(tmp_path, data):
    blocks = [(data, Y, WEIGHTS)]
    with open_blocks(lambda: blocks, block_rows=BLOCK_ROWS, cache=tmp_path) as opened:
        rows, _ = opened.learn()
        source = rows._reader.source
        assert source.has_random_access
        for start, stop in [(0, 1), (100, 300), (17, 18), (0, N_ROWS)]:
            ((features, weights),) = source.read(start, stop)
            np.testing.assert_array_equal(_dense(features), _dense(data)[start:stop])
            np.testing.assert_array_equal(weights, WEIGHTS[start:stop])


def test_sparse_blocks_without_elements_are_cached(tmp_path):
    nothing = csr_array((6, 3))
    with open_blocks(
        lambda: [(nothing, [0, 1, 0, 1, 0, 1])], cache=tmp_path, block_rows=4
    ) as opened:
        rows, _ = opened.learn()
        assert [block.features.shape for block in rows.blocks()] == [(4, 3), (2, 3)]


def test_a_cache_begins_anew(tmp_path):
    writer = cache.CacheWriter(tmp_path)
    for start in (0, 100):
        writer.begin()
        for stop in (start + 30, start + 50):
            rows = slice(stop - 20, stop)
            writer.add(Part(X[rows], None, None, "", 0))
        source = writer.finish()
        pieces = list(source.pieces(Request(labels=False, block_rows=None)))
        found = np.concatenate([piece.features for piece in pieces])
        np.testing.assert_array_equal(found, X[start + 10 : start + 50])
        assert len(_cached(tmp_path)) == 1
    writer.close()
    assert not _cached(tmp_path)


def test_rows_that_are_not_allowed_are_not_cached(tmp_path):
    text = "x,y\n" + "1,a\n2,b\n" * 100 + "nan,a\n"
    with open_blocks(_csv(tmp_path, text), "y", cache=tmp_path / "cache", block_rows=50) as opened:
        for _ in range(2):
            with pytest.raises(ValueError, match="row 200 of"):
                opened.learn()
    assert not _cached(tmp_path / "cache")


@pytest.mark.parametrize("moment", ["add", "finish"])
def test_a_full_disk(tmp_path, monkeypatch, moment):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache._ArrayFile, moment, fail)
    opened = open_blocks(_write(tmp_path, "x.csv", _table()), "y", cache=tmp_path / "cache")
    with pytest.raises(OSError, match=r"cache' is full.*cache=FOLDER.*or cache=False") as raised:
        opened.learn()
    assert raised.value.errno == errno.ENOSPC
    assert not list((tmp_path / "cache").iterdir())


def test_other_errors_of_the_disk(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(cache._ArrayFile, "add", fail)
    opened = open_blocks(_write(tmp_path, "x.csv", _table()), "y", cache=tmp_path / "cache")
    with pytest.raises(OSError, match="Input/output"):
        opened.learn()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.runs_if(hasattr(os, "fork"))
def test_other_processes_leave_the_cache(tmp_path):
    writer = cache.CacheWriter(tmp_path)
    writer.add(Part(X, None, None, "", 0))
    source = writer.finish()
    temporary_folder._remove(source._folder.path, os.getpid() + 1)
    assert _cached(tmp_path)


def test_wrong_caches_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"cache=3 is not allowed: it must be the path of a folder"):
        open_blocks(X, target=Y, cache=3)
    path = _csv(tmp_path, "x,y\n1,2\n")
    with pytest.raises(NotADirectoryError, match=r"cache='.*x\.csv' is no folder"):
        open_blocks(path, target="y", cache=path)


# What is refused.


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.csv"])
def test_columns_that_are_not_there(tmp_path, name):
    path = _write(tmp_path, name, _table(delay_class=Y))
    for arguments, message in [
        (
            {"target": "delay_clas", "features": NAMES},
            rf"{re.escape(name)} has no column 'delay_clas' \(target\): did you mean 'delay_class'",
        ),
        ({"target": "delay_clas"}, r"no column 'delay_clas' \(target\): did you mean"),
        ({"target": "y", "weight": "zzz"}, r"no column 'zzz' \(weight\): it has 'f0', 'f1',"),
        ({"features": ["f0", "f11"]}, r"no column 'f11' \(feature\): did you mean 'f1'"),
    ]:
        with pytest.raises(ValueError, match=message):
            open_blocks(path, **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": Y}, TypeError, "target is a ndarray, which is not allowed with .*x.parquet"),
        ({"weight": WEIGHTS}, TypeError, "weight is a ndarray.*the name of a column"),
        ({"target": "y", "weight": "y"}, ValueError, "target and weight are both 'y'"),
        ({"features": "f0"}, TypeError, "features='f0' is not allowed: it must be a list"),
        ({"features": [0]}, TypeError, "it must be a list of names"),
        ({"features": 3}, TypeError, "it must be a list of names"),
        ({"features": []}, ValueError, "features is empty"),
        ({"features": ["f0", "f0"]}, ValueError, "features has 'f0' twice"),
        ({"features": ["f0", "y"], "target": "y"}, ValueError, "features has the target 'y'"),
    ],
)
@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_wrong_columns_are_refused(tmp_path, name, arguments, error, message):
    path = _write(tmp_path, name, _table())
    with pytest.raises(error, match=message.replace("x.parquet", name)):
        open_blocks(path, **arguments)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(Y),
        pa.array(Y).dictionary_encode(),
        pa.array(NUMBERS).dictionary_encode(),
        pa.array(NUMBERS, pa.timestamp("s")),
        pa.array([[0.5]] * N_ROWS),
        pa.nulls(N_ROWS),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("name", ["x.parquet", "x.feather"])
def test_features_that_are_no_numbers_are_refused(tmp_path, name, column):
    if name == "x.parquet" and column.type.equals(pa.dictionary(pa.int32(), pa.int64())):
        column = pa.array(Y)  # these are written as integers
    path = _write(tmp_path, name, _table(note=column))
    message = rf"{name} has a column 'note' \(feature\) of type .*leave it out by features="
    with pytest.raises(TypeError, match=message):
        open_blocks(path, target="y")
    message = rf"{name} has a column 'note' \(weight\) of type .*: it must hold numbers"
    with pytest.raises(TypeError, match=message):
        open_blocks(path, target="y", features=NAMES, weight="note")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(NUMBERS, pa.timestamp("s")),
        pa.array([[1]] * N_ROWS),
        pa.array([b"x"] * N_ROWS),
        pa.array(NUMBERS.astype(np.int32)).cast(pa.date32()).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_targets_that_are_no_labels_are_refused(tmp_path, column):
    path = _write(tmp_path, "x.feather", _table(y=column))
    with pytest.raises(TypeError, match=r"x\.feather has a column 'y' \(target\) of type"):
        open_blocks(path, target="y")


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv"])
def test_files_that_differ_from_the_first_are_refused_when_they_are_opened(tmp_path, suffix):
    def write(number, table):
        path = tmp_path / f"{number}.{suffix}"
        WRITERS[f"x.{suffix}"](table, path)
        return path

    first = [write(number, _table()) for number in range(4)]
    for other, features, message in [
        (
            _table().drop_columns("f2"),
            None,
            rf"4\.{suffix} has no column 'f2' \(feature\), but .*0",
        ),
        (_table().drop_columns("y"), NAMES, rf"4\.{suffix} has no column 'y' \(target\), but"),
        (_table(more=X[:, 0]), None, rf"4\.{suffix} has a column 'more', but .*0\..* has none"),
    ]:
        with pytest.raises(ValueError, match=message):
            open_blocks([*first, write(4, other)], target="y", features=features)
    # Columns that nobody asks for may differ.
    path = write(4, _table(more=Y))
    assert open_blocks([*first, path], target="y", features=NAMES).n_features == N_FEATURES


def test_types_that_differ_between_files_are_refused(tmp_path):
    first = _parquet(tmp_path, _table(), "0.parquet")
    for other, error, message in [
        (_table(X.astype(np.float32)), ValueError, r"1\.parquet are float32, but those of .*0"),
        (_table(y=NUMBERS), ValueError, r"'y' \(target\) has type int64 in .*1\.parquet, but str"),
        (_table(X.astype(str)), TypeError, r"1\.parquet has a column 'f0' \(feature\) of type"),
    ]:
        path = _parquet(tmp_path, other, "1.parquet")
        with pytest.raises(error, match=message):
            open_blocks([first, path], target="y")
    # These are the same dtype of features, and the same kind of labels.
    values = RNG.integers(0, 9, X.shape)
    path = _parquet(tmp_path, _table(values, pa.array(Y).dictionary_encode()), "1.parquet")
    opened = open_blocks([first, path], target="y", block_rows=BLOCK_ROWS)
    _assert_rows(opened, np.concatenate([X, values]), np.concatenate([Y, Y]))


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow", "arrows", "csv"])
def test_files_without_rows_are_refused(tmp_path, suffix):
    for number in range(2):
        WRITERS[f"x.{suffix}"](_table()[: 10 - 10 * number], tmp_path / f"{number}.{suffix}")
    with pytest.raises(ValueError, match=rf"1\.{suffix} has no rows: leave it out"):
        open_blocks(tmp_path / f"*.{suffix}", target="y", features=NAMES).learn()


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow", "arrows"])
@pytest.mark.parametrize("n_bytes", [0, 3, 100, -30])
def test_files_that_are_cut_short_are_refused(tmp_path, suffix, n_bytes):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"x.{suffix}"
    WRITERS[f"x.{suffix}"](_table(), whole)
    path.write_bytes(whole.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match=rf"x\.{suffix} can't be read as an? .*: .*write it again"):
        open_blocks(path, target="y").learn()


def test_damaged_pages_are_refused(tmp_path):
    path = _parquet(tmp_path, _table())
    content = bytearray(path.read_bytes())
    content[20:60] = b"\xff" * 40
    path.write_bytes(content)
    opened = open_blocks(path, target="y")
    with pytest.raises(ValueError, match=r"x\.parquet can't be read as a Parquet file: .*damaged"):
        opened.learn()


def test_texts_that_are_no_utf8_are_refused(tmp_path):
    table = _table(y=pa.array([b"\xff\xfe", b"a"] * (N_ROWS // 2)))
    text = pa.Array.from_buffers(pa.string(), N_ROWS, table["y"].chunk(0).buffers())
    path = _write(tmp_path, "x.feather", _table(y=text))
    with pytest.raises(ValueError, match=r"x\.feather can't be read.*UTF8"):
        open_blocks(path, target="y").learn()


def test_the_first_version_of_feather_is_refused(tmp_path):
    path = tmp_path / "x.feather"
    path.write_bytes(b"FEA1" + b"\0" * 100 + b"FEA1")
    with pytest.raises(ValueError, match=r"x\.feather is a Feather file of version 1.*write it"):
        open_blocks(path, target="y")


@pytest.mark.parametrize(
    ("row", "line", "message"),
    [
        (321, "1,abc,3,4,red", r"'f1' holds 'abc' in row 321 of .*x\.csv: it must be a number; .*"),
        (321, "1,true,3,4,red", r"'f1' holds 'true' in row 321 of .*features="),
        (0, "1,' 1',3,4,red", r"""'f1' holds "' 1'" in row 0 of"""),
        (499, '1,2,"3,5",4,red', r"'f2' holds '3,5' in row 499 of"),
        (321, f"{'z' * 999},2,3,4,red", r"'f0' holds 'z{100}\.\.\.' in row 321 of"),
        (321, "1,2,3,red", r"x\.csv can't be read as a CSV file after row \d+: .*Expected 5 col"),
        (0, "1,2,3,4,5,6", r"x\.csv can't be read as a CSV file: .*Expected 5 columns, got 6"),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_wrong_lines_of_csv_files_are_refused(tmp_path, row, line, message):
    lines = _table().to_pandas().to_csv(index=False).splitlines()
    lines[1 + row] = line
    path = _csv(tmp_path, "\n".join(lines))
    with pytest.raises(ValueError, match=message):
        open_blocks(path, target="y", block_rows=BLOCK_ROWS).learn()


@pytest.mark.usefixtures("small_chunks")
def test_labels_of_csv_files_that_differ_from_the_first(tmp_path):
    lines = _table(y=NUMBERS).to_pandas().to_csv(index=False).splitlines()
    lines[1 + 321] = "1,2,3,4,other"
    path = _csv(tmp_path, "\n".join(lines))
    message = r"'y' holds 'other' in row 321 of .*x\.csv: .*are all integers; .*classes=.*strings"
    with pytest.raises(ValueError, match=message):
        open_blocks(path, target="y").learn()
    opened = open_blocks(path, target="y", classes=["0", "1", "2", "other"])
    assert opened.learn()[0].summary.class_counts[3] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.csv is empty: it must have a line of names"),
        ("\n\n", r"x\.csv is empty"),
        ("a,y", r"x\.csv has no rows: leave it out"),
        ("a,y\n", r"x\.csv has no rows: leave it out"),
        ("a,a,y\n1,2,3\n", r"x\.csv has 2 columns 'a' \(feature\): rename all but one"),
        ("a,y,y\n1,2,3\n", r"x\.csv has 2 columns 'y' \(target\)"),
        ("y\n1\n", r"x\.csv has no column but target and weight"),
    ],
)
def test_wrong_csv_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        open_blocks(_csv(tmp_path, text), target="y")


def test_csv_files_that_are_cut_short_are_refused(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(_table().to_pandas().to_csv(index=False).encode())[:-200])
    with pytest.raises(ValueError, match=r"x\.csv\.gz can't be read as a CSV file"):
        open_blocks(path, target="y").learn()
    path.write_bytes(b"a,y\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.csv\.gz can't be read as a CSV file"):
        open_blocks(path, target="y")


def test_kinds_of_files(tmp_path):
    _parquet(tmp_path, _table(), "a.parquet")
    _csv(tmp_path, "x,y\n1,2\n", "b.csv")
    with pytest.raises(ValueError, match=r"b\.csv is a file of CSV, but .*a\.parquet is one of"):
        open_blocks(tmp_path, target="y")
    for name in ("x.txt", "x", "x.parquet.gz", "x.svm.zst", "x.gz"):
        (tmp_path / name).touch()
        with pytest.raises(
            ValueError, match=rf"{name} is of no kind that is known: .*\.parquet, .*\.csv"
        ):
            open_blocks(tmp_path / name)
    for missing in ("no.parquet", ["b.csv", "no.csv"]):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            open_blocks(missing)
    with pytest.raises(FileNotFoundError, match=r"'s3://b/x.parquet' is no file.*pyarrow.dataset"):
        open_blocks("s3://b/x.parquet")
    with pytest.raises(FileNotFoundError, match=r"no file matches '.*no\*\.csv'"):
        open_blocks(f"{tmp_path}/no*.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="there is no file in the folder"):
        open_blocks(tmp_path / "empty")


def test_a_file_that_has_gone(tmp_path):
    path = _parquet(tmp_path, _table())
    opened = open_blocks(path, target="y")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.parquet"):
        opened.learn()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.DataFrame(X), "data is a pandas DataFrame: give X as an array"),
        (pl.DataFrame(X), "data is a polars DataFrame: give X as an array.*Parquet"),
        (pl.DataFrame(X).lazy(), "data is a polars LazyFrame"),
        (_table(), "data is a pyarrow Table: give a pyarrow.dataset.Dataset"),
    ],
    ids=["pandas", "polars", "lazy", "pyarrow"],
)
def test_tables_in_memory_are_refused(data, message):
    with pytest.raises(TypeError, match=message):
        open_blocks(data, target="y")


def test_readers_of_pandas_are_refused_as_iterators(tmp_path):
    with (
        pd.read_csv(_csv(tmp_path, "x,y\n1,2\n"), chunksize=1) as reader,
        pytest.raises(TypeError, match="TextFileReader, which can be read only once: give a call"),
    ):
        open_blocks(reader)


def test_names_of_features_that_have_none(tmp_path):
    np.save(tmp_path / "X.npy", X)
    for data in (tmp_path / "X.npy", X, [(X, Y)]):
        with pytest.raises(ValueError, match=r"features=\['a'\] is not allowed with"):
            open_blocks(data, features=["a"])


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.csv"])
def test_the_extra_is_named_where_pyarrow_is_missing(tmp_path, name, monkeypatch):
    path = _write(tmp_path, name, _table())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "softreg-fast\[arrow\]"'):
        open_blocks(path, target="y")


def test_what_needs_no_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "x.svm").write_text("1 1:2\n2 1:3\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for data in (X, tmp_path / "x.svm", [(X, Y)]):
        assert len(list(open_blocks(data, block_rows=1000))) == 1
    assert not datasets.is_dataset(X)


# NumPy's files.


def test_npy_files_and_their_labels(tmp_path):
    for number, rows in enumerate([slice(0, 300), slice(300, None)]):
        for name, values in (("X", X), ("y", Y), ("w", WEIGHTS)):
            (tmp_path / name).mkdir(exist_ok=True)
            np.save(tmp_path / name / f"{number}.npy", values[rows])
    expected = X, Y, WEIGHTS
    folders = [tmp_path / name for name in "Xyw"]
    for data, target, weight in [
        folders,
        [f"{folder}/*.npy" for folder in folders],
        [sorted(folder.iterdir()) for folder in folders],
    ]:
        opened = open_blocks(data, target=target, weight=weight, block_rows=BLOCK_ROWS)
        _assert_rows(opened, *expected)
    first, labels = (folder / "0.npy" for folder in folders[:2])
    for data, target in [
        (first, labels),
        (first, Y[:300]),
        (first, Y[:300].tolist()),
        ([first], [labels]),
        ([first], [Y[:300]]),
    ]:
        _assert_rows(open_blocks(data, target=target), X[:300], Y[:300])
    with pytest.raises(ValueError, match="target has 1 parts beside 2 files of features"):
        open_blocks(folders[0], target=labels)
    path = tmp_path / "cut.npy"
    path.write_bytes(first.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"cut\.npy can't be read as a \.npy file"):
        open_blocks(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_columns", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("n_rows", [0, 100, 4_096, 16_384, 20_001])
def test_columns_are_put_side_by_side(dtype, n_columns, n_rows):
    random = np.random.default_rng(0)
    columns = [random.standard_normal(n_rows).astype(dtype) for _ in range(n_columns)]
    for number, column in enumerate(columns):
        column.flags.writeable = False
        if number % 5 == 1:
            columns[number] = random.integers(1_000, size=n_rows)
        elif number % 5 == 2:
            columns[number] = np.repeat(column, 2)[::2]
        elif number % 5 == 3:
            misaligned = np.empty(n_rows * column.itemsize + 1, np.uint8)[1:].view(dtype)
            misaligned[:] = column
            columns[number] = misaligned
    found = put_side_by_side(columns, np.dtype(dtype))
    expected = reference.put_side_by_side(columns, np.dtype(dtype))
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.arrow", "x.svm"])
@pytest.mark.parametrize("cached", [None, False])
def test_files_that_are_written_while_they_are_open(tmp_path, name, cached):
    def write(X, y):
        path = tmp_path / name
        table = _table(X, y)
        if path.suffix == ".svm":
            dump_svmlight_file(X, NUMBERS, str(path))
        elif path.suffix == ".csv":
            csv.write_csv(table, path)
        elif path.suffix == ".arrow":
            feather.write_feather(table, path, compression="uncompressed")
        else:
            pq.write_table(table, path)
        return path

    path = write(X, Y)
    target = None if name == "x.svm" else "y"
    with open_blocks(path, target, cache=cached) as rows:
        model = SoftmaxClassifier().fit(rows)
        score = model.score(rows)
        os.utime(path, ns=(0, 0))
        if cached is None and name in ("x.csv", "x.svm"):
            SoftmaxClassifier().fit(rows)
        else:
            with pytest.raises(ValueError, match=f"{name} was written after it had been opened"):
                SoftmaxClassifier().fit(rows)
            with pytest.raises(ValueError, match=f"{name} was written after it had been opened"):
                model.score(rows)
    with open_blocks(path, target) as rows:
        assert model.score(rows) == score


def test_what_is_no_matrix_is_refused(tmp_path):
    vector = np.ones(3)
    for features in (vector, pd.Series(vector)):
        for block in (features, (features, np.arange(3))):
            with pytest.raises(ValueError, match=r"block 0 has features of shape \(3,\)"):
                _ = open_blocks([block]).n_features
        with pytest.raises(ValueError, match=r"block 0 has features of shape \(3,\)"):
            SoftmaxClassifier().fit(open_blocks([block]))
    with pytest.raises(ValueError, match="empty list"):
        open_blocks([], target="y")


def test_dask_collections_are_refused():
    array = da.ones((10, 2))
    with pytest.raises(TypeError, match=r"data is a dask Array: .*DaskSoftmaxClassifier"):
        open_blocks(array)


def test_blocks_that_are_data_frames_of_several_dtypes():
    frame = pd.DataFrame(X, columns=NAMES)
    frame["f1"] = pd.array(NUMBERS, dtype="Int64")
    frame["f2"] = NUMBERS == 1
    frame["f3"] = frame["f3"].astype(np.float32)
    found = SoftmaxClassifier().fit(open_blocks([(frame, Y)]))
    expected = SoftmaxClassifier().fit(open_blocks(frame.to_numpy(float), Y))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    frame["f1"] = "red"
    with pytest.raises(TypeError, match=r"'f1'.*found in block 0"):
        SoftmaxClassifier().fit(open_blocks([(frame, Y)]))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("row", [0, 5])
def test_labels_that_are_missing_are_named(missing, row):
    labels = Y.astype(object)
    labels[row] = missing
    with pytest.raises(ValueError, match=rf"label is missing \({missing}\), in row {row} of X"):
        SoftmaxClassifier().fit(open_blocks(X, labels))


def test_columns_of_csv_files_that_are_booleans(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "_BLOCK_BYTES", 3_000)
    frame = pd.DataFrame(X, columns=NAMES).assign(f1=NUMBERS == 1, f2=NUMBERS, y=Y)
    frame[:200].to_csv(tmp_path / "0.csv", index=False)
    frame[200:].to_csv(tmp_path / "1.csv", index=False)
    expected = frame[NAMES].to_numpy(float)
    for cached in (None, False):
        with open_blocks(tmp_path / "*.csv", "y", block_rows=BLOCK_ROWS, cache=cached) as rows:
            _assert_rows(rows, expected, Y)
    wrong = frame.astype({"f1": object})
    wrong.loc[450, "f1"] = "2.5"
    wrong[200:].to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"'f1' holds '2.5' in row 250 of .*first rows.*booleans"):
        SoftmaxClassifier().fit(open_blocks(tmp_path / "*.csv", "y"))
    wrong.loc[450, "f1"] = None
    wrong[200:].to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"'f1' is NaN in row 250"):
        SoftmaxClassifier().fit(open_blocks(tmp_path / "*.csv", "y"))
    frame[200:].assign(f1=0.5).to_csv(tmp_path / "1.csv", index=False)
    with pytest.raises(ValueError, match=r"'f1' holds '\w+' in row 0 of .*must be a number"):
        SoftmaxClassifier().fit(open_blocks(tmp_path / "*.csv", "y"))
