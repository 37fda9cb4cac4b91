"""Fits of rows on a Dask cluster, and what more workers would bring.

Clusters are of single-threaded processes on this machine, one at a time; rows are synthetic. Passes
are loss and gradient of a model over all rows, which fits consist of. Processes without a cluster,
which do the same with rows of their own, show what two of them can be faster than one on this
machine at all. The time of a pass is also calculated: by a model with four numbers, two of which
are measured here on one worker, one in this process, and one is assumed. It is compared with passes
on one and two workers, and then says what larger clusters would take, and what binds them.
"""

import math
import multiprocessing
import warnings
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from ..cases import Case
from ..cluster_model import PassModel
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
# Of what is calculated.
WORKERS = 1, 2, 10, 100, 1000
LARGE_ROWS = 10**9, 10**10
ROWS_OF_A_LARGE_BLOCK = 1_000_000
MANY_BLOCKS, ROWS_OF_A_SMALL_BLOCK = 256, 16
MODEL_BOUND = 0.5
# Passes in a row, on each cluster.
N_PASSES = 5
# Of the processes without a cluster.
N_LOCAL_ROWS = 1_000_000


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
    """Passes on one worker and on two; the same bits."""
    title = _add_case(record, "pass", n_samples, N_FEATURES, N_CLASSES)
    seconds, gradients = defaultdict(list), {}
    for _ in range(options.repeats):
        for n_workers in (1, 2):
            with (
                cluster_of(n_workers) as client,
                _rows_on(client, n_samples, N_FEATURES, N_CLASSES, N_BLOCKS) as go,
            ):
                found = take_turns({"": go}, N_PASSES)[""]
            seconds[_side(n_workers)] += found.seconds
            gradients[n_workers] = found.result.weights_gradient
            side = f"{n_workers} process{'es' if n_workers > 1 else ''}, no cluster"
            n_rows = min(N_LOCAL_ROWS, n_samples // 2)
            seconds[side] += [
                each * n_samples / (n_rows * n_workers) for each in _in_processes(n_workers, n_rows)
            ]
    for side, found in seconds.items():
        record.add(title, side, "seconds", found)
    _check_bits(record, title, gradients[1], gradients[2])


def _in_processes(n_processes, n_rows):
    """Seconds of passes over so many rows in each of some processes, the slowest one's."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(n_processes), context.SimpleQueue()
    processes = [
        context.Process(target=_pass_here, args=(n_rows, barrier, answers))
        for _ in range(n_processes)
    ]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return [max(each) for each in zip(*found, strict=True)]


def _pass_here(n_rows, barrier, answers):
    from softreg_fast.blocks import open_blocks

    X, y = _block(0, n_rows, N_FEATURES, N_CLASSES)
    learned, _ = open_blocks(X, y, block_rows=max(1, n_rows // 8)).learn()
    _evaluate(learned, N_CLASSES)
    seconds = []
    for _ in range(N_PASSES):
        barrier.wait()
        seconds.append(timed(lambda: _evaluate(learned, N_CLASSES))[0])
    answers.put(seconds)


def _check_bits(record, title, first, second):
    different = int(np.count_nonzero(first != second))
    record.check(title, _side(2), "numbers with other bits", different, 0)


def measure_fits(record, n_samples, options):
    """Fits on one worker and on two."""
    from softreg_fast.dask import DaskSoftmaxClassifier

    title = _add_case(record, "fit", n_samples, N_FEATURES, N_CLASSES)
    X, y = _collections(n_samples, N_FEATURES, N_CLASSES, N_BLOCKS)
    seconds, models = defaultdict(list), {}
    for _ in range(options.repeats):
        for n_workers in (1, 2):
            with cluster_of(n_workers) as client:
                # The rows are there before, as they are where others have loaded them.
                on_workers = [client.persist(part) for part in (X, y)]
                model = DaskSoftmaxClassifier(solver="lbfgs")
                model.client = client
                fit = partial(model.fit, *on_workers)
                seconds[_side(n_workers)] += take_turns({"": fit}, 2)[""].seconds
            models[n_workers] = model.coef_
    for side, found in seconds.items():
        record.add(title, side, "seconds", found)
    _check_bits(record, title, models[1], models[2])


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


def _measure_model(n_samples):
    """The numbers of the model, on one worker and in this process."""
    from softreg_fast.dask import placing

    n_rows = min(N_LOCAL_ROWS, n_samples // 2)
    local = float(np.median(_in_processes(1, n_rows)))

    def pass_over(n_blocks):
        rows = ROWS_OF_A_SMALL_BLOCK * n_blocks
        with cluster_of(1) as client, _rows_on(client, rows, N_FEATURES, N_CLASSES, n_blocks) as go:
            return take_turns({"": go}, 5)[""].median

    size = placing._BYTES_OF_A_GROUP
    placing._BYTES_OF_A_GROUP = 1  # each block is a group of its own
    few, many = pass_over(1), pass_over(MANY_BLOCKS)
    placing._BYTES_OF_A_GROUP = size
    return PassModel(
        local / n_rows,
        (many - few) / (MANY_BLOCKS - 1),
        few,
        8 * N_CLASSES * (N_FEATURES + 1),
        8 * N_FEATURES,
    )


def measure_model(record, n_samples, options):
    """The model against passes on one and two workers, and what it says of larger clusters."""
    model = _measure_model(n_samples)
    print(f"  {model}")
    title = _add_case(record, "model", n_samples, N_FEATURES, N_CLASSES)
    n_rows = min(N_LOCAL_ROWS, n_samples // 2)
    for n_workers in (1, 2):
        # Workers of one machine share its memory, and its speed changes.
        rates = _in_processes(n_workers, n_rows)
        with (
            cluster_of(n_workers) as client,
            _rows_on(client, n_samples, N_FEATURES, N_CLASSES, N_BLOCKS) as go,
        ):
            measured = take_turns({"": go}, options.repeats * N_PASSES)[""].median
        rates += _in_processes(n_workers, n_rows)
        here = replace(model, seconds_per_row=float(np.median(rates)) / n_rows)
        predicted = here.seconds(n_samples, N_BLOCKS, n_workers)
        side = _side(n_workers)
        record.add(title, side, "seconds", measured)
        record.add(title, f"{side}, calculated", "seconds", predicted)
        difference = abs(predicted - measured) / measured
        bound = math.inf if options.quick else MODEL_BOUND
        record.check(title, side, "calculated and measured, relative", difference, bound)
    kind = f"calculated, blocks of {ROWS_OF_A_LARGE_BLOCK:,} rows"
    for n_rows in LARGE_ROWS:
        case = _add_case(record, kind, n_rows, N_FEATURES, N_CLASSES)
        n_blocks = n_rows // ROWS_OF_A_LARGE_BLOCK
        for n_workers in WORKERS:
            parts = model.parts(n_rows, n_blocks, n_workers)
            binding = max(parts, key=parts.get)
            seconds = model.seconds(n_rows, n_blocks, n_workers)
            record.add(
                case, _side(n_workers), "seconds", seconds, binds=binding, n_workers=n_workers
            )
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
