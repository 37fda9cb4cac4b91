"""Time per row and peak memory against size.

Rows, features, classes, batch size and threads vary one at a time; features are float32. Time is of
an epoch of plain descent on logits; memory is what a fresh process needs at most beside the
features (Linux alone).
"""

from argparse import Namespace

from .. import cases
from ..memory import can_measure, peak_bytes
from ..options import add_common, contains
from ..record import Record
from ..runner import prepare_sides
from ..sides.descent import Bare
from ..timing import take_turns

BASE = {"rows": 100_000, "features": 20, "classes": 5, "batch size": 1024, "threads": 1}
VARIED = {
    "rows": [10_000, 100_000, 1_000_000, 10_000_000],
    "features": [1, 5, 20, 54, 200, 784, 2000],
    "classes": [2, 3, 5, 10, 26, 100],
    "batch size": [1, 8, 64, 256, 1024, 16_384, 100_000],
    "threads": [1, 2],
}
PRODUCTS_OF_A_RUN = 3_000_000_000
SIDE = "softreg_fast"


def measure(record, quantity, value, n_repeats, n_products):
    """Measure one size, with about so many products in a run, and keep it."""
    size = BASE | {quantity: value}
    shape = size["rows"], size["features"], size["classes"]
    case = cases.dense(
        *shape, dtype="float32", batch_size=size["batch size"], learning_rate=1e-3,
        n_epochs=max(1, n_products // (shape[0] * shape[1] * shape[2])),
    )  # fmt: skip
    name = record.add_case(case, f"{quantity}: {value:,}")
    print(f"{name} ...", flush=True)
    side = Bare(SIDE, n_threads=size["threads"])
    prepare_sides(record, case, [side], Namespace())
    turns = take_turns({SIDE: side.run}, n_repeats)[SIDE]
    cases.forget()
    n_rows = case.n_epochs * (case.n_samples // case.batch_size * case.batch_size)
    place = {"quantity": quantity, "at": value}
    record.add(name, SIDE, "seconds_per_row", [each / n_rows for each in turns.seconds], **place)
    if can_measure():
        record.add(name, SIDE, "peak_bytes", peak_bytes("descent", case, size["threads"]), **place)


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=3, sides=False)


def run(options):
    """Measure; gives the record."""
    record = Record("sizes")
    n_products = PRODUCTS_OF_A_RUN // (100 if options.quick else 1)
    for quantity, values in VARIED.items():
        for value in values[:1] if options.quick else values:
            if contains(f"{quantity}: {value:,}", options.cases):
                measure(record, quantity, value, options.repeats, n_products)
    return record
