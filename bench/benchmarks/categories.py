"""Categorical columns as they are, and one-hot columns of them.

A table as of a census, synthetic: 8 categorical columns and 6 numbers, in a pandas data frame. A
fit begins with the frame; `OneHotEncoder` is a part of it where it is used. The peak memory is that
of a fit in a fresh process, beside the frame; on Linux.
"""

import sys
import warnings
from functools import cache

import numpy as np

from ..cases import Case
from ..memory import can_measure, peak_of
from ..options import add_common, contains, select
from ..processes import call_in_fresh_process
from ..record import Record
from ..timing import take_turns

N_CATEGORIES = 9, 16, 7, 15, 6, 5, 42, 2
N_NUMBERS = 6
SIZES = 48_000, 5_000_000
TOLERANCE = 1e-6
FEW_ROWS = 4_000
MOST_ROWS_OF_SKLEARN = 500_000


@cache
def make(n_samples):
    """The frame, and labels of two classes; categories are as frequent as words are."""
    import pandas as pd

    random = np.random.default_rng(0)
    columns, logits = {}, np.zeros(n_samples)
    for place, count in enumerate(N_CATEGORIES):
        shares = 1.0 / np.arange(1, count + 1)
        codes = random.choice(count, n_samples, p=shares / shares.sum()).astype(np.int8)
        logits += random.normal(0.0, 0.5, count)[codes]
        names = [f"category {number}" for number in range(count)]
        columns[f"column {place}"] = pd.Categorical.from_codes(codes, names)
    for place in range(N_NUMBERS):
        numbers = random.normal(size=n_samples)
        logits += 0.3 * numbers
        columns[f"number {place}"] = numbers
    return pd.DataFrame(columns), (logits + random.logistic(size=n_samples) > 0.0).astype(np.int64)


class AsTheyAre:
    """`categorical_features`."""

    name = "softreg_fast"

    def fit(self, frame, y):
        """A fitted model, and the logarithms of its probabilities of these rows."""
        from softreg_fast import SoftmaxClassifier

        settings = {"categorical_features": "from_dtype", "tol": TOLERANCE}
        self.model = SoftmaxClassifier(**settings).fit(frame, y)

    def logarithms(self, frame):
        """Of the probabilities of rows."""
        return self.model.predict_log_proba(frame)


class OneHot:
    """`OneHotEncoder` and a classifier that takes sparse rows."""

    def __init__(self, name, make_classifier):
        self.name = f"OneHotEncoder, {name}"
        self.make_classifier = make_classifier

    def fit(self, frame, y):
        """See `AsTheyAre`."""
        from sklearn.compose import ColumnTransformer
        from sklearn.preprocessing import OneHotEncoder

        columns = [name for name in frame.columns if name.startswith("column")]
        self.encoder = ColumnTransformer(
            [("categories", OneHotEncoder(), columns)],
            remainder="passthrough", sparse_threshold=1.0,
        )  # fmt: skip
        self.model = self.make_classifier().fit(self.encoder.fit_transform(frame), y)

    def logarithms(self, frame):
        """See `AsTheyAre`."""
        return self.model.predict_log_proba(self.encoder.transform(frame))


def _ours():
    from softreg_fast import SoftmaxClassifier

    return SoftmaxClassifier(tol=TOLERANCE)


def _sklearn():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(tol=TOLERANCE, max_iter=10_000)


def all_sides():
    """The first is what the others are compared with."""
    return [AsTheyAre(), OneHot("softreg_fast", _ours), OneHot("scikit-learn lbfgs", _sklearn)]


def _objective(side, frame, y):
    """Per row."""
    total = 0.0
    for start in range(0, len(y), 1 << 18):
        rows = slice(start, start + (1 << 18))
        logarithms = side.logarithms(frame.iloc[rows])
        total -= logarithms[np.arange(len(logarithms)), y[rows]].sum()
    return (total + 0.5 * np.sum(side.model.coef_**2)) / len(y)


def measure_memory(side, n_samples):
    """Peak bytes beside the frame in this process, after a fit of a few rows."""
    warnings.simplefilter("ignore")
    frame, y = make(n_samples)
    (found,) = [each for each in all_sides() if each.name == side]
    few = frame.iloc[:FEW_ROWS].copy()
    found.fit(few, y[:FEW_ROWS])
    return peak_of(lambda: found.fit(frame, y))


def _measure_times(record, title, sides, n_samples, n_repeats):
    """Time fits in turns, and check that their objectives are the same."""
    frame, y = make(n_samples)
    few = frame.iloc[:FEW_ROWS].copy()
    for side in sides:
        side.fit(few, y[:FEW_ROWS])
    runs = {side.name: lambda side=side: side.fit(frame, y) for side in sides}
    turns = take_turns(runs, n_repeats, n_warm=0)
    lowest = _objective(sides[0], frame, y)
    for side in sides:
        record.add(title, side.name, "seconds", turns[side.name].seconds)
        difference = abs(_objective(side, frame, y) - lowest) / lowest
        record.check(title, side.name, "difference of objectives, relative", difference, 1e-6)


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=3)


def run(options):
    """Measure; gives the record."""
    if not can_measure():
        sys.exit("categories needs Linux")
    warnings.simplefilter("ignore")
    record = Record("categories")
    n_columns = sum(N_CATEGORIES) + N_NUMBERS
    for n_samples in select(SIZES, options):
        title = f"{n_samples:,} x ({len(N_CATEGORIES)} + {N_NUMBERS})"
        case = Case(title, n_samples, n_columns, 2, None)
        record.add_case(case, title)
        print(f"{title} ...", flush=True)
        sides = all_sides()
        if n_samples > MOST_ROWS_OF_SKLEARN:
            record.leave_out(sides.pop().name, f"more than {MOST_ROWS_OF_SKLEARN:,} rows")
        sides = [
            side for place, side in enumerate(sides)
            if not place or contains(side.name, options.sides)
        ]  # fmt: skip
        _measure_times(record, title, sides, n_samples, options.repeats)
        make.cache_clear()
        for side in sides:
            peak = call_in_fresh_process(
                "bench.benchmarks.categories:measure_memory", side=side.name, n_samples=n_samples
            )
            record.add(title, side.name, "peak_bytes", peak)
    return record
