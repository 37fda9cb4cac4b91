"""Time per row and peak memory against size: ``python bench/scaling.py [--quick]``.

Rows, features, classes, batch size and threads vary one at a time; features are float32. Time is of
an epoch of plain descent with the identity activation; memory is what a fresh process needs at most
beside the features. Prints tables, and draws pictures if matplotlib is installed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from machine import describe
from roofline import make_rows, seconds_per_row

from softreg_fast.data.problem import make_problem

BASE = {"rows": 100_000, "features": 20, "classes": 5, "batch size": 1024, "threads": 1}
VARIED = {
    "rows": [10_000, 100_000, 1_000_000, 10_000_000],
    "features": [1, 5, 20, 54, 200, 784, 2000],
    "classes": [2, 3, 5, 10, 26, 100],
    "batch size": [1, 8, 64, 256, 1024, 16_384, 100_000],
    "threads": [1, 2],
}
QUICK_ROWS = 1_000_000

CHILD = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from roofline import make_rows
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.data.problem import make_problem
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent

n_samples, n_features, n_classes, batch_size, n_threads = map(int, sys.argv[2:])

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

def fit(features, labels):
    problem = make_problem(features, labels, "identity", features.dtype)
    settings = DescentSettings(1e-3, min(batch_size, len(features)), 1, 0, "exact")
    start = np.zeros((n_features, n_classes)), np.zeros(n_classes)
    GradientDescent(problem, settings, *start, n_threads).run(EpochLog(verbose=False))

features, labels = make_rows(n_samples, n_features, n_classes, "float32")
labels = labels.astype(np.int32)
labels[: n_classes] = range(n_classes)
fit(features[:2000], labels[:2000])
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
fit(features, labels)
print(status("VmHWM") - before)
"""


def measure(case):
    """Nanoseconds per row, and peak bytes beside the features (NaN where it can't be measured)."""
    n_samples, n_features, n_classes = case["rows"], case["features"], case["classes"]
    problem = make_problem(
        *make_rows(n_samples, n_features, n_classes, "float32"), "identity", np.dtype("float32")
    )
    seconds = seconds_per_row(problem, case["batch size"], n_classes, case["threads"], 3)
    peak = np.nan
    if Path("/proc/self/clear_refs").exists():
        arguments = [str(Path(__file__).parent), *map(str, case.values())]
        result = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True
        )
        peak = max(int(result.stdout), 0)
    return 1e9 * seconds, peak


def draw(results, path):
    """One column of pictures for each quantity that varies."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(results), figsize=(18, 6), layout="constrained")
    for column, (quantity, rows) in enumerate(results.items()):
        values, times, peaks = zip(*rows, strict=True)
        axes[0, column].loglog(values, times, marker="o")
        axes[0, column].set_title(f"against {quantity}")
        axes[1, column].semilogx(values, np.array(peaks) / 2**20, marker="o")
        axes[1, column].set_xlabel(quantity)
    axes[0, 0].set_ylabel("ns per row")
    axes[1, 0].set_ylabel("MiB beside the features")
    figure.savefig(path, dpi=120)


def main():
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK_ROWS:,} rows")
    parser.add_argument("--picture", type=Path, default=Path("scaling.png"))
    options = parser.parse_args()
    print(describe())
    print(", ".join(f"{value:,} {name}" for name, value in BASE.items()) + " unless said otherwise")
    results = {}
    for quantity, values in VARIED.items():
        print(f"\n| {quantity} | ns per row | MiB beside the features |\n|---|---|---|")
        results[quantity] = []
        for value in values:
            if options.quick and quantity == "rows" and value > QUICK_ROWS:
                continue
            taken, peak = measure(BASE | {quantity: value})
            results[quantity].append((value, taken, peak))
            print(f"| {value:,} | {taken:.1f} | {peak / 2**20:.2f} |", flush=True)
    try:
        draw(results, options.picture)
    except ImportError as error:
        print(f"no picture: {error.name} is not installed")


if __name__ == "__main__":
    main()
