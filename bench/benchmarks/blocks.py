"""Rows that are read in blocks: throughput, memory, and fits of more rows than others can hold.

Synthetic rows in float32, in files that are made for it and removed. All files are in the page
cache when they are measured. Passes are loss and gradient of a model over all rows. Memory is the
anonymous memory of a process that has made a small fit before, on Linux; pages of memory-mapped
files don't count, which the system drops when it needs the room.
"""

import tempfile
from pathlib import Path

import numpy as np

from ..cases import Case
from ..memory import watched_memory
from ..options import add_common, contains
from ..processes import call_in_fresh_process
from ..record import Record
from ..timing import take_turns, timed

OURS, OTHER = "softreg_fast", "compared with"
N_FEATURES, N_CLASSES = 20, 5
ROWS_OF_A_PASS = 4_000_000
ROWS_BEYOND_MEMORY = 40_000_000
CSV_BYTES = 500_000_000
FEWER = 100
WRITTEN_AT_ONCE = 1 << 20
ALLOWED_BYTES, ALLOWED_BYTES_PER_ROW = 200 << 20, 4
KINDS = "pass", "parquet", "csv", "beyond memory"


def _write(folder, n_samples):
    """Features and labels as `.npy` files; features are correlated, classes overlap."""
    random = np.random.default_rng(0)
    coefficients = random.standard_normal((N_FEATURES, N_CLASSES), np.float32)
    make = np.lib.format.open_memmap
    X = make(folder / "X.npy", "w+", np.float32, (n_samples, N_FEATURES))
    y = make(folder / "y.npy", "w+", np.int64, (n_samples,))
    for start in range(0, n_samples, WRITTEN_AT_ONCE):
        rows = slice(start, min(start + WRITTEN_AT_ONCE, n_samples))
        block = random.standard_normal((rows.stop - rows.start, N_FEATURES), np.float32)
        block[:, 5:10] += 0.5 * block[:, :5]
        noise = random.gumbel(size=(len(block), N_CLASSES)).astype(np.float32)
        X[rows], y[rows] = block, (block @ coefficients + 2.0 * noise).argmax(axis=1)
    return X, y


def _problem_of(rows):
    from softreg_fast.data.blocked import BlockedProblem

    learned, classes = rows.learn()
    double = np.dtype(np.float64)
    return BlockedProblem(learned, np.zeros(0, np.int32), len(classes), "identity", double)


def _model():
    random = np.random.default_rng(1)
    shape = N_FEATURES, N_CLASSES
    return 0.1 * random.standard_normal(shape), 0.1 * random.standard_normal(N_CLASSES)


def _evaluate(problem):
    """Loss and gradient, by the accumulator that a fit would have."""
    from softreg_fast.objective.passes import accumulator_of

    with accumulator_of(problem, N_CLASSES) as accumulator:
        return accumulator.evaluate(*_model())


def _add_turns(record, title, runs, n_rows, n_repeats):
    """Throughput of sides in turns."""
    turns = take_turns(runs, n_repeats)
    for side, found in turns.items():
        record.add(title, side, "rows_per_second", [n_rows / each for each in found.seconds])
    return {side: found.result for side, found in turns.items()}


def _check_sums(record, title, results):
    first, *others = results.values()
    for side, sums in zip(list(results)[1:], others, strict=True):
        difference = np.abs(sums.weights_gradient - first.weights_gradient).max()
        size = np.abs(first.weights_gradient).max()
        record.check(title, side, "difference of gradients, relative", difference / size, 1e-9)


def measure_pass(record, folder, n_samples, options):
    """A pass over memory-mapped rows, and over the same rows in memory."""
    from softreg_fast.blocks import open_blocks
    from softreg_fast.data.problem import Problem

    X, y = _write(folder, n_samples)
    title = _add_case(record, "memory-mapped .npy; rows in memory", n_samples)
    blocked = _problem_of(open_blocks(folder / "X.npy", folder / "y.npy"))
    targets = y.astype(np.int32)
    in_memory = Problem(np.array(X), targets, N_CLASSES, "identity", np.dtype(np.float64))
    runs = {
        OURS: lambda: _evaluate(blocked),
        OTHER: lambda: _evaluate(in_memory),
    }
    _check_sums(record, title, _add_turns(record, title, runs, n_samples, options.repeats))


def _scan(path):
    """All columns of a Parquet file as NumPy arrays, by pyarrow alone."""
    import pyarrow.dataset as ds

    n_rows = 0
    for batch in ds.dataset(path).to_batches():
        for column in batch.columns:
            column.to_numpy(zero_copy_only=False)
        n_rows += batch.num_rows
    return n_rows


def measure_parquet(record, folder, n_samples, options):
    """A pass over a Parquet file, reading its blocks alone, and pyarrow's scan of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from softreg_fast.blocks import open_blocks

    X, y = _write(folder, n_samples)
    columns = {f"x{place}": X[:, place] for place in range(N_FEATURES)}
    path = folder / "rows.parquet"
    pq.write_table(pa.table({**columns, "y": y}), path)
    blocked = _problem_of(open_blocks(path, "y"))

    def read():
        return sum(len(block.targets) for block in blocked.rows.blocks())

    for kind, ours in (("Parquet", lambda: _evaluate(blocked)), ("Parquet, reading alone", read)):
        title = _add_case(record, f"{kind}; pyarrow's scan to NumPy", n_samples)
        runs = {OURS: ours, OTHER: lambda: _scan(path)}
        _add_turns(record, title, runs, n_samples, options.repeats)


def _parse(path):
    """All batches of a CSV file, by pyarrow alone."""
    from pyarrow import csv

    return sum(batch.num_rows for batch in csv.open_csv(path))


def measure_csv(record, folder, n_samples, options):
    """The first pass over a CSV file (parse, write, learn), and pyarrow's parsing of it."""
    import pyarrow as pa
    from pyarrow import csv

    from softreg_fast.blocks import open_blocks

    X, y = _write(folder, n_samples)
    columns = {f"x{place}": X[:, place] for place in range(N_FEATURES)}
    path = folder / "rows.csv"
    csv.write_csv(pa.table({**columns, "y": y}), path)
    size = f"{path.stat().st_size / 1e6:,.0f} MB"
    title = _add_case(record, f"CSV of {size}, first pass; pyarrow's parsing", n_samples)

    def learn():
        with open_blocks(path, "y") as rows:
            return rows.learn()[0].shape[0]

    runs = {OURS: learn, OTHER: lambda: _parse(path)}
    _add_turns(record, title, runs, n_samples, options.repeats)


def measure_beyond_memory_here(files, settings):
    """Peak anonymous bytes and seconds of a fit in this process, and what it has found."""
    from softreg_fast import SoftmaxClassifier
    from softreg_fast.blocks import open_blocks

    def fit(rows):
        return SoftmaxClassifier(random_state=0, **settings).fit(rows)

    few = np.load(Path(files) / "X.npy", mmap_mode="r")[:100_000]
    labels = np.load(Path(files) / "y.npy", mmap_mode="r")[:100_000]
    fit(open_blocks(few, labels))  # loads everything
    with watched_memory() as peak:
        seconds, model = timed(
            lambda: fit(open_blocks(Path(files) / "X.npy", Path(files) / "y.npy"))
        )
    return {"bytes": peak.n_bytes, "seconds": seconds, "n_iter": int(model.n_iter_)}


def measure_sklearn_here(files, n_samples):
    """Seconds of scikit-learn's default fit of the first rows, and its iterations."""
    from sklearn.linear_model import LogisticRegression

    X = np.array(np.load(Path(files) / "X.npy", mmap_mode="r")[:n_samples])
    y = np.array(np.load(Path(files) / "y.npy", mmap_mode="r")[:n_samples])
    seconds, model = timed(lambda: LogisticRegression().fit(X, y))
    return {"seconds": seconds, "n_iter": int(model.n_iter_.max())}


def measure_beyond_memory(record, folder, n_samples, options):
    """Memory and time of an epoch of gradient descent and of an exact fit; and scikit-learn's."""
    _write(folder, n_samples)
    allowed = ALLOWED_BYTES + ALLOWED_BYTES_PER_ROW * n_samples
    here = "bench.benchmarks.blocks:measure_beyond_memory_here"
    for name, settings in [
        ("epoch of sgd", {"solver": "sgd", "max_iter": 1, "n_iter_no_change": 1}),
        ("exact fit", {}),
    ]:
        title = _add_case(record, name, n_samples)
        found = call_in_fresh_process(here, files=str(folder), settings=settings)
        record.add(title, OURS, "peak_bytes", found["bytes"])
        record.add(title, OURS, "seconds", found["seconds"], iterations=found["n_iter"])
        record.check(title, OURS, "anonymous bytes", found["bytes"], allowed)
    n_fewer = n_samples // 10
    found = call_in_fresh_process(
        "bench.benchmarks.blocks:measure_sklearn_here", files=str(folder), n_samples=n_fewer
    )
    title = _add_case(record, "exact fit; scikit-learn's of a tenth of the rows", n_fewer)
    record.add(title, OTHER, "seconds", found["seconds"], iterations=found["n_iter"])


def _add_case(record, kind, n_samples):
    title = f"{kind}, {n_samples:,} x {N_FEATURES} x {N_CLASSES}"
    record.add_case(Case(title, n_samples, N_FEATURES, N_CLASSES, None, dtype="float32"), title)
    print(f"{title} ...", flush=True)
    return title


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=5, sides=False)
    parser.add_argument("--folder", help="where the files are made; 4 GB are needed")


def run(options):
    """Measure; gives the record."""
    record = Record("blocks")
    sizes = {
        "pass": (measure_pass, ROWS_OF_A_PASS),
        "parquet": (measure_parquet, ROWS_OF_A_PASS),
        "csv": (measure_csv, CSV_BYTES // 220),
        "beyond memory": (measure_beyond_memory, ROWS_BEYOND_MEMORY),
    }
    for kind in KINDS:
        if not contains(kind, options.cases):
            continue
        measure, n_samples = sizes[kind]
        if options.quick:
            n_samples //= FEWER
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            measure(record, Path(folder), n_samples, options)
    return record
