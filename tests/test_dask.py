"""Rows on a Dask cluster: the bits of blocks in memory, whoever has them and whatever happens."""

import contextlib
import inspect
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from conftest import WITHOUT_JIT
from distributed import Client, Future, LocalCluster
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks import open_blocks
from softreg_fast.dask import ClusterError, DaskSoftmaxClassifier
from softreg_fast.dask import cluster as cluster_module
from softreg_fast.dask import workers as workers_module
from softreg_fast.dask.cluster import Cluster
from softreg_fast.dask.last_model import LastModel
from softreg_fast.dask.placing import group
from softreg_fast.dask.rows import DaskRows
from softreg_fast.data.blocked import RowsSummary
from softreg_fast.data.tree_sums import TreeSum
from softreg_fast.runtime import checkpoint
from softreg_fast.solvers.newton import solver as newton
from softreg_fast.solvers.newton import subsample

N_ROWS, N_FEATURES, CHUNK = 4_000, 5, 700
N_ROWS = 500 if WITHOUT_JIT else N_ROWS
CHUNK = 90 if WITHOUT_JIT else CHUNK
# Any free port: Dask warns if that of the dashboard is taken, and leaves a socket open.
HIDDEN = {"dashboard_address": ":0"}
EXACT = {"newton": {}, "lbfgs": {}, "l1": {"l1_ratio": 0.5, "C": 0.05}}


@contextlib.contextmanager
def _workers(n_workers, *, processes=False, threads_per_worker=1):
    """A client of a cluster of some workers."""
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=threads_per_worker,
            processes=processes,
            **HIDDEN,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with _workers(2) as client:
        yield client


@pytest.fixture
def data(make_data):
    return make_data(N_ROWS, N_FEATURES, 3)


@pytest.fixture
def few_rows_are_many(monkeypatch):
    """Second derivatives of a sample, and a fit of some of the rows goes first."""
    monkeypatch.setattr(subsample, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(newton, "_FEWEST_COARSE_ROWS", 100)


def _on_dask(X, y, *others, chunk=CHUNK):
    X = da.from_array(X, chunks=(chunk, -1))
    return X, *(da.from_array(each, chunks=chunk) for each in (y, *others))


def _local(X, y, weight=None, **parameters):
    """What blocks of the same rows give here."""
    with open_blocks(X, y, weight=weight, block_rows=CHUNK) as rows:
        return SoftmaxClassifier(**parameters).fit(rows)


def _assert_same_bits(found, expected):
    assert found.coef_.dtype == expected.coef_.dtype
    for name in ("coef_", "intercept_", "classes_", "loss_curve_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("n_iter_", "converged_", "n_features_in_"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.gap_ == expected.gap_ or np.isnan(expected.gap_)


def _parameters(kind):
    return {"solver": "lbfgs" if kind == "lbfgs" else "newton", **EXACT[kind]}


@pytest.mark.parametrize(
    "kind", ["newton", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("lbfgs", "l1"))]
)
def test_fits_have_the_bits_of_blocks_in_memory(client, data, few_rows_are_many, kind):
    found = DaskSoftmaxClassifier(**_parameters(kind)).fit(*_on_dask(*data))
    _assert_same_bits(found, _local(*data, **_parameters(kind)))


@pytest.mark.full
@pytest.mark.parametrize("n_workers", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
def test_any_workers_give_the_same_bits(data, few_rows_are_many, n_workers, dtype, is_sparse):
    X, y = data
    random = np.random.default_rng(1)
    X = (X * (random.uniform(size=X.shape) > 0.5)).astype(dtype)
    weight = random.exponential(size=len(y)) * (random.uniform(size=len(y)) > 0.2)
    weight[:CHUNK] = 0.0
    given, labels, weights = _on_dask(X, y, weight)
    if is_sparse:
        X, given = csr_array(X), given.map_blocks(csr_matrix)
    with _workers(n_workers):
        for kind, is_weighted, class_weight in [
            ("newton", True, "balanced"),
            ("lbfgs", False, {0: 2.0, 1: 0.0}),
            ("lbfgs", True, None),
            ("l1", True, {2: 0.5}),
            ("l1", False, "balanced"),
        ]:
            parameters = {**_parameters(kind), "class_weight": class_weight}
            found = DaskSoftmaxClassifier(**parameters)
            found.fit(given, labels, weights if is_weighted else None)
            expected = _local(X, y, weight if is_weighted else None, **parameters)
            _assert_same_bits(found, expected)


@pytest.mark.full
@pytest.mark.parametrize("persist", [True, False])
def test_large_sums_are_added_by_tasks(client, data, monkeypatch, persist):
    expected = _local(*data, **_parameters("lbfgs"))
    add, calls = DaskRows._add_by_tasks, []

    def add_by_tasks(self, *arguments):
        calls.append(1)
        return add(self, *arguments)

    monkeypatch.setattr(DaskRows, "_add_by_tasks", add_by_tasks)
    for n_bytes in (0, 1_000):
        calls.clear()
        monkeypatch.setattr("softreg_fast.dask.rows._BYTES_OF_SUMS", n_bytes)
        monkeypatch.setattr("softreg_fast.dask.placing._BYTES_OF_A_GROUP", 2_000)
        found = DaskSoftmaxClassifier(persist=persist, **_parameters("lbfgs"))
        _assert_same_bits(found.fit(*_on_dask(*data)), expected)
        assert len(calls) > found.n_iter_


@pytest.mark.full
def test_processes_give_the_same_bits(data):
    with _workers(2, processes=True):
        for kind in EXACT:
            found = DaskSoftmaxClassifier(**_parameters(kind)).fit(*_on_dask(*data))
            _assert_same_bits(found, _local(*data, **_parameters(kind)))


@pytest.mark.full
def test_products_of_tasks_in_one_process(make_data):
    """BLAS would give other bits with more threads, which a task that ends would let it have."""
    X, y = make_data(6_000, 400, 300)
    X = X.astype(np.float32)
    parameters = {"solver": "lbfgs", "max_iter": 3, "tol": 1.0}
    expected = _local(X, y, **parameters)
    with _workers(1, threads_per_worker=4):
        for _ in range(2):
            found = DaskSoftmaxClassifier(**parameters).fit(*_on_dask(X, y))
            _assert_same_bits(found, expected)


@dataclass
class _Numbered:
    number: int
    value: float


class _Done(list):
    """What stands for a future of a list."""

    def release(self):
        pass


def _value(block, n_threads):
    assert n_threads == 1
    return (block.value,)


@pytest.mark.parametrize("n_blocks", [1, 2, 7, 8, 9, 64, 65, 77, 513])
@pytest.mark.parametrize("n_groups", [1, 3, None])
@pytest.mark.parametrize("n_bytes", [100, 1_000_000, None])
def test_tasks_add_in_the_order_of_the_tree(monkeypatch, n_blocks, n_groups, n_bytes):
    """Sums of floats tell in which order they were added."""
    random = np.random.default_rng(0)

    class Here(Cluster):
        def __init__(self):
            pass

        def start(self, graph, keys, **named):
            found = dask.get(graph, list(keys))
            return [_Done(each) if isinstance(each, list) else each for each in found]

        def sizes_of(self, futures):
            return [-1 if n_bytes is None else n_bytes // len(futures)] * len(futures)

        def results(self, futures):
            return futures

    monkeypatch.setattr("softreg_fast.dask.rows._BYTES_OF_SUMS", 20_000)
    values = random.lognormal(sigma=9.0, size=n_blocks).tolist()
    nothing = np.zeros(2)
    summary = RowsSummary(
        1, np.dtype(float), False, np.arange(n_blocks + 1), n_blocks, nothing, nothing, False
    )
    places = np.arange(n_blocks) if n_groups is None else random.integers(n_groups, size=n_blocks)
    groups = []
    for place in np.unique(places):
        numbers = np.flatnonzero(places == place).tolist()
        groups.append((numbers, [_Numbered(number, values[number]) for number in numbers]))
    rows = DaskRows(Here(), groups, {}, summary)
    tree = TreeSum()
    for each in values:
        tree.add((each,))
    assert [rows.reduce(_value) for _ in range(2)] == [tree.total] * 2
    assert rows.map(_value, [n_blocks - 1]) == [(values[-1],)]
    assert rows.map(_value) == [(value,) for value in values]


def test_partitions_of_a_worker_are_kept_together():
    holders = [("a",), ("b",), ("a",), ("a", "b"), ("gone",), (), ("b",), ("a",)]
    n_threads = {"a": 1, "b": 2, "idle": 1}
    light, heavy = np.full(8, 0.1), np.full(8, 0.5)
    together = [[0, 2, 7], [1], [3, 6], [4], [5]]
    assert group(holders, n_threads, light) == together
    cut = [[0], [1], [2, 7], [3, 6], [4], [5]]
    assert group(holders, n_threads, heavy) == cut
    assert group([], n_threads, light[:0]) == []


def test_data_frames(client, data):
    X, y = data
    names = list("abcde")
    frame = pd.DataFrame(X, columns=names)
    frame["c"] = np.arange(len(frame)) % 7
    frame["d"] = pd.array(np.arange(len(frame)) % 2 == 0, dtype="boolean")
    labels = pd.Series(np.array(["no", "yes", "perhaps"])[y])
    given = dd.from_pandas(frame, chunksize=CHUNK, sort=False)
    of_rows = dd.from_pandas(labels, chunksize=CHUNK, sort=False)
    expected = SoftmaxClassifier().fit(
        open_blocks(frame.to_numpy(np.float64), labels.to_numpy(str), block_rows=CHUNK)
    )
    for target in (of_rows, of_rows.to_frame(), of_rows.astype("category")):
        found = DaskSoftmaxClassifier().fit(given, target)
        _assert_same_bits(found, expected)
        assert found.feature_names_in_.tolist() == names
    assert found.get_coefficient_names().tolist() == names
    local = found.to_local()
    probabilities = found.predict_proba(given)
    assert isinstance(probabilities, da.Array)
    np.testing.assert_array_equal(probabilities.compute(), local.predict_proba(frame))
    np.testing.assert_array_equal(found.predict(given).compute(), local.predict(frame))
    assert found.score(given, of_rows) == local.score(frame, labels)
    with pytest.raises(ValueError, match="feature names"):
        found.predict(given.rename(columns={"a": "z"}))


@pytest.mark.full
def test_data_frames_of_files_that_dask_reads_together(client, make_data, tmp_path):
    """Of a column alone it reads several files as one partition."""
    X, y = make_data(3_000, 12, 3)
    frame = pd.DataFrame(X, columns=list("abcdefghijkl")).assign(y=y, w=1.0 + y)
    for number in range(6):
        frame[number * 500 : number * 500 + 500].to_parquet(tmp_path / f"{number}.parquet")
    given = dd.read_parquet(tmp_path)
    features, labels, weights = given[list("abcdefghijkl")], given["y"], given["w"]
    assert features.optimize().npartitions != labels.optimize().npartitions
    found = DaskSoftmaxClassifier().fit(features, labels, weights)
    with open_blocks(X, y, weight=1.0 + y, block_rows=500) as rows:
        _assert_same_bits(found, SoftmaxClassifier().fit(rows))
    assert found.score(features, labels) == found.to_local().score(frame[features.columns], y)
    rows = given[given["a"] > 0.0]
    DaskSoftmaxClassifier().fit(rows[["b", "c"]], rows["y"])


@pytest.mark.full
@pytest.mark.parametrize("persist", [True, False])
def test_partitions_of_many_lengths(client, make_data, persist):
    X, y = make_data(2_000, 5, 3)
    lengths = (*range(30, 70), 20)
    given = da.from_array(X, chunks=(lengths, -1)), da.from_array(y, chunks=(lengths,))
    found = DaskSoftmaxClassifier(persist=persist, tol=1e-8).fit(*given)
    expected = SoftmaxClassifier(tol=1e-8).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0.0, atol=1e-8)


@pytest.mark.full
def test_single_precision_of_data_frames(client, data):
    frame = pd.DataFrame(data[0].astype(np.float32)).rename(columns=str)
    given = dd.from_pandas(frame, chunksize=CHUNK, sort=False)
    labels = dd.from_pandas(pd.Series(data[1]), chunksize=CHUNK, sort=False)
    found = DaskSoftmaxClassifier().fit(given, labels)
    _assert_same_bits(found, _local(frame.to_numpy(), data[1]))
    assert found.predict_proba(given).compute().dtype == np.float32


@pytest.mark.full
def test_columns_without_names_that_are_strings(client, data):
    given = dd.from_pandas(pd.DataFrame(data[0]), chunksize=CHUNK, sort=False)
    labels = dd.from_pandas(pd.Series(data[1]), chunksize=CHUNK, sort=False)
    found = DaskSoftmaxClassifier().fit(given, labels)
    assert not hasattr(found, "feature_names_in_")
    with pytest.raises(TypeError, match="no strings"):
        DaskSoftmaxClassifier().fit(given.rename(columns={0: "a"}), labels)


@pytest.mark.full
def test_lists_of_delayed(client, data):
    X, y = _on_dask(*data)
    features, labels = list(X.to_delayed().ravel()), list(y.to_delayed())
    weights = [dask.delayed(np.ones)(len(y.blocks[place])) for place in range(y.numblocks[0])]
    expected = _local(*data, np.ones(len(data[1])))
    found = DaskSoftmaxClassifier().fit(features, labels, weights)
    _assert_same_bits(found, expected)
    futures = client.compute(features), client.compute(labels)
    _assert_same_bits(DaskSoftmaxClassifier().fit(*futures, weights), expected)
    predictions = found.predict(features)
    assert isinstance(predictions, list)
    np.testing.assert_array_equal(
        np.concatenate(dask.compute(*predictions)), expected.predict(data[0])
    )
    assert found.score(features, labels, weights) == expected.score(*data)
    frames = [dask.delayed(pd.DataFrame)(each, columns=list("abcde")) for each in features]
    found = DaskSoftmaxClassifier().fit(frames, labels, weights)
    _assert_same_bits(found, expected)
    assert found.feature_names_in_.tolist() == list("abcde")


@pytest.mark.full
def test_other_chunks(client, data):
    X, y = _on_dask(*data)
    expected = _local(*data)
    X = X.rechunk((CHUNK, 2))
    y = y.rechunk(333)
    _assert_same_bits(DaskSoftmaxClassifier().fit(X, y), expected)
    found = DaskSoftmaxClassifier().fit(X, y[:, None])
    _assert_same_bits(found, expected)
    np.testing.assert_array_equal(found.predict(X).compute(), expected.predict(data[0]))
    assert found.score(X, y) == expected.score(*data)


@pytest.mark.full
def test_chunks_of_unknown_lengths_and_empty_ones(client, data):
    X, y = data
    order = np.argsort(X[:, 0] > 0.0, kind="stable")
    X, y = X[order], y[order]
    given, labels = _on_dask(X, y)
    keeps = given[:, 0] > 0.0
    given, labels = given[keeps], labels[keeps]
    lengths = given.map_blocks(lambda block: np.array([[len(block)]])).compute().ravel()
    assert (lengths == 0).any()
    found = DaskSoftmaxClassifier().fit(given, labels)
    keeps = X[:, 0] > 0.0
    expected = SoftmaxClassifier().fit(X[keeps], y[keeps])
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-3)
    np.testing.assert_array_equal(
        found.predict(given).compute(), found.to_local().predict(X[keeps])
    )
    assert found.score(given, labels) == pytest.approx(found.to_local().score(X[keeps], y[keeps]))
    with pytest.raises(ValueError, match=r"X.compute_chunk_sizes\(\)"):
        DaskSoftmaxClassifier().fit(given, da.from_array(y))
    with pytest.raises(ValueError, match="X has no rows"):
        DaskSoftmaxClassifier().fit(given[given[:, 0] > 99.0], labels[given[:, 0] > 99.0])


# Of partitions that workers, which are threads, have calculated.
SEEN = []


def _count(block):
    SEEN.append(len(block))
    return block


def _shrink(block):
    SEEN.append(len(block))
    return block[: len(block) - (len(SEEN) > -(-N_ROWS // CHUNK))]


def _relabel(block):
    SEEN.append(len(block))
    return block + (len(SEEN) > -(-N_ROWS // CHUNK))


@pytest.mark.full
def test_passes_that_calculate_partitions_anew(client, data):
    expected = _local(*data)
    X, y = _on_dask(*data)
    X = X.map_blocks(_count, meta=np.zeros((0, 0)))
    SEEN.clear()
    _assert_same_bits(DaskSoftmaxClassifier().fit(X, y), expected)
    assert len(SEEN) == X.numblocks[0]
    SEEN.clear()
    _assert_same_bits(DaskSoftmaxClassifier(persist=False).fit(X, y), expected)
    assert len(SEEN) > 3 * X.numblocks[0]


@pytest.mark.full
def test_partitions_that_change(client, data):
    X, y = _on_dask(*data)
    SEEN.clear()
    changing = X.map_blocks(_shrink, meta=np.zeros((0, 0)))
    with pytest.raises(ValueError, match=r"partition \d has (shape|a target of shape)"):
        DaskSoftmaxClassifier(persist=False).fit(changing, y)
    SEEN.clear()
    changing = y.map_blocks(_relabel, dtype=y.dtype)
    with pytest.raises(ValueError, match="other labels in this pass"):
        DaskSoftmaxClassifier(persist=False).fit(X, changing)


@pytest.mark.full
def test_workers_drop_the_rows_after_a_fit(client, data):
    X, y = _on_dask(*data)
    DaskSoftmaxClassifier().fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        DaskSoftmaxClassifier().fit(da.where(X > 2.0, np.nan, X), y)
    for _ in range(200):
        if not any(client.has_what().values()):
            break
        threading.Event().wait(0.05)
    assert not any(client.has_what().values())


def test_predictions_of_arrays(client, data):
    X, y = data
    given, labels = _on_dask(X, y)
    model = DaskSoftmaxClassifier().fit(given, labels)
    local = model.to_local()
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy = getattr(model, method)(given)
        expected = getattr(local, method)(X)
        assert isinstance(lazy, da.Array)
        assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
        assert lazy.chunks[0] == given.chunks[0]
        np.testing.assert_array_equal(lazy.compute(), expected)
        np.testing.assert_array_equal(getattr(model, method)(X), expected)
    weights = da.from_array(np.arange(1.0, len(y) + 1.0), chunks=CHUNK)
    assert model.score(given, labels, weights) == pytest.approx(
        local.score(X, y, weights.compute()), rel=1e-12
    )
    assert model.score(X, y) == local.score(X, y)
    with pytest.raises(ValueError, match="expecting 5 features"):
        model.predict(given[:, :2])
    with pytest.raises(ValueError, match="2 labels beside"):
        model.score([dask.delayed(X)], [dask.delayed(y[:2])])


@pytest.mark.full
def test_predictions_of_two_classes(client, data):
    X, y = data
    given, labels = _on_dask(X, y > 0)
    model = DaskSoftmaxClassifier().fit(given, labels)
    assert model.classes_.dtype == bool
    values = model.decision_function(given)
    assert values.ndim == 1
    np.testing.assert_array_equal(values.compute(), model.to_local().decision_function(X))
    sparse = given.map_blocks(csr_matrix)
    np.testing.assert_array_equal(
        model.predict(sparse).compute(), model.to_local().predict(csr_array(X))
    )


@pytest.mark.full
def test_the_client_that_was_set(data):
    given, labels = _on_dask(*data)
    model = DaskSoftmaxClassifier()
    with (
        LocalCluster(n_workers=1, processes=False, **HIDDEN) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        model.client = client
        model.fit(given, labels)
        assert model.score(given, labels) == model.to_local().score(*data)
    assert model.score(*data) == model.to_local().score(*data)
    with pytest.raises(ClusterError, match="client is closed"):
        model.score(given, labels)
    with pytest.raises(ClusterError, match="client is closed"):
        model.fit(given, labels)


def test_parameters_are_those_of_the_local_classifier():
    own = inspect.signature(DaskSoftmaxClassifier).parameters
    local = inspect.signature(SoftmaxClassifier).parameters
    assert [*own] == [*local, "persist"]
    assert [*inspect.signature(DaskSoftmaxClassifier.fit).parameters] == [
        *inspect.signature(SoftmaxClassifier.fit).parameters
    ]
    for name, parameter in local.items():
        assert own[name].default == parameter.default
    changed = {name: object() for name in own}
    found = DaskSoftmaxClassifier(**changed).get_params(deep=False)
    assert found == changed


def test_clones_and_copies_have_no_client(client, data):
    model = DaskSoftmaxClassifier(C=0.5, max_iter=50)
    model.client = client
    assert model.client is client
    assert "client" not in model.get_params()
    assert clone(model).client is None
    model.fit(*_on_dask(*data))
    copied = pickle.loads(pickle.dumps(model))
    assert copied.client is None
    np.testing.assert_array_equal(copied.coef_, model.coef_)
    assert model.client is client
    model.client = None
    assert model.client is None
    with pytest.raises(TypeError, match=r"a str: it must be a distributed\.Client or None"):
        model.client = "tcp://127.0.0.1:8786"


@pytest.mark.full
def test_local_model(client, data):
    X, y = _on_dask(*data)
    with pytest.raises(NotFittedError):
        DaskSoftmaxClassifier().to_local()
    model = DaskSoftmaxClassifier(C=0.5, n_threads=2).fit(X, y)
    local = model.to_local()
    assert type(local) is SoftmaxClassifier
    assert local.get_params() == {
        name: value for name, value in model.get_params().items() if name != "persist"
    }
    _assert_same_bits(local, model)
    local.set_params(warm_start=True).fit(*data)
    assert local.n_iter_ <= 1
    assert model.to_sklearn().coef_.shape == model.coef_.shape


REFUSED = [
    ({"solver": "sgd"}, "solver='sgd' is not allowed with DaskSoftmaxClassifier: use solver="),
    ({"early_stopping": True}, "early_stopping=True is not allowed"),
    ({"categorical_features": [0]}, r"categorical_features=\[0\] is not allowed"),
    ({"penalty_groups": "features", "l1_ratio": 1.0}, "penalty_groups='features' is not allowed"),
    ({"persist": "yes"}, "persist='yes' is not allowed"),
    ({"C": -1.0}, "C=-1.0"),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED, ids=[each[1] for each in REFUSED])
def test_parameters_that_are_not_allowed(data, parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DaskSoftmaxClassifier(**parameters).fit(*_on_dask(*data))


def _frame(X):
    return dd.from_pandas(pd.DataFrame(X, columns=list("abcde")), npartitions=2, sort=False)


WRONG = {
    "X is a ndarray: .* dask.array.from_array": lambda X, y: (X, da.from_array(y)),
    "y is a ndarray": lambda X, y: (da.from_array(X), y),
    "y is None": lambda X, y: (da.from_array(X), None),
    "sample_weight is a list": lambda X, y: (*_on_dask(X, y), [1.0, 2.0]),
    "X is a Series.*to_frame": lambda X, y: (_frame(X)["a"], da.from_array(y)),
    "X is a Delayed.*into a list": lambda X, y: (dask.delayed(X), [dask.delayed(y)]),
    "X has 1 dimensions": lambda X, y: (da.from_array(y), da.from_array(y)),
    "y has shape": lambda X, y: (da.from_array(X), da.from_array(X)),
    "y has 10 rows, but X has": lambda X, y: (da.from_array(X), da.from_array(y[:10])),
    "sample_weight has 3 rows": lambda X, y: (*_on_dask(X, y), da.ones(3)),
    "y has 1 partitions and X has 2.*repartition": lambda X, y: (_frame(X), da.from_array(y)),
    r"'kind' \(category\).*'name' \(.*\).*OneHotEncoder": lambda X, y: (
        _frame(X).assign(kind="a", name="b").astype({"kind": "category"}),
        _frame(X)["a"],
    ),
    r"'when' \(datetime": lambda X, y: (
        _frame(X).assign(when=pd.Timestamp("2024-01-01")),
        _frame(X)["a"],
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_collections_that_are_not_allowed(data, message):
    """They are refused without a cluster."""
    with pytest.raises((TypeError, ValueError), match=message):
        DaskSoftmaxClassifier().fit(*WRONG[message](*data))


def _with(X, place, value):
    X = X.copy()
    X[place] = value
    return X


BAD = {
    "feature 2 is NaN in row 1 of partition 1": lambda X, y: (
        _with(X, (CHUNK + 1, 2), np.nan), y),
    "the weight is -1.0 in row 3 of partition 2": lambda X, y: (
        X, y, _with(np.ones(len(y)), 2 * CHUNK + 3, -1.0)),
    "the sum of sample_weight is 0.0": lambda X, y: (X, y, np.zeros(len(y))),
    r"the label is missing \(NaN\), in row 0 of partition 1": lambda X, y: (
        X, _with(y.astype(float), CHUNK, np.nan)),
    "1 class": lambda X, y: (X, np.zeros(len(y), int)),
    r"partition \d is not allowed: Unknown label type": lambda X, y: (X, X[:, 0]),
    "features of dtype complex128": lambda X, y: (X.astype(complex), y),
}  # fmt: skip


@pytest.mark.parametrize("message", BAD)
def test_values_that_are_not_allowed(client, data, message):
    model = DaskSoftmaxClassifier()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(*_on_dask(*BAD[message](*data)))
    assert vars(model) == vars(DaskSoftmaxClassifier())


UNLIKE = {
    "partition 1 has 4 features, but partition 0 has 5": lambda X, y: ([X, X[:, :4]], [y, y]),
    "partition 1 has features of dtype float32, but partition 0 has float64": lambda X, y: (
        [X, X.astype(np.float32)], [y, y]),
    "partition 1 has rows that are sparse": lambda X, y: ([X, csr_array(X)], [y, y]),
    "partition 1 is not allowed: the target holds strings here": lambda X, y: (
        [X, X], [y, y.astype(str)]),
    "partition 1 has a target of shape": lambda X, y: ([X, X], [y, y[:-1]]),
    "partition 1 has a weight of shape": lambda X, y: ([X, X], [y, y], [y, y[:-1]]),
    f"partition 0 has {N_ROWS} labels beside no rows": lambda X, y: ([X[:0], X], [y, y]),
    "partition 1 has 2 columns of labels": lambda X, y: (
        [X, X], [y, pd.DataFrame({"a": y, "b": y})]),
    "partition 1 has the columns": lambda X, y: (
        [pd.DataFrame(X, columns=list("abcde")), pd.DataFrame(X, columns=list("abcdf"))], [y, y]),
    r"'a' \(object\).*found in partition 1|'a' \(str\).*found in partition 1": lambda X, y: (
        [pd.DataFrame({"a": X[:, 0]}), pd.DataFrame({"a": y.astype(str)})], [y, y]),
    "the feature 'b' is NaN in row 7 of partition 0": lambda X, y: (
        [pd.DataFrame({"a": y, "b": _with(X[:, 0], 7, np.nan)})], [y]),
}  # fmt: skip


@pytest.mark.parametrize("message", UNLIKE)
def test_partitions_that_differ(client, data, message):
    given = [[dask.delayed(each) for each in part] for part in UNLIKE[message](*data)]
    with pytest.raises((TypeError, ValueError), match=message):
        DaskSoftmaxClassifier().fit(*given)


class OwnError(Exception):
    """None that Dask knows."""


def test_errors_of_what_users_calculate(client, data):
    def fail(block):
        raise OwnError("the file is gone")

    X, y = _on_dask(*data)
    with pytest.raises(OwnError, match="the file is gone"):
        DaskSoftmaxClassifier().fit(X.map_blocks(fail, meta=np.zeros((0, 0))), y)


@pytest.mark.parametrize("name", ["X_val", "y_val", "sample_weight_val"])
def test_arguments_that_are_not_allowed(data, name):
    with pytest.raises(ValueError, match=f"{name} is not allowed"):
        DaskSoftmaxClassifier().fit(*_on_dask(*data), **{name: data[1]})


def test_a_fit_goes_on_from_a_checkpoint(client, data, few_rows_are_many, monkeypatch, tmp_path):
    path = tmp_path / "fit.checkpoint"
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN_WRITES", 0.0)
    model = DaskSoftmaxClassifier(solver="lbfgs")
    real, left = checkpoint.Checkpoint.write, [5]

    def write(self):
        real(self)
        left[0] -= 1
        if left[0] == 0:
            raise OwnError("stopped")

    monkeypatch.setattr(checkpoint.Checkpoint, "write", write)
    with pytest.raises(OwnError, match="stopped"):
        model.fit(*_on_dask(*data), checkpoint=path)
    assert path.exists()
    with pytest.raises(ValueError, match="another problem: its samples"):
        model.fit(*_on_dask(data[0] + 1.0, data[1]), checkpoint=path)
    model.fit(*_on_dask(*data), checkpoint=path)
    _assert_same_bits(model, _local(*data, solver="lbfgs"))
    assert not path.exists()


@pytest.mark.full
def test_what_is_for_rows_in_memory(client, data):
    X, y = _on_dask(*data)
    model = DaskSoftmaxClassifier()
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as raised:
        model.partial_fit(X, y)
    assert "SoftmaxClassifier(solver='sgd') to dask_ml" in str(raised.value.__cause__)
    model.fit(X, y)
    with pytest.raises(TypeError, match="X is a Array: summary takes rows in memory"):
        model.summary(X, y)
    expected = model.to_local().set_params(tol=1e-8).fit(*data)
    assert model.set_params(tol=1e-8).fit(X, y).summary(*data).coef.shape == (
        expected.summary(*data).coef.shape
    )
    with pytest.raises(TypeError, match="X is a Array: marginal_effects takes rows in memory"):
        model.marginal_effects(X, data[1])
    with pytest.raises(TypeError, match="X is a Array: predict_proba of a summary takes rows in"):
        model.summary(*data).predict_proba(X)
    np.testing.assert_allclose(
        model.marginal_effects(*data).effects, expected.marginal_effects(*data).effects, rtol=1e-6
    )


def test_dask_is_asked_for_by_name(monkeypatch):
    for name in [each for each in sys.modules if each.startswith("softreg_fast.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "softreg-fast\[dask\]"'):
        import softreg_fast.dask  # noqa: F401


def test_no_client(data, monkeypatch):
    def get_client():
        raise ValueError("No global client found")

    monkeypatch.setattr(cluster_module, "get_client", get_client)
    with pytest.raises(RuntimeError, match=r"make one, client = distributed\.Client\(\)"):
        DaskSoftmaxClassifier().fit(*_on_dask(*data))


@pytest.mark.full
def test_asynchronous_clients_are_not_allowed(data):
    import asyncio

    async def use():
        async with (
            LocalCluster(n_workers=1, processes=False, asynchronous=True, **HIDDEN) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            with pytest.raises(TypeError, match="asynchronous clients are not allowed"):
                DaskSoftmaxClassifier().client = client
            with pytest.raises(TypeError, match="asynchronous clients are not allowed"):
                DaskSoftmaxClassifier().fit(*_on_dask(*data))

    asyncio.run(use())


def test_other_versions_and_cpus(client, data, monkeypatch):
    own = workers_module.describe()
    other = workers_module.Description("0.0.1", own.numba, own.cpu)
    check = workers_module.check_descriptions
    check({"tcp://a": own, "tcp://b": own, "tcp://c": OSError("it has left")})
    with pytest.raises(RuntimeError, match=r"tcp://b: version 0\.0\.1; install"):
        check({"tcp://a": own, "tcp://b": other})
    missing = ModuleNotFoundError("No module named 'softreg_fast'")
    with pytest.raises(RuntimeError, match=r"tcp://a: no softreg_fast\.dask \(No module"):
        check({"tcp://a": missing})
    with pytest.raises(ZeroDivisionError):
        check({"tcp://a": ZeroDivisionError()})
    for changed, message in [
        (workers_module.Description(own.version, own.numba, ("arm",)), "2 different CPUs"),
        (workers_module.Description(own.version, "0.1", own.cpu), "2 different versions of Numba"),
    ]:
        with pytest.warns(UserWarning, match=message):
            check({"tcp://a": own, "tcp://b": changed})
    monkeypatch.setattr(workers_module, "describe", lambda: other)
    with pytest.raises(RuntimeError, match=r"version 0\.0\.1"):
        DaskSoftmaxClassifier().fit(*_on_dask(*data))


@pytest.mark.full
@pytest.mark.parametrize("is_separable", [False, True])
def test_without_a_penalty(client, data, is_separable):
    X, y = data
    y = (X[:, 0] > 0.0).astype(int) if is_separable else y
    fitted = []
    for fit in (
        lambda: DaskSoftmaxClassifier(C=np.inf).fit(*_on_dask(X, y)),
        lambda: _local(X, y, C=np.inf),
    ):
        expecting = contextlib.nullcontext()
        if is_separable:
            expecting = pytest.warns(ConvergenceWarning, match="separate the classes completely")
        with expecting:
            fitted.append(fit())
    _assert_same_bits(*fitted)


@pytest.mark.full
def test_warm_start_and_initial_coefficients(client, data):
    X, y = _on_dask(*data)
    model = DaskSoftmaxClassifier(solver="lbfgs", warm_start=True).fit(X, y)
    n_iterations = model.n_iter_
    assert model.fit(X, y).n_iter_ < n_iterations
    cold = DaskSoftmaxClassifier(solver="lbfgs")
    cold.fit(X, y, coef_init=model.coef_, intercept_init=model.intercept_)
    assert cold.n_iter_ < n_iterations


@pytest.mark.full
def test_too_few_iterations(client, data):
    with pytest.warns(ConvergenceWarning, match="increase max_iter"):
        DaskSoftmaxClassifier(solver="lbfgs", max_iter=1).fit(*_on_dask(*data))


@pytest.mark.full
def test_verbose_prints_the_same_lines(client, data, capsys):
    def lines():
        return [line.split()[:4] for line in capsys.readouterr().out.splitlines()]

    DaskSoftmaxClassifier(solver="lbfgs", verbose=2).fit(*_on_dask(*data))
    found = lines()
    _local(*data, solver="lbfgs", verbose=2)
    assert found == lines()
    assert len(found) > 3


@pytest.mark.full
def test_progress_is_shown(client, data, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("softreg_fast.estimators.progress._SECONDS_BEFORE", 0.0)
    model = DaskSoftmaxClassifier(solver="lbfgs", verbose=1).fit(*_on_dask(*data))
    last = terminal.getvalue().split("\r")[-1]
    assert last.startswith(f"DaskSoftmaxClassifier: {model.n_iter_} iterations, ")
    assert last.endswith("\n")


@pytest.mark.full
@pytest.mark.runs_if(hasattr(SoftmaxClassifier, "set_callbacks"))
def test_callbacks(client, data):
    seen, scores = [], []

    class Witness:
        def setup(self, estimator, context):
            seen.append("setup")

        def teardown(self, estimator, context):
            seen.append("teardown")

        def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
            seen.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            seen.append(f"end {context.task_name}")
            scores.append(fitted_estimator.score(X, y))
            return len(scores) == 3

    model = DaskSoftmaxClassifier(solver="lbfgs").set_callbacks(Witness())
    X, y = _on_dask(*data)
    model.fit(X, y)
    iterations = ["begin iteration", "end iteration"] * 3
    assert seen == ["setup", "begin fit", *iterations, "end fit", "teardown"]
    assert scores[-1] == model.score(X, y)
    assert model.n_iter_ == 3


@pytest.fixture
def at_iteration(monkeypatch):
    """Have something happen after some iteration of the next fit."""

    def happen(wanted, what):
        end = LastModel.end_iteration

        def end_iteration(self, iteration):
            stops = end(self, iteration)
            if self.n_iterations == wanted:
                what()
            return stops

        monkeypatch.setattr(LastModel, "end_iteration", end_iteration)

    return happen


@pytest.mark.full
@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("kind", ["lbfgs", "newton"])
def test_a_worker_that_dies(data, few_rows_are_many, at_iteration, kind, persist):
    with _workers(3, processes=True) as client:
        pids = list(client.run(os.getpid).values())
        at_iteration(2, lambda: os.kill(pids[0], signal.SIGKILL))
        model = DaskSoftmaxClassifier(**_parameters(kind), persist=persist)
        _assert_same_bits(model.fit(*_on_dask(*data)), _local(*data, **_parameters(kind)))


@pytest.mark.full
def test_all_workers_die_and_others_come(data, at_iteration):
    with _workers(2, processes=True) as client:
        pids = list(client.run(os.getpid).values())
        at_iteration(2, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids])
        model = DaskSoftmaxClassifier(solver="lbfgs").fit(*_on_dask(*data))
        _assert_same_bits(model, _local(*data, solver="lbfgs"))


def _assert_lost_at(iteration, data, message, n_more=0):
    """A fit ends with an error that has the parameters of an iteration, or of a few more."""
    model = DaskSoftmaxClassifier(solver="lbfgs")
    with pytest.raises(ClusterError, match=message) as raised:
        model.fit(*_on_dask(*data))
    error = raised.value
    assert iteration <= error.n_iter_ <= iteration + n_more
    with pytest.warns(ConvergenceWarning):
        expected = _local(*data, solver="lbfgs", max_iter=error.n_iter_)
    np.testing.assert_array_equal(error.coef_, expected.coef_)
    np.testing.assert_array_equal(error.intercept_, expected.intercept_)
    assert not hasattr(model, "coef_")


@pytest.mark.full
@pytest.mark.parametrize("processes", [False, True])
def test_all_workers_are_lost(data, at_iteration, monkeypatch, processes):
    monkeypatch.setattr(cluster_module, "SECONDS_WITHOUT_WORKERS", 1.0)
    monkeypatch.setattr(cluster_module, "_SECONDS_BETWEEN_LOOKS", 0.1)
    with _workers(2, processes=processes) as client:
        at_iteration(3, lambda: client.cluster.scale(0))
        _assert_lost_at(3, data, "no workers for 1 seconds")


def test_the_client_is_closed(data, at_iteration):
    with _workers(1) as client:
        at_iteration(3, client.close)
        _assert_lost_at(3, data, "client is closed")


@pytest.mark.full
def test_the_client_is_closed_meanwhile(data, at_iteration):
    with _workers(1) as client:
        at_iteration(3, lambda: threading.Timer(0.01, client.close).start())
        _assert_lost_at(3, data, "client is clos|were cancelled", n_more=3)


@pytest.mark.full
def test_the_cluster_is_closed(data, at_iteration):
    with _workers(1) as client:
        at_iteration(3, client.cluster.close)
        _assert_lost_at(3, data, "client is clos|were cancelled|no workers")


@pytest.mark.full
def test_the_cluster_is_restarted(data, at_iteration):
    with _workers(1, processes=True) as client:
        at_iteration(3, lambda: client.restart(wait_for_workers=False))
        _assert_lost_at(3, data, "were cancelled")


@pytest.mark.full
def test_futures_are_cancelled(data, at_iteration):
    with _workers(1) as client:

        def cancel():
            client.cancel([Future(key, client) for key in list(client.futures)], force=True)

        at_iteration(3, cancel)
        _assert_lost_at(3, data, "were cancelled")


@pytest.mark.full
def test_a_scheduler_that_hangs(data, at_iteration, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_module, "SECONDS_WITHOUT_WORKERS", 10.0)
    file = tmp_path / "scheduler.json"
    options = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    command = [sys.executable, "-m", "distributed.cli"]
    scheduler = subprocess.Popen(
        [*command[:2], "distributed.cli.dask_scheduler", "--scheduler-file", file, "--port", "0",
         "--no-dashboard"], **options,
    )  # fmt: skip
    worker = subprocess.Popen(
        [*command[:2], "distributed.cli.dask_worker", "--scheduler-file", file, "--no-dashboard",
         "--nthreads", "1"], **options,
    )  # fmt: skip
    try:
        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(1)
            at_iteration(3, lambda: scheduler.send_signal(signal.SIGSTOP))
            try:
                _assert_lost_at(3, data, "no workers for 10 seconds")
            finally:
                scheduler.send_signal(signal.SIGCONT)
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait()


@pytest.mark.full
def test_a_task_that_kills_its_workers(data):
    def die(block):
        os._exit(1)

    X, y = _on_dask(*data)
    with _workers(1, processes=True), pytest.raises(ClusterError, match="died at the same task"):
        DaskSoftmaxClassifier().fit(X.map_blocks(die, meta=np.zeros((0, 0))), y)


@pytest.mark.full
def test_no_workers_at_all(data, monkeypatch):
    monkeypatch.setattr(cluster_module, "SECONDS_WITHOUT_WORKERS", 1.0)
    with _workers(0), pytest.raises(ClusterError, match=r"client\.wait_for_workers") as raised:
        DaskSoftmaxClassifier().fit(*_on_dask(*data))
    assert raised.value.coef_ is None
    assert raised.value.n_iter_ == 0


@pytest.mark.full
def test_workers_that_come_late(data):
    with _workers(0) as client:
        threading.Timer(2.0, client.cluster.scale, [1]).start()
        _assert_same_bits(DaskSoftmaxClassifier().fit(*_on_dask(*data)), _local(*data))


@pytest.mark.full
def test_two_fits_at_a_time(client, data):
    X, y = _on_dask(*data)
    fitted = {}

    def fit(kind):
        fitted[kind] = DaskSoftmaxClassifier(**_parameters(kind)).fit(X, y)

    threads = [threading.Thread(target=fit, args=[kind]) for kind in EXACT]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for kind in EXACT:
        _assert_same_bits(fitted[kind], _local(*data, **_parameters(kind)))


@pytest.mark.full
def test_a_fit_in_a_task(data):
    """The only thread of the only worker runs it, and the tasks that it waits for."""
    X, y = data

    def fit():
        return DaskSoftmaxClassifier().fit(*_on_dask(X, y)).to_local()

    with _workers(1) as client:
        _assert_same_bits(client.submit(fit).result(), _local(*data))


@pytest.mark.full
def test_models_too_large_for_a_quiet_graph(client, monkeypatch):
    given = da.random.default_rng(0).normal(size=(400, 50), chunks=(100, -1))
    with dask.config.set({cluster_module._WARNING: "20 kB"}):
        monkeypatch.setattr("softreg_fast.dask.rows._LARGE", 20_000)
        labels = da.arange(400, chunks=100) % 100
        DaskSoftmaxClassifier(solver="lbfgs", tol=1e-2).fit(given, labels)
        assert dask.config.get(cluster_module._WARNING) == "20 kB"


@pytest.mark.full
def test_wrappers_of_dask_ml(client, data):
    from dask_ml.wrappers import Incremental, ParallelPostFit

    X, y = data
    given, labels = _on_dask(X, y)
    local = SoftmaxClassifier().fit(X, y)
    for wrapped in (
        ParallelPostFit(SoftmaxClassifier()).fit(X, y),
        ParallelPostFit(DaskSoftmaxClassifier(tol=1e-6)).fit(given, labels),
    ):
        found = wrapped.predict_proba(given)
        assert isinstance(found, da.Array)
        np.testing.assert_allclose(found.compute(), local.predict_proba(X), atol=1e-3)
        assert wrapped.score(given, labels) == pytest.approx(local.score(X, y), abs=0.01)
    incremental = Incremental(SoftmaxClassifier(solver="sgd"), random_state=0)
    incremental.fit(given, labels, classes=[0, 1, 2])
    incremental.partial_fit(given, labels)
    assert incremental.score(given, labels) == pytest.approx(local.score(X, y), abs=0.03)
