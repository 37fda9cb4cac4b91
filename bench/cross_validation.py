"""How long choosing a penalty takes: `SoftmaxClassifierCV` and `LogisticRegressionCV`.

``python bench/cross_validation.py`` fits 20 penalties on 5 folds at tighter and tighter tolerances
until the objectives of all 100 models, recomputed outside in float64, are within 1e-6 of the lowest
known ones, relatively. That tolerance's fit is repeated, all sides taking turns in one process; the
table gives medians, and the time of `SoftmaxClassifierCV` in fits of `SoftmaxClassifier` with the
weakest penalty, on all rows, at the same tolerance. A side is given up after a fit that has taken
longer than `--patience` seconds. For `--mnist`, see `optimum.py`.
"""

import argparse
import json
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from machine import describe
from optimum import SETS, images, objective
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

CS = np.logspace(-4, 4, 20)
N_FOLDS = 5
WANTED_GAP = 1e-6
TOLERANCES = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10]
PEERS = ["lbfgs", "newton-cg", "newton-cholesky"]
MOST_UNKNOWNS_OF_COMPLETE_HESSIANS = 300


def fit_ours(X, y, tolerance):
    """All models' coefficients, intercepts last."""
    model = SoftmaxClassifierCV(Cs=CS, cv=N_FOLDS, tol=tolerance, max_iter=10_000).fit(X, y)
    return model.coefs_paths_


def fit_scikit_learn(solver):
    """A function that gives the same of `LogisticRegressionCV`."""

    def fit(X, y, tolerance):
        model = LogisticRegressionCV(
            Cs=CS,
            cv=N_FOLDS,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
            scoring="accuracy",
            solver=solver,
            tol=tolerance,
            max_iter=10_000,
        )
        return model.fit(X, y).coefs_paths_

    return fit


def objectives(X, y, paths):
    """Those of all models, shape (n_folds, n_cs)."""
    values = np.empty((N_FOLDS, len(CS)))
    for fold, (rows, _) in enumerate(StratifiedKFold(N_FOLDS).split(X, y)):
        features, targets = X[rows], y[rows]
        for place, C in enumerate(CS):
            path = paths[fold, 0, place]
            values[fold, place] = objective(features, targets, path[:, :-1], path[:, -1], C)
    return values


@dataclass
class Course:
    """What a side has shown on a set: of each fit, tolerance, seconds and all objectives."""

    tolerances: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    values: list = field(default_factory=list)
    repeated: list = field(default_factory=list)

    def gap(self, lowest):
        """The largest, of the last fit."""
        return float(((self.values[-1] - lowest) / lowest).max())


def climb(fit, X, y, lowest, patience):
    """Fit at tighter and tighter tolerances."""
    course = Course()
    for tolerance in TOLERANCES:
        started = time.perf_counter()
        paths = fit(X, y, tolerance)
        course.seconds.append(time.perf_counter() - started)
        course.tolerances.append(tolerance)
        course.values.append(objectives(X, y, paths))
        if course.gap(lowest) <= WANTED_GAP or course.seconds[-1] > patience:
            break
    return course


def compare(name, X, y, peers, n_repeats, patience):
    """Measure and print a set."""
    n_classes = len(np.unique(y))
    print(
        f"\n{name}: {len(X):,} x {X.shape[1]} x {n_classes}, {len(CS)} penalties, {N_FOLDS} folds"
    )
    lowest = objectives(X, y, fit_ours(X, y, TOLERANCES[-1]))
    sides = {"SoftmaxClassifierCV": fit_ours}
    for solver in peers:
        n_unknowns = (X.shape[1] + 1) * n_classes
        if solver != "newton-cholesky" or n_unknowns <= MOST_UNKNOWNS_OF_COMPLETE_HESSIANS:
            sides[f"LogisticRegressionCV {solver}"] = fit_scikit_learn(solver)
    courses = {side: climb(fit, X, y, lowest, patience) for side, fit in sides.items()}
    ours = courses["SoftmaxClassifierCV"]
    singles = []
    for repeat in range(n_repeats):
        for side, course in courses.items():
            if course.gap(lowest) > WANTED_GAP or (repeat and course.seconds[-1] > patience / 5):
                continue
            started = time.perf_counter()
            sides[side](X, y, course.tolerances[-1])
            course.repeated.append(time.perf_counter() - started)
        started = time.perf_counter()
        SoftmaxClassifier(C=CS[-1], tol=ours.tolerances[-1], max_iter=10_000).fit(X, y)
        singles.append(time.perf_counter() - started)
    times = {}
    for side, course in courses.items():
        gap = course.gap(lowest)
        if gap > WANTED_GAP:
            print(f"  {side:<40}  gave up at gap {gap:.1e} after {course.seconds[-1]:.1f} s")
            continue
        times[side] = float(np.median(course.repeated))
        print(
            f"  {side:<40} {1e3 * times[side]:>11.1f} ms   gap {gap:.1e}   "
            f"tol {course.tolerances[-1]:.0e}"
        )
    record = {side: vars(course) | {"values": None} for side, course in courses.items()}
    single = float(np.median(singles))
    own = times.pop("SoftmaxClassifierCV", np.nan)
    print(f"  -> {own / single:.1f} fits with the weakest penalty, of {1e3 * single:.2f} ms")
    if times:
        fastest = min(times, key=times.get)
        print(f"  -> {times[fastest] / own:.1f} times as fast as {fastest}")
    return record | {"single": single}


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=SETS, help="all by default")
    parser.add_argument("--mnist", help="a file of images")
    parser.add_argument("--quick", action="store_true", help="iris alone")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--patience", type=float, default=120.0)
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=PEERS, help="solvers of LogisticRegressionCV"
    )
    parser.add_argument("--json", default="cross_validation.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = ["iris"] if arguments.quick else arguments.sets or list(SETS)
    loaders = {name: SETS[name] for name in names}
    if arguments.mnist:
        loaders["images, 10,000 x 784 x 10"] = lambda: images(arguments.mnist)
    print(describe())
    records = {
        name: compare(name, *load(), arguments.peers, arguments.repeats, arguments.patience)
        for name, load in loaders.items()
    }
    Path(arguments.json).write_text(
        json.dumps({"machine": describe(), "sets": records}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
