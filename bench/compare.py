"""Two checkouts against each other: ``python bench/compare.py BASE HEAD``.

BASE and HEAD are folders with a checkout each, or revisions of this repository. They train in
processes that take turns. Fails if HEAD takes more than a tenth longer in some case, and by more
than an absolute bound.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from machine import describe

ROOT = Path(__file__).parent.parent
RELATIVE_BOUND = 1.10
ABSOLUTE_BOUND = 20e-6  # seconds for an epoch

CHILD = """
import json, sys, time
import numpy as np
from softreg_fast import SoftmaxRegressor

def rows(n_samples, n_features, n_classes):
    random = np.random.default_rng(0)
    labels = random.integers(0, n_classes, n_samples)
    labels[:n_classes] = range(n_classes)
    return random.standard_normal((n_samples, n_features)), labels

found = {}
for n_samples, n_features, n_classes, batch_size, n_epochs, dtype in [
    (150, 4, 3, 150, 3000, "float64"),
    (150, 4, 3, 16, 2000, "float64"),
    (1797, 64, 10, 64, 60, "float64"),
    (20_000, 784, 10, 128, 4, "float64"),
    (20_000, 784, 10, 128, 4, "float32"),
    (200_000, 20, 5, 256, 4, "float64"),
    (5_000, 200, 100, 256, 4, "float64"),
]:
    x, y = rows(n_samples, n_features, n_classes)
    x = x.astype(dtype)
    seconds = []
    for _ in range(4):
        model = SoftmaxRegressor(0.1, random_state=0, verbose=False, dtype=dtype)
        started = time.perf_counter()
        model.fit(x, y, n_epochs, batch_size)
        seconds.append((time.perf_counter() - started) / n_epochs)
    name = f"{n_samples:,} x {n_features} x {n_classes}, batches of {batch_size:,}, {dtype}"
    found[name] = float(np.median(seconds[1:])), float(model.losses_[-1])
print(json.dumps(found))
"""


def _checkout(name, stack):
    """The folder that is meant: itself, or a temporary one with a revision."""
    if Path(name, "softreg_fast").is_dir():
        return Path(name).resolve()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    archive = subprocess.run(["git", "archive", name], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def _run(folder):
    environment = os.environ | {"PYTHONPATH": str(folder)}
    result = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=folder, env=environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return json.loads(result.stdout)


def main():
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(describe())
    with ExitStack() as stack:
        folders = {side: _checkout(getattr(options, side), stack) for side in ("base", "head")}
        rounds = {side: [] for side in folders}
        for _ in range(options.rounds):
            for side, folder in folders.items():
                rounds[side].append(_run(folder))
    slower = []
    print("\n| data | base | head | head / base |\n|---|---|---|---|")
    for name in rounds["base"][0]:
        seconds = {
            side: float(np.median([found[name][0] for found in results]))
            for side, results in rounds.items()
        }
        losses = [found[name][1] for results in rounds.values() for found in results]
        np.testing.assert_allclose(losses, losses[0], rtol=1e-9 if "64" in name[-2:] else 1e-4)
        ratio = seconds["head"] / seconds["base"]
        print(f"| {name} | {1e3 * seconds['base']:.4g} ms | {1e3 * seconds['head']:.4g} ms "
              f"| {ratio:.2f} |")  # fmt: skip
        if ratio > RELATIVE_BOUND and seconds["head"] - seconds["base"] > ABSOLUTE_BOUND:
            slower.append(name)
    if slower:
        sys.exit(f"slower: {'; '.join(slower)}")


if __name__ == "__main__":
    main()
