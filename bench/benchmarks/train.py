"""`softreg-fast train` on a CSV file that is read in blocks, and pyarrow's parsing of it.

Reading is everything before the first step of a fit: parsing, finding out what columns are,
encoding them, and writing the blocks. pyarrow's parsing is `pyarrow.csv.open_csv`, batch by batch,
which takes bounded memory too, and `read_csv`, which has all rows in memory in the end. The file is
in the page cache. Memory is the anonymous memory of the command, above that of the imports.
"""

import tempfile
from pathlib import Path

import numpy as np

from ..cases import Case
from ..internals import blocks_of_table
from ..memory import can_measure, watched_memory
from ..options import add_common
from ..processes import call_in_fresh_process
from ..record import Record
from ..timing import take_turns, timed

OURS, STREAMED, WHOLE = "softreg_fast", "pyarrow open_csv", "pyarrow read_csv"
BYTES, BYTES_PER_ROW = 500_000_000, 136
FEWER = 100
TARGET = "income"
# Columns of numbers and of texts: how many different ones there are, and how long they are.
NUMBERS = {
    "age": (17, 90), "weight": (12_285, 1_484_705), "education_years": (1, 16),
    "capital_gain": (0, 100_000), "capital_loss": (0, 4_356), "hours_per_week": (1, 99),
}  # fmt: skip
ZEROS = {"capital_gain": 0.9, "capital_loss": 0.95}
TEXTS = {
    "workclass": (7, 9), "education": (16, 9), "marital_status": (7, 13), "occupation": (14, 14),
    "relationship": (6, 9), "race": (5, 10), "sex": (2, 5), "native_country": (41, 12),
}  # fmt: skip
WITH_MISSING = "workclass", "occupation"
SHARE_MISSING = 1 / 16


def _write(path, n_samples):
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(0)
    columns, score = {}, random.logistic(size=n_samples)
    for name, (lowest, highest) in NUMBERS.items():
        numbers = random.integers(lowest, highest, n_samples)
        numbers[random.random(n_samples) < ZEROS.get(name, 0.0)] = 0
        score += (numbers - numbers.mean()) / numbers.std()
        columns[name] = numbers
    columns["rate"] = np.round(random.standard_normal(n_samples), 4)
    for name, (count, length) in TEXTS.items():
        codes = random.integers(0, count, n_samples).astype(np.int32)
        score += 0.5 * np.sin(1.0 + codes)
        texts = [f"{name[: length - 3]}-{number}".ljust(length, "x") for number in range(count)]
        if name in WITH_MISSING:
            codes[random.random(n_samples) < SHARE_MISSING] = count
            texts.append("?")
        columns[name] = pa.DictionaryArray.from_arrays(codes, texts).cast(pa.string())
    columns[TARGET] = np.where(score > 1.5, ">50K", "<=50K").astype(str)
    csv.write_csv(pa.table(columns), path)


def _stream(path):
    from pyarrow import csv

    return sum(batch.num_rows for batch in csv.open_csv(path))


def _parse_whole(path):
    from pyarrow import csv

    return csv.read_csv(path).num_rows


def _read(path):
    """Everything before a fit; gives the number of rows."""
    with blocks_of_table(path, TARGET) as rows:
        return rows.learn()[0].shape[0]


def measure_command_here(path, model):
    """Seconds and peak anonymous bytes of the command in this process, and what it has found."""
    from softreg_fast.cli import main as cli

    arguments = ["--target", TARGET, "-o", model, "--in-blocks", "--json"]
    few = Path(path).with_name("few.csv")
    assert cli.main(["train", str(few), *arguments]) == 0  # loads everything
    with watched_memory() as peak:
        seconds, status = timed(lambda: cli.main(["train", path, *arguments]))
    assert status == 0
    return {"bytes": peak.n_bytes, "seconds": seconds}


def measure_fit_here(path):
    """Seconds of a fit of blocks that have been written, and its iterations."""
    from softreg_fast import SoftmaxClassifier

    with blocks_of_table(path, TARGET) as rows:
        rows.learn()
        seconds, model = timed(lambda: SoftmaxClassifier().fit(rows))
    return {"seconds": seconds, "n_iter": int(np.max(model.n_iter_))}


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)
    parser.add_argument("--folder", help="where the files are made; 3 GB are needed")


def run(options):
    """Measure; gives the record."""
    record = Record("train")
    n_samples = BYTES // BYTES_PER_ROW // (FEWER if options.quick else 1)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "incomes.csv"
        _write(path, n_samples)
        _write(Path(folder) / "few.csv", min(n_samples, 10_000))
        n_columns = len(NUMBERS) + len(TEXTS) + 1
        size = f"{n_samples:,} x {n_columns} x 2, {path.stat().st_size / 1e6:,.0f} MB"
        case = Case("reading", n_samples, n_columns, 2, None)
        title = record.add_case(case, f"reading, {size}")
        runs = {
            STREAMED: lambda: _stream(path),
            WHOLE: lambda: _parse_whole(path),
            OURS: lambda: _read(path),
        }
        turns = take_turns(runs, options.repeats)
        for side, found in turns.items():
            record.add(title, side, "rows_per_second", [n_samples / each for each in found.seconds])
            record.check(title, side, "rows that are not there", n_samples - found.result, 0)
        here = "bench.benchmarks.train:"
        title = record.add_case(case, f"the fit of these blocks, {size}")
        found = call_in_fresh_process(f"{here}measure_fit_here", path=str(path))
        record.add(title, OURS, "seconds", found["seconds"], iterations=found["n_iter"])
        if not can_measure():
            return record
        title = record.add_case(case, f"the command, {size}")
        model = str(Path(folder) / "incomes.model")
        found = call_in_fresh_process(f"{here}measure_command_here", path=str(path), model=model)
        record.add(title, OURS, "seconds", found["seconds"])
        record.add(title, OURS, "peak_bytes", found["bytes"])
    return record
