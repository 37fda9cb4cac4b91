"""Fits of rows on a Dask cluster, and what more workers would bring.

Clusters are of single-threaded processes on this machine; rows are synthetic. Passes are loss and
gradient of a model over all rows, which fits consist of. The time of a pass is also calculated: by
a model with four numbers, three of which are measured here without a cluster of several workers and
one that is assumed. It is compared with passes on one and two workers, and then says what larger
clusters would take, and what binds them.
"""

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..cases import Case
from ..metrics import gap, objective
from ..options import add_common, contains
from ..record import Record
from ..timing import take_turns, timed

OURS = "softreg_fast.dask"
KINDS = "pass", "fit", "two classes", "model"
N_SAMPLES, N_FEATURES, N_CLASSES = 4_000_000, 54, 7
N_BLOCKS = 32
ROWS_OF_TWO_CLASSES = 1_000_000
FEWER = 40
# Of a network, in bytes and seconds.
BANDWIDTH, LATENCY = 1.25e9, 2e-4
# Of what is calculated.
WORKERS = 1, 2, 10, 100, 1000
LARGE_ROWS = 10**9, 10**10
ROWS_OF_A_LARGE_BLOCK = 1_000_000
SUMS_OF_A_TASK = 8
MANY_BLOCKS, ROWS_OF_A_SMALL_BLOCK = 256, 16
MODEL_BOUND = 0.5


@contextmanager
def cluster_of(n_workers):
    """A client of a cluster of single-threaded processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def _block(number, n_rows, n_features, n_classes):
    """Features and labels of a block; made where it is needed."""
    random = np.random.default_rng([number, n_rows])
    coefficients = np.random.default_rng(0).standard_normal((n_features, n_classes))
    X = random.standard_normal((n_rows, n_features))
    noise = random.gumbel(size=(n_rows, n_classes))
    return X, (X @ coefficients + 4.0 * noise).argmax(axis=1)


def _collections(n_samples, n_features, n_classes, n_blocks):
    """Lists of delayed partitions."""
    from dask import delayed

    n_rows = n_samples // n_blocks
    blocks = [
        delayed(_block, nout=2, pure=False)(number, n_rows, n_features, n_classes)
        for number in range(n_blocks)
    ]
    return [X for X, _ in blocks], [y for _, y in blocks]


@contextmanager
def _rows_on(client, n_samples, n_features, n_classes, n_blocks):
    """A function that makes a pass over rows that a cluster keeps."""
    from softreg_fast.dask.cluster import Cluster
    from softreg_fast.dask.learning import DaskPartitions
    from softreg_fast.dask.partitions import partition

    X, y = _collections(n_samples, n_features, n_classes, n_blocks)
    rows = DaskPartitions(Cluster(client), partition(X, y), is_persistent=True)
    learned, _ = rows.learn()
    yield lambda: _evaluate(learned, n_classes)
    rows.release()


def _evaluate(learned, n_classes):
    from softreg_fast.data.blocked import BlockedProblem
    from softreg_fast.objective.passes import accumulator_of

    double = np.dtype(np.float64)
    problem = BlockedProblem(learned, np.zeros(0, np.int32), n_classes, "identity", double)
    n_features = learned.shape[1]
    n_columns = 1 if n_classes == 2 else n_classes
    weights = 0.1 * np.random.default_rng(1).standard_normal((n_features, n_columns))
    with accumulator_of(problem, n_columns, 1) as accumulator:
        return accumulator.evaluate(weights, np.zeros(n_columns))


def _side(n_workers):
    return f"{n_workers} worker{'s' if n_workers > 1 else ''}"


def measure_passes(record, n_samples, options):
    """Passes on one worker and on two, in turn; the same bits."""
    title = _add_case(record, "pass", n_samples, N_FEATURES, N_CLASSES)
    with (
        cluster_of(1) as one,
        cluster_of(2) as two,
        _rows_on(one, n_samples, N_FEATURES, N_CLASSES, N_BLOCKS) as on_one,
        _rows_on(two, n_samples, N_FEATURES, N_CLASSES, N_BLOCKS) as on_two,
    ):
        turns = take_turns({_side(1): on_one, _side(2): on_two}, options.repeats)
    for side, found in turns.items():
        record.add(title, side, "seconds", found.seconds)
    _check_bits(record, title, *(found.result.weights_gradient for found in turns.values()))


def _check_bits(record, title, first, second):
    different = int(np.count_nonzero(first != second))
    record.check(title, _side(2), "numbers with other bits", different, 0)


def measure_fits(record, n_samples, options):
    """Fits on one worker and on two, in turn."""
    from softreg_fast.dask import DaskSoftmaxClassifier

    title = _add_case(record, "fit", n_samples, N_FEATURES, N_CLASSES)
    X, y = _collections(n_samples, N_FEATURES, N_CLASSES, N_BLOCKS)

    def fit_on(client):
        # The rows are there before, as they are where others have loaded them.
        on_workers = [client.persist(part) for part in (X, y)]
        model = DaskSoftmaxClassifier(solver="lbfgs")
        model.client = client
        return lambda: model.fit(*on_workers).coef_

    with cluster_of(1) as one, cluster_of(2) as two:
        turns = take_turns({_side(1): fit_on(one), _side(2): fit_on(two)}, options.repeats)
    for side, found in turns.items():
        record.add(title, side, "seconds", found.seconds)
    _check_bits(record, title, *(found.result for found in turns.values()))


def measure_two_classes(record, n_samples, options):
    """Two classes, and other packages' logistic regression, to the same objective."""
    title = _add_case(record, "two classes", n_samples, N_FEATURES, 2)
    with cluster_of(2) as client:
        X, y = _collections(n_samples, N_FEATURES, 2, N_BLOCKS)
        whole = [np.concatenate(client.gather(client.compute(each))) for each in (X, y)]
        X, y = client.persist(X), client.persist(y)
        found = {OURS: _fit_ours(client, X, y, options)}
        try:
            found |= _fit_dask_ml(X, y, n_samples, options)
        except ImportError as error:
            record.leave_out("dask-ml", str(error))
    try:
        found |= _fit_spark(*whole, options)
    except (ImportError, RuntimeError) as error:
        record.leave_out("Spark", str(error))
    values = {side: objective(*whole, *model) for side, (_, model) in found.items()}
    lowest = min(values.values())
    for side, (seconds, _) in found.items():
        record.add(title, side, "seconds", seconds)
        record.add(title, side, "gap", gap(values[side], lowest))


def _fit_ours(client, X, y, options):
    from softreg_fast.dask import DaskSoftmaxClassifier

    model = DaskSoftmaxClassifier(tol=1e-6)
    model.client = client
    model.fit(X, y)
    seconds = [timed(lambda: model.fit(X, y))[0] for _ in range(options.repeats)]
    return seconds, (model.coef_, model.intercept_)


def _fit_dask_ml(X, y, n_samples, options):
    """Each of its solvers of smooth objectives."""
    import dask.array as da
    from dask_ml.linear_model import LogisticRegression

    n_rows = n_samples // N_BLOCKS
    features = da.concatenate(
        [da.from_delayed(part, (n_rows, N_FEATURES), float) for part in X]
    ).persist()
    labels = da.concatenate([da.from_delayed(part, (n_rows,), int) for part in y]).persist()
    found = {}
    for solver in ("lbfgs", "newton"):
        model = LogisticRegression(solver=solver, C=1.0, tol=1e-6, max_iter=100)
        fit = partial(model.fit, features, labels)
        seconds = [timed(fit)[0] for _ in range(options.repeats)]
        found[f"dask-ml {solver}"] = seconds, (np.atleast_2d(model.coef_), model.intercept_)
    return found


def _fit_spark(X, y, options):
    """Spark's MLlib on two threads; it begins with rows that it has cached."""
    import pandas as pd
    from pyspark.errors import PySparkRuntimeError
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    try:
        spark = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.memory", "8g")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")
            .getOrCreate()
        )
    except PySparkRuntimeError as error:  # there is no Java
        raise RuntimeError(str(error)) from error
    names = [f"x{place}" for place in range(N_FEATURES)]
    frame = pd.DataFrame(X, columns=names).assign(label=y.astype(float))
    rows = VectorAssembler(inputCols=names, outputCol="features").transform(
        spark.createDataFrame(frame)
    )
    rows = rows.select("features", "label").repartition(N_BLOCKS).cache()
    rows.count()
    estimator = LogisticRegression(
        regParam=1.0 / len(y), elasticNetParam=0.0, standardization=False, tol=1e-9, maxIter=200
    )
    estimator.fit(rows)
    seconds, models = zip(
        *(timed(lambda: estimator.fit(rows)) for _ in range(options.repeats)), strict=True
    )
    found = models[-1]
    coef = np.atleast_2d(found.coefficients.toArray())
    result = list(seconds), (coef, np.array([found.intercept]))
    spark.stop()
    return {"Spark": result}


@dataclass(frozen=True)
class PassModel:
    """What a pass over rows on a cluster takes.

    Each block costs the worker that has it time for its rows, and the scheduler, which is one
    process, time for its task; the first block can't be done before the model is there. Sums go up
    a tree, each level of which is a message and an addition.

    Attributes
    ----------
    seconds_per_row : float
        Of a thread.
    seconds_per_task : float
        Of the scheduler and the client.
    seconds_per_pass : float
        Of a pass over next to nothing.
    bytes_of_sums : int
        Of a block.
    """

    seconds_per_row: float
    seconds_per_task: float
    seconds_per_pass: float
    bytes_of_sums: int

    def parts(self, n_rows, n_blocks, n_workers):
        """Seconds of a pass, by what takes them."""
        blocks_of_worker = math.ceil(n_blocks / n_workers)
        n_levels = math.ceil(math.log(max(n_blocks, 2), SUMS_OF_A_TASK))
        messages = n_levels * (LATENCY + SUMS_OF_A_TASK * self.bytes_of_sums / BANDWIDTH)
        return {
            "rows": blocks_of_worker * (n_rows / n_blocks) * self.seconds_per_row,
            "scheduler": n_blocks * (1.0 + 1.0 / SUMS_OF_A_TASK) * self.seconds_per_task,
            "messages": messages if n_workers > 1 else 0.0,
        }

    def seconds(self, n_rows, n_blocks, n_workers):
        """Of a pass: workers don't wait for the scheduler, unless it is slower than they are."""
        parts = self.parts(n_rows, n_blocks, n_workers)
        return self.seconds_per_pass + max(parts["rows"], parts["scheduler"]) + parts["messages"]


def _measure_model(n_samples):
    """The numbers of the model, on one worker and in this process."""
    from softreg_fast.blocks import open_blocks

    n_rows = n_samples // N_BLOCKS
    X, y = _block(0, n_rows, N_FEATURES, N_CLASSES)
    learned, _ = open_blocks(X, y, block_rows=n_rows).learn()
    local = take_turns({"": lambda: _evaluate(learned, N_CLASSES)}, 5)[""].median

    def pass_over(n_blocks):
        rows = ROWS_OF_A_SMALL_BLOCK * n_blocks
        with cluster_of(1) as client, _rows_on(client, rows, N_FEATURES, N_CLASSES, n_blocks) as go:
            return take_turns({"": go}, 5)[""].median

    few, many = pass_over(1), pass_over(MANY_BLOCKS)
    n_tasks = MANY_BLOCKS * (1.0 + 1.0 / SUMS_OF_A_TASK)
    return PassModel(local / n_rows, (many - few) / n_tasks, few, 8 * N_CLASSES * (N_FEATURES + 1))


def measure_model(record, n_samples, options):
    """The model against passes on one and two workers, and what it says of larger clusters."""
    model = _measure_model(n_samples)
    print(f"  {model}")
    title = _add_case(record, "model", n_samples, N_FEATURES, N_CLASSES)
    for n_workers in (1, 2):
        with (
            cluster_of(n_workers) as client,
            _rows_on(client, n_samples, N_FEATURES, N_CLASSES, N_BLOCKS) as go,
        ):
            measured = take_turns({"": go}, options.repeats)[""].median
        predicted = model.seconds(n_samples, N_BLOCKS, n_workers)
        side = _side(n_workers)
        record.add(title, side, "seconds", measured)
        record.add(title, f"{side}, calculated", "seconds", predicted)
        difference = abs(predicted - measured) / measured
        bound = math.inf if options.quick else MODEL_BOUND
        record.check(title, side, "calculated and measured, relative", difference, bound)
    for n_rows in LARGE_ROWS:
        for kind, rows_of_block in [
            (f"blocks of {ROWS_OF_A_LARGE_BLOCK:,} rows", lambda _: ROWS_OF_A_LARGE_BLOCK),
            ("a block for each worker", lambda n_workers, n_rows=n_rows: n_rows // n_workers),
        ]:
            case = _add_case(record, f"calculated, {kind}", n_rows, N_FEATURES, N_CLASSES)
            for n_workers in WORKERS:
                n_blocks = n_rows // rows_of_block(n_workers)
                parts = model.parts(n_rows, n_blocks, n_workers)
                seconds = model.seconds(n_rows, n_blocks, n_workers)
                binding = max(parts, key=parts.get)
                record.add(case, _side(n_workers), "seconds", seconds, binds=binding)
                print(f"    {_side(n_workers)}: {seconds:.3g} s, bound by {binding}")


def _add_case(record, kind, n_samples, n_features, n_classes):
    title = f"{kind}, {n_samples:,} x {n_features} x {n_classes}"
    record.add_case(Case(title, n_samples, n_features, n_classes, None), title)
    print(f"{title} ...", flush=True)
    return title


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=3, sides=False)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("cluster")
    sizes = {
        "pass": (measure_passes, N_SAMPLES),
        "fit": (measure_fits, N_SAMPLES),
        "two classes": (measure_two_classes, ROWS_OF_TWO_CLASSES),
        "model": (measure_model, N_SAMPLES),
    }
    for kind in KINDS:
        if not contains(kind, options.cases):
            continue
        measure, n_samples = sizes[kind]
        measure(record, n_samples // FEWER if options.quick else n_samples, options)
    return record
