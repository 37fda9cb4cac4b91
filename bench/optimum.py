"""How long solvers take to the optimum: exact solvers of this package and of others.

``python bench/optimum.py`` fits every set with every solver at tighter and tighter tolerances until
the objective, recomputed outside in float64, is within 1e-6 of the lowest known one, relatively.
That tolerance's fit is repeated, all solvers taking turns in one process; the table gives medians.
The lowest objective has a certificate of its own (`gap_`). Peers that aren't installed are left out
(the extra `bench` has them); `--mnist FILE` adds a set of 10,000 images, an npz file of `X`, bytes
of shape (10000, 784), and `y`.
"""

import argparse
import json
import time
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from machine import describe
from scipy.special import logsumexp
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier

C = 1.0
WANTED_GAP = 1e-6
TOLERANCES = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS = 2e10
MOST_UNKNOWNS_OF_COMPLETE_HESSIANS = 2_000


def rows(n_samples, n_features, n_classes, seed, *, correlation=0.5, spread=1.0, is_bad=False):
    """Correlated features and labels that depend on them.

    If they are to be bad, features have heavy tails, classes are unbalanced, and the last one has
    ten rows.
    """
    random = np.random.default_rng(seed)
    shape = n_samples, n_features
    features = random.standard_t(3, shape) if is_bad else random.standard_normal(shape)
    mixing = random.standard_normal((n_features, n_features)) / np.sqrt(n_features)
    features = features @ ((1.0 - correlation) * np.eye(n_features) + correlation * mixing)
    scores = features @ (spread * random.standard_normal((n_features, n_classes)))
    scores += random.standard_normal(n_classes) * (1.5 if is_bad else 0.3)
    labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    if is_bad:
        labels[labels == n_classes - 1] = 0
        labels[random.choice(n_samples, 10, replace=False)] = n_classes - 1
    return StandardScaler().fit_transform(features), labels


def bundled(load):
    """A set that scikit-learn ships, standardised."""
    features, labels = load(return_X_y=True)
    return StandardScaler().fit_transform(features), labels


def images(path):
    """Images of digits, scaled to 0..1."""
    with np.load(path) as file:
        return file["X"] / 255.0, file["y"].astype(np.int64)


SETS = {
    "iris": lambda: bundled(load_iris),
    "wine": lambda: bundled(load_wine),
    "digits": lambda: bundled(load_digits),
    "20,000 x 16 x 26": lambda: rows(20_000, 16, 26, 1, spread=0.7, is_bad=True),
    "58,000 x 9 x 7": lambda: rows(58_000, 9, 7, 2, correlation=0.9, spread=2.0, is_bad=True),
    "500,000 x 54 x 7": lambda: rows(500_000, 54, 7, 3, spread=0.3),
    "500,000 x 54 x 2": lambda: rows(500_000, 54, 2, 4, spread=0.3),
}


def fit_ours(solver):
    """A function that fits `SoftmaxClassifier`."""

    def fit(X, y, tolerance):
        model = SoftmaxClassifier(C=C, solver=solver, tol=tolerance, max_iter=10_000).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def fit_scikit_learn(solver, classifier=LogisticRegression):
    """A function that fits `LogisticRegression`; None where that can't be waited for."""

    def fit(X, y, tolerance):
        n_classes = len(np.unique(y))
        n_unknowns = (X.shape[1] + 1) * (n_classes - (n_classes == 2))
        if solver == "newton-cholesky" and n_unknowns > MOST_UNKNOWNS_OF_COMPLETE_HESSIANS:
            return None
        max_iter = 10_000
        if solver == "saga":
            n_products = X.size * n_classes
            max_iter = int(min(max_iter, MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS // n_products))
        model = classifier(C=C, solver=solver, tol=tolerance, max_iter=max_iter).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def fit_cyanure(X, y, tolerance):
    """Cyanure's solver, which it chooses itself."""
    from cyanure.estimators import Classifier

    n_classes = len(np.unique(y))
    max_iter = int(min(1_000, MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS // (X.size * n_classes)))
    model = Classifier(
        loss="logistic" if n_classes == 2 else "multiclass-logistic",
        penalty="l2",
        lambda_1=1.0 / (C * len(X)),
        fit_intercept=True,
        tol=tolerance,
        max_iter=max_iter,
        verbose=False,
    )
    model.fit(X, y)
    coef = np.asarray(model.coef_)
    if n_classes > 2:
        coef = coef.T
    return coef.reshape(-1, X.shape[1]), np.atleast_1d(model.intercept_).ravel()


def all_solvers():
    """Names and functions of what is installed."""
    solvers = {"softreg_fast": fit_ours("auto"), "softreg_fast lbfgs": fit_ours("lbfgs")}
    for name in ("lbfgs", "newton-cg", "newton-cholesky", "saga"):
        solvers[f"scikit-learn {name}"] = fit_scikit_learn(name)
    try:
        from sklearnex.linear_model import LogisticRegression as IntelClassifier

        for name in ("lbfgs", "newton-cg"):
            solvers[f"scikit-learn-intelex {name}"] = fit_scikit_learn(name, IntelClassifier)
    except ImportError:
        print("scikit-learn-intelex is not installed")
    if find_spec("cyanure"):
        solvers["cyanure"] = fit_cyanure
    else:
        print("cyanure is not installed")
    return solvers


def objective(X, y, coef, intercept, C=C):
    """The objective of `LogisticRegression`, divided by C, in float64."""
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    loss = 0.0
    for block in np.array_split(np.arange(len(X)), -(-len(X) // 20_000)):
        logits = X[block] @ coef.T + intercept
        if len(coef) == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        loss += (logsumexp(logits, axis=1) - logits[np.arange(len(block)), y[block]]).sum()
    return loss + 0.5 * np.sum(coef**2) / C


@dataclass
class Course:
    """What a solver has shown on a set.

    Attributes
    ----------
    tolerances, seconds, objectives : list of float
        Of each fit.
    repeated : list of float
        Seconds of further fits at the tolerance that suffices.
    """

    tolerances: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    objectives: list = field(default_factory=list)
    repeated: list = field(default_factory=list)

    def gaps(self, lowest):
        """Of each fit, how far it is above the lowest objective, relatively."""
        return [max(value - lowest, 0.0) / lowest for value in self.objectives]

    def suffices(self, lowest):
        """Whether the last fit is near enough."""
        return bool(self.objectives) and self.gaps(lowest)[-1] <= WANTED_GAP


def climb(fit, X, y, lowest, patience):
    """Fit at tighter and tighter tolerances."""
    course = Course()
    for tolerance in TOLERANCES:
        started = time.perf_counter()
        model = fit(X, y, tolerance)
        elapsed = time.perf_counter() - started
        if model is None:
            break
        course.tolerances.append(tolerance)
        course.seconds.append(elapsed)
        course.objectives.append(objective(X, y, *model))
        if course.suffices(lowest) or elapsed > patience:
            break
    return course


def compare(name, X, y, solvers, n_repeats, patience):
    """All solvers' courses on a set."""
    best = SoftmaxClassifier(C=C, gap_tol=1e-10, max_iter=10_000).fit(X, y)
    lowest = objective(X, y, best.coef_, best.intercept_)
    print(f"\n{name}: {len(X):,} x {X.shape[1]} x {len(np.unique(y))}")
    print(f"lowest objective {lowest:.10g}, proven within {best.gap_:.1e} of the optimum")
    for fit in solvers.values():  # imports, compiling
        few = X[:200]
        fit(few, np.arange(len(few)) % len(np.unique(y)), 1e-1)
    courses = {solver: climb(fit, X, y, lowest, patience) for solver, fit in solvers.items()}
    reached = min(min(course.objectives, default=np.inf) for course in courses.values())
    assert reached >= lowest * (1.0 - 1e-9), "another solver is below the certified optimum"
    for repeat in range(n_repeats):
        for solver, course in courses.items():
            if not course.suffices(lowest) or (repeat and course.seconds[-1] > patience / 5):
                continue
            started = time.perf_counter()
            solvers[solver](X, y, course.tolerances[-1])
            course.repeated.append(time.perf_counter() - started)
    return lowest, courses


def print_table(lowest, courses):
    """Times of those that got there, how far the others got, and the ratio of the fastest peer."""
    times = {}
    for solver, course in courses.items():
        if not course.objectives:
            print(f"  {solver:<30}  not run: too many unknowns")
            continue
        gap = course.gaps(lowest)[-1]
        if course.suffices(lowest):
            times[solver] = float(np.median(course.repeated))
            print(
                f"  {solver:<30} {1e3 * times[solver]:>11.2f} ms   gap {gap:.1e}   "
                f"tol {course.tolerances[-1]:.0e}"
            )
        else:
            print(f"  {solver:<30}  gave up at gap {gap:.1e} after {course.seconds[-1]:.1f} s")
    peers = {solver: each for solver, each in times.items() if "softreg_fast" not in solver}
    if peers and "softreg_fast" in times:
        fastest = min(peers, key=peers.get)
        ratio = peers[fastest] / times["softreg_fast"]
        print(f"  -> {ratio:.1f} times as fast as {fastest}")
        return ratio
    return None


def draw(path, results):
    """Objective gap against time, one line for each solver."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    n_rows = -(-len(results) // 2)
    figure, axes = plt.subplots(n_rows, 2, figsize=(12, 3.6 * n_rows), squeeze=False)
    for axis, (name, (lowest, courses)) in zip(axes.ravel(), results.items(), strict=False):
        for solver, course in courses.items():
            gaps = np.maximum(course.gaps(lowest), 1e-14)
            is_ours = solver.startswith("softreg_fast")
            axis.loglog(course.seconds, gaps, "o-", label=solver, linewidth=2.5 if is_ours else 1)
        axis.axhline(WANTED_GAP, color="grey", linestyle=":")
        axis.set(title=name, xlabel="seconds", ylabel="objective above optimum, relative")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", choices=SETS, help="all by default")
    parser.add_argument("--mnist", help="a file of images")
    parser.add_argument("--quick", action="store_true", help="iris and wine alone")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        help="seconds; a solver is given up after a longer fit that has not got there",
    )
    parser.add_argument("--json", default="optimum.json")
    parser.add_argument("--picture", help="a file to draw to")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = ["iris", "wine"] if arguments.quick else arguments.sets or list(SETS)
    loaders = {name: SETS[name] for name in names}
    if arguments.mnist:
        loaders["images, 10,000 x 784 x 10"] = lambda: images(arguments.mnist)
    solvers = all_solvers()
    print(describe())
    results, ratios = {}, {}
    for name, load in loaders.items():
        X, y = load()
        results[name] = compare(name, X, y, solvers, arguments.repeats, arguments.patience)
        ratios[name] = print_table(*results[name])
    record = {
        "machine": describe(),
        "ratios": ratios,
        "sets": {
            name: {
                "lowest": lowest,
                "solvers": {solver: vars(course) for solver, course in courses.items()},
            }
            for name, (lowest, courses) in results.items()
        },
    }
    Path(arguments.json).write_text(json.dumps(record, indent=1))
    if arguments.picture:
        draw(arguments.picture, results)


if __name__ == "__main__":
    main()
