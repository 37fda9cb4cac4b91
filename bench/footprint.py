"""Peak memory of a fit above the data, on Linux: ``python bench/footprint.py``.

Measured in a fresh process, after a fit on a few rows has compiled and loaded everything.
"""

import argparse
import subprocess
import sys
from pathlib import Path

LIMIT = 8 * 2**20

CHILD = """
import sys
from pathlib import Path
import numpy as np
from softreg_fast import SoftmaxRegressor

n_samples, n_features, n_classes, batch_size = map(int, sys.argv[1:])

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

random = np.random.default_rng(0)
x = random.standard_normal((n_samples, n_features))
y = random.integers(0, n_classes, n_samples, dtype=np.int32)
y[:n_classes] = np.arange(n_classes)
model = SoftmaxRegressor(0.1, verbose=False)
model.fit(x[:1000], y[:1000], 1, 100)
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
model.fit(x, y, 2, batch_size)
print(status("VmHWM") - before, x.nbytes, len(model.losses_))
"""

EXACT_CHILD = """
import sys
import warnings
from pathlib import Path
import numpy as np
from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

warnings.simplefilter("ignore")
kind = sys.argv[1]
n_samples, n_features, n_classes = map(int, sys.argv[2:])

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

random = np.random.default_rng(0)
X = random.standard_normal((n_samples, n_features))
scores = X @ random.standard_normal((n_features, n_classes)) / np.sqrt(n_features)
y = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
del scores
if kind == "cross-validation":
    model = SoftmaxClassifierCV(Cs=5, cv=5)
else:
    model = SoftmaxClassifier(solver=kind)
model.fit(X[:4000], y[:4000])
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
model.fit(X, y)
print(status("VmHWM") - before, X.nbytes, 8 * n_features * n_classes, 8 * n_samples)
"""

SPARSE_CHILD = """
import sys
import warnings
from pathlib import Path
import numpy as np
from classifier import sparse_rows
from softreg_fast import SoftmaxClassifier

warnings.simplefilter("ignore")

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

solver, n_features = sys.argv[1], int(sys.argv[2])
X, y = sparse_rows(100_000, n_features, 60, 20)
model = SoftmaxClassifier(solver=solver, random_state=0, max_iter=2)
model.fit(X[:2000], y[:2000])
del model.coef_
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
model.fit(X, y)
print(status("VmHWM") - before, model.coef_.nbytes, X.nnz)
"""


def measure_sparse(solver, n_features):
    """Peak bytes of a fit of sparse rows, bytes of the coefficients, and elements."""
    result = subprocess.run(
        [sys.executable, "-c", SPARSE_CHILD, solver, str(n_features)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    return map(int, result.stdout.split())


def measure_exact(kind, shape):
    """Peak bytes, and those of the features, of the coefficients, and of a number for each row."""
    arguments = kind, *map(str, shape)
    result = subprocess.run(
        [sys.executable, "-c", EXACT_CHILD, *arguments], capture_output=True, text=True, check=True
    )
    return map(int, result.stdout.split())


def measure(n_samples, n_features, n_classes, batch_size):
    """Peak bytes above the data, and bytes of the features."""
    arguments = map(str, (n_samples, n_features, n_classes, batch_size))
    result = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True
    )
    peak, data, n_epochs = map(int, result.stdout.split())
    assert n_epochs == 2
    return peak, data


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exact", action="store_true", help="exact solvers too, in two minutes")
    parser.add_argument("--sparse", action="store_true", help="sparse rows too, in a minute")
    arguments = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("needs Linux")
    for shape in [
        (200_000, 100, 10, 1000),
        (200_000, 100, 10, 200_000),
        (20_000, 784, 100, 20_000),
    ]:
        peak, data = measure(*shape)
        n_samples, n_features, n_classes, batch_size = shape
        print(
            f"{n_samples:,} x {n_features} x {n_classes}, batches of {batch_size:,}: "
            f"{peak / 2**20:.2f} MiB above {data / 2**20:.0f} MiB of features"
        )
        assert peak < LIMIT, f"more than {LIMIT / 2**20} MiB"
    if arguments.exact:
        for shape in [(500_000, 54, 7), (100_000, 784, 10), (100_000, 200, 50)]:
            for kind in ("lbfgs", "newton", "cross-validation"):
                peak, data, model, per_row = (each / 2**20 for each in measure_exact(kind, shape))
                print(
                    f"{shape[0]:,} x {shape[1]} x {shape[2]}, {kind}: {peak:.1f} MiB above "
                    f"{data:.0f} MiB of features; coefficients {model:.2f} MiB, a number for each "
                    f"row {per_row:.1f} MiB"
                )
    if arguments.sparse:
        for solver, n_features in [("sgd", 500_000), ("lbfgs", 96_000)]:
            peak, model, n_elements = measure_sparse(solver, n_features)
            print(
                f"100,000 x {n_features:,} x 20 with {n_elements:,} elements, float32, {solver}: "
                f"{peak / 2**20:.0f} MiB, {peak / model:.1f} times the coefficients"
            )


if __name__ == "__main__":
    main()
