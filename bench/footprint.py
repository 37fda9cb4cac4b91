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
    argparse.ArgumentParser(description=__doc__).parse_args()
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


if __name__ == "__main__":
    main()
