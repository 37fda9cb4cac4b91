"""Start-up and single calls: ``python bench/startup.py``.

The first fit in a fresh process with an empty and with a filled cache, the import, and a prediction
of one row. Times are medians of several processes or calls.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import describe

from softreg_fast import SoftmaxRegressor

FIRST_FIT = """
import time
from sklearn.datasets import load_iris
import sklearn.base, numba, softreg_fast
x, y = load_iris(return_X_y=True)
started = time.perf_counter()
softreg_fast.SoftmaxRegressor(0.1, verbose=False).fit(x, y, 1, 150)
print(time.perf_counter() - started)
"""

TRIVIAL_KERNEL = """
import time
import numba
started = time.perf_counter()
@numba.njit("f8(f8)", cache=True)
def trivial(x):
    return x + 1
trivial(1.0)
print(time.perf_counter() - started)
"""

IMPORT = """
import time
import sklearn.base, numba
started = time.perf_counter()
import softreg_fast
print(time.perf_counter() - started)
"""


def _seconds(code, folder):
    """What a fresh process prints; its cache is in a folder."""
    script = Path(folder) / "script.py"
    script.write_text(code)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    result = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout)


def _forget_what_lies_beside_the_package():
    import softreg_fast.kernels

    folder = Path(softreg_fast.kernels.__file__).parent / "__pycache__"
    for path in folder.glob("*.machine_code"):
        path.unlink()


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(describe())
    _forget_what_lies_beside_the_package()
    cold, warm, trivial = [], [], []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_seconds(FIRST_FIT, folder))
            warm.append(_seconds(FIRST_FIT, folder))
            _seconds(TRIVIAL_KERNEL, folder)
            trivial.append(_seconds(TRIVIAL_KERNEL, folder))
    with tempfile.TemporaryDirectory() as folder:
        imports = [_seconds(IMPORT, folder) for _ in range(options.repeats)]
    print(f"first fit on iris, empty cache: {np.median(cold):.2f} s")
    print(
        f"first fit on iris, filled cache: {np.median(warm):.2f} s "
        f"(a trivial kernel of Numba's own cache: {np.median(trivial):.2f} s)"
    )
    print(f"import beyond sklearn.base and numba: {np.median(imports):.3f} s")

    random = np.random.default_rng(0)
    x, y = random.standard_normal((1000, 20)), random.integers(0, 5, 1000)
    model = SoftmaxRegressor(0.1, verbose=False).fit(x, y, 2, 100)
    row = x[:1]
    model.predict(row)
    calls = []
    for _ in range(50):
        started = time.perf_counter()
        for _ in range(200):
            model.predict(row)
        calls.append((time.perf_counter() - started) / 200)
    print(f"prediction of one row, 20 features, 5 classes: {1e6 * np.median(calls):.1f} us")


if __name__ == "__main__":
    main()
