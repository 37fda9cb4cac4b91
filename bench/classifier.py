"""`SoftmaxClassifier` against scikit-learn, and against its own kernels.

``python bench/classifier.py`` prints five tables: what checks cost on iris; epochs of gradient
descent against the bare kernels of `SoftmaxRegressor` (identity activation, the same batches, no
accuracy; the same parameters are asserted); an epoch and the way to a test loss on two classes and
on sparse rows against `SGDClassifier`; and fits against `LogisticRegression`, with how far each
side's objective is above the lowest known one. All sides take turns in one process; times are
medians.
"""

import argparse
import time
import warnings

import numpy as np
import scipy.sparse
from machine import describe
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from softreg_fast import SoftmaxClassifier
from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent
from softreg_fast.solvers.sgd.dense import ProximalDescent
from softreg_fast.solvers.sgd.iteration import ProximalSettings

warnings.simplefilter("ignore", ConvergenceWarning)


def dense_rows(n_samples, n_features, n_classes, seed=0):
    """Normal features and labels that depend on them."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((n_samples, n_features))
    scores = features @ (random.standard_normal((n_features, n_classes)) / np.sqrt(n_features))
    return features, (scores + random.gumbel(size=scores.shape)).argmax(axis=1)


def sparse_rows(n_samples, n_features, n_elements, n_classes, seed=0):
    """Rows whose elements' columns have the frequencies of Zipf's law, float32."""
    random = np.random.default_rng(seed)
    shares = np.cumsum(1.0 / np.arange(1, n_features + 1))
    columns = np.searchsorted(shares / shares[-1], random.random((n_samples, n_elements)))
    columns = np.sort(columns, axis=1).astype(np.int32)
    values = (1.0 + random.exponential(size=columns.shape)).astype(np.float32)
    pointers = np.arange(0, n_samples * n_elements + 1, n_elements, dtype=np.int32)
    matrix = scipy.sparse.csr_array(
        (values.ravel(), columns.ravel(), pointers), shape=(n_samples, n_features)
    )
    matrix.sum_duplicates()
    weights = 0.7 * random.standard_normal((n_features, n_classes)).astype(np.float32)
    scores = matrix @ weights
    return matrix, (scores + random.gumbel(size=scores.shape)).argmax(axis=1)


def timed(function):
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def medians(variants, n_repeats):
    """Median seconds of each of some functions, called in turns, and their last results."""
    results = [function() for function in variants]
    times = [[] for _ in variants]
    for _ in range(n_repeats):
        for place, function in enumerate(variants):
            seconds, results[place] = timed(function)
            times[place].append(seconds)
    return [float(np.median(each)) for each in times], results


def show_checks(n_repeats):
    """Checks and encoding, which take the place of scikit-learn's for plain arrays."""
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier()

    def prepare():
        model._check_parameters()
        problem, classes = model._make_problem(X, y, None)
        return model._start(problem, classes, None, None)

    def validate():
        return validate_data(
            model, X, y, accept_sparse="csr", dtype=(np.float64, np.float32),
            ensure_all_finite=False,
        )  # fmt: skip

    times, _ = medians([prepare, validate], 20 * n_repeats)
    print("| checks and encoding of iris | microseconds |\n|---|---|")
    print(f"| scikit-learn's `validate_data` | {1e6 * times[1]:.0f} |")
    print(f"| all of `SoftmaxClassifier` | {1e6 * times[0]:.0f} |")
    print()


def show_epochs(n_repeats):
    """Epochs against the bare kernels."""
    print("| epochs, ns per row | bare kernels | classifier's | with averaging | shuffled |")
    print("|---|---|---|---|---|")
    for n_samples, n_features, n_classes, batch_size, dtype in [
        (150, 4, 3, 150, "float64"),
        (150, 4, 3, 16, "float64"),
        (200_000, 54, 7, 256, "float64"),
        (200_000, 54, 7, 256, "float32"),
        (200_000, 54, 2, 256, "float64"),
        (30_000, 784, 10, 256, "float32"),
    ]:
        X, y = dense_rows(n_samples, n_features, n_classes)
        n_columns = 1 if n_classes == 2 else n_classes
        problem = make_problem(X.astype(dtype), y, "identity", np.dtype(dtype))
        n_epochs = max(2, 400_000 // n_samples)
        start = np.zeros((n_features, n_columns)), np.zeros(n_columns)
        bare_settings = DescentSettings(0.01, batch_size, n_epochs, 0, "exact", score=False)

        def bare(settings=bare_settings, problem=problem, start=start):
            descent = GradientDescent(problem, settings, *start, None)
            return timed(lambda: descent.run(EpochLog(verbose=False)))[0], descent.solution

        def ours(method, seed, problem=problem, start=start, size=batch_size, n_epochs=n_epochs):
            settings = ProximalSettings(
                "constant", 0.01, size, n_epochs, 0, 0.0, method, 0.0, "none", shuffle_seed=seed
            )
            descent = ProximalDescent(problem, settings, start, None)
            return timed(descent.run)[0], descent.solution

        variants = [
            bare,
            lambda: ours("plain", None),
            lambda: ours("averaged", None),
            lambda: ours("averaged", 1),
        ]
        runs = [[function() for function in variants] for _ in range(n_repeats + 1)][1:]
        times = [float(np.median([run[place][0] for run in runs])) for place in range(4)]
        rows = n_epochs * n_samples
        if n_samples % batch_size == 0:
            tolerance = 1e-9 if dtype == "float64" else 1e-3
            np.testing.assert_allclose(
                runs[0][0][1][0], runs[0][1][1][0], rtol=tolerance, atol=tolerance
            )
        cells = [f"{1e9 * times[0] / rows:.1f}"]
        cells += [f"{1e9 * each / rows:.1f} ({each / times[0]:.2f}x)" for each in times[1:]]
        name = f"{n_samples:,} x {n_features} x {n_classes}, batches of {batch_size}, {dtype}"
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print()


def show_against_sgd_classifier(name, X, y, X_test, y_test, n_repeats, batch_size):
    """An epoch, and the way to the test loss that `SGDClassifier` reaches at its best.

    Both sides choose among the same penalties, `alpha` being ``1 / (n_samples * C)``.
    """
    alphas = 1e-6, 1e-5, 1e-4, 1e-3

    def ours(n_epochs, **settings):
        return SoftmaxClassifier(
            solver="sgd", max_iter=n_epochs, tol=0.0, random_state=0, **settings
        ).fit(X, y)

    def theirs(n_epochs, alpha=1e-4):
        return SGDClassifier(
            loss="log_loss", max_iter=n_epochs, tol=None, n_jobs=2, random_state=0, alpha=alpha
        ).fit(X, y)

    def loss_of(model):
        return log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)

    times, models = medians(
        [
            lambda: ours(2, batch_size=batch_size, n_iter_no_change=100),
            lambda: ours(12, batch_size=batch_size, n_iter_no_change=100),
            lambda: theirs(2),
            lambda: theirs(12),
        ],
        n_repeats,
    )
    assert [model.n_iter_ for model in models] == [2, 12, 2, 12]
    ours_epoch, theirs_epoch = (times[1] - times[0]) / 10, (times[3] - times[2]) / 10
    print(f"| {name} | softreg_fast | SGDClassifier | ratio |\n|---|---|---|---|")
    print(
        f"| seconds per epoch, batches of {batch_size} | {ours_epoch:.3f} | {theirs_epoch:.3f} | "
        f"{theirs_epoch / ours_epoch:.1f}x |"
    )
    best = min(
        (loss_of(model), seconds, alpha, n_epochs)
        for alpha in alphas
        for n_epochs in (1, 2, 5, 10, 20)
        for seconds, model in [timed(lambda a=alpha, e=n_epochs: theirs(e, a))]
    )
    reached = [
        (seconds, loss_of(model), alpha, n_epochs)
        for alpha in alphas
        for n_epochs in (1, 2, 3, 5, 8, 12)
        for seconds, model in [timed(lambda a=alpha, e=n_epochs: ours(e, C=1 / (a * len(y))))]
        if loss_of(model) <= best[0]
    ]
    if not reached:
        print(f"| to the test loss of {best[0]:.4f} | not reached in 12 epochs | {best[1]:.2f} |")
        return
    seconds, found, alpha, n_epochs = min(reached)
    print(
        f"| to the test loss of {best[0]:.4f}, theirs with alpha={best[2]:g} and {best[3]} epochs; "
        f"ours {found:.4f} with alpha={alpha:g} and {n_epochs} | {seconds:.2f} s | {best[1]:.2f} s "
        f"| {best[1] / seconds:.1f}x |\n",
        flush=True,
    )


def _objective(model, X, y):
    penalty = 0.5 * (model.coef_**2).sum() / len(y)
    return log_loss(y, model.predict_proba(X), labels=model.classes_) + penalty


def show_fits(n_repeats):
    """Fits with default parameters."""
    print(
        "Fits with C=1, milliseconds, and in brackets the objective above the lowest known one.\n"
    )
    print("| data | softreg_fast | softreg_fast sgd | LogisticRegression |\n|---|---|---|---|")
    sets = []
    for load in (load_iris, load_wine, load_breast_cancer, load_digits):
        X, y = load(return_X_y=True)
        sets.append((load.__name__[5:], StandardScaler().fit_transform(X), y))
        sets.append((f"{load.__name__[5:]}, not standardised", X, y))
    sets.append(("200,000 x 54 x 7", *dense_rows(200_000, 54, 7)))
    for name, X, y in sets:
        lowest = _objective(SoftmaxClassifier(tol=1e-8, max_iter=5000).fit(X, y), X, y)
        times, models = medians(
            [
                lambda X=X, y=y: SoftmaxClassifier().fit(X, y),
                lambda X=X, y=y: SoftmaxClassifier(solver="sgd", random_state=0).fit(X, y),
                lambda X=X, y=y: LogisticRegression(max_iter=1000).fit(X, y),
            ],
            n_repeats,
        )
        cells = [
            f"{1e3 * seconds:.1f} ({_objective(model, X, y) / lowest - 1:.0e})"
            for seconds, model in zip(times, models, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="the first table alone")
    arguments = parser.parse_args()
    n_repeats = arguments.repeats
    print(describe() + "\n")
    show_checks(n_repeats)
    if arguments.quick:
        return
    show_epochs(n_repeats)
    X, y = dense_rows(600_000, 54, 2)
    show_against_sgd_classifier(
        "two classes, 500,000 x 54", X[:500_000], y[:500_000], X[500_000:], y[500_000:],
        n_repeats, 256,
    )  # fmt: skip
    X, y = sparse_rows(110_000, 500_000, 60, 20)
    show_against_sgd_classifier(
        "sparse, 100,000 x 500,000 x 20, 60 elements a row, float32", X[:100_000], y[:100_000],
        X[100_000:], y[100_000:], max(1, n_repeats // 2), 256,
    )  # fmt: skip
    show_fits(n_repeats)


if __name__ == "__main__":
    main()
