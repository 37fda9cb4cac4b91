"""What two checkouts are compared on, by the public surface of the package alone."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import cases, metrics


@dataclass(frozen=True)
class Workload:
    """Work that both checkouts must do equally.

    Attributes
    ----------
    name : str
    prepare : callable
        Gives the function that is timed.
    outcome : callable
        Of the function's result, numbers that must be equal on both sides.
    tolerance : float
        How far they may differ, as a share of the largest.
    bound : float
        Seconds of a unit; a smaller slowdown is not one.
    n_units : int
        Epochs, fits or calls in a call of the function.
    """

    name: str
    prepare: Callable[[], Callable[[], Any]]
    outcome: Callable[[Any], Any]
    tolerance: float
    bound: float
    n_units: int = 1


def activation(name):
    """The parameter of `SoftmaxClassifier` for what is taken of the logits, as a keyword."""
    from softreg_fast import SoftmaxClassifier

    parameters = inspect.signature(SoftmaxClassifier).parameters
    return {"activation" if "activation" in parameters else "link": name}


def _repeated(function, n_times):
    def run():
        for _ in range(n_times - 1):
            function()
        return function()

    return run


def _regressor(case):
    def prepare():
        from softreg_fast import SoftmaxRegressor

        X, y = case.load()

        def run():
            model = SoftmaxRegressor(0.1, random_state=0, verbose=False, dtype=case.dtype)
            return model.fit(X, y, case.n_epochs, case.batch_size)

        return run

    return Workload(
        f"regressor: {case}", prepare, lambda model: model.losses_,
        1e-9 if case.dtype == "float64" else 1e-4, 20e-6, case.n_epochs,
    )  # fmt: skip


def _fit(label, case, tolerance=1e-6, n_fits=1, sigmoid=False, **settings):
    """Fits of `SoftmaxClassifier`, whose objectives must be equal."""

    def prepare():
        from softreg_fast import SoftmaxClassifier

        X, y = case.load()
        keywords = settings | (activation("sigmoid") if sigmoid else {})
        return _repeated(lambda: SoftmaxClassifier(**keywords).fit(X, y), n_fits)

    def outcome(model):
        if sigmoid:
            X, y = case.load()
            probabilities = model.predict_proba(X)
            return -np.log(probabilities[np.arange(len(y)), y]).mean()
        return metrics.objective(
            *case.load(), model.coef_, model.intercept_,
            settings.get("C", 1.0), settings.get("l1_ratio", 0.0),
        )  # fmt: skip

    name = f"{label}: {case.title}, {case.dtype}"
    return Workload(name, prepare, outcome, tolerance, 100e-6, n_fits)


def _exact(solver, case, **options):
    if case.is_sparse:
        settings = {"C": 0.01, "tol": 1e-5, "tolerance": 1e-4}
    else:
        settings = {"C": 1.0, "tol": 1e-6, "tolerance": 1e-6}
    return _fit(solver, case, solver=solver, max_iter=10_000, **settings, **options)


def _sgd(case, n_epochs, **options):
    # No epoch may be the last one but for their number.
    settings = {"max_iter": n_epochs, "tol": 0.0, "n_iter_no_change": 10_000, "random_state": 0}
    label = f"sgd, {n_epochs} epochs"
    return _fit(label, case, 1e-4, solver="sgd", **settings, **options)


def _stream(case, n_blocks):
    def prepare():
        from softreg_fast import SoftmaxClassifier

        X, y = case.load()
        blocks = np.array_split(np.arange(case.n_samples), n_blocks)

        def run():
            model = SoftmaxClassifier(solver="sgd", random_state=0, n_samples_total=case.n_samples)
            for rows in blocks:
                model.partial_fit(X[rows], y[rows], classes=np.arange(case.n_classes))
            return model

        return run

    def outcome(model):
        return metrics.objective(*case.load(), model.coef_, model.intercept_)

    name = f"partial_fit: {case.title}, {case.dtype}"
    return Workload(name, prepare, outcome, 1e-4, 100e-6, n_blocks)


def _cross_validation(case, n_cs, **settings):
    def prepare():
        from softreg_fast import SoftmaxClassifierCV

        X, y = case.load()
        keywords = {"Cs": n_cs, "cv": 5, "scoring": "neg_log_loss", "tol": 1e-5} | settings
        return lambda: SoftmaxClassifierCV(**keywords).fit(X, y)

    label = f"cross-validation, {n_cs} penalties"
    label += "".join(f", {name}={value}" for name, value in settings.items())
    name = f"{label}: {case.title}, {case.dtype}"
    return Workload(name, prepare, lambda model: model.scores_, 1e-3, 1e-3)


def _prediction(method, case, n_rows, n_calls, bound):
    """Calls of a fitted classifier; probabilities and labels must be equal."""

    def prepare():
        from softreg_fast import SoftmaxClassifier

        X, y = case.load()
        model = SoftmaxClassifier(solver="lbfgs", max_iter=2).fit(X[:5000], y[:5000])
        # The same coefficients on both sides, whatever their solvers do.
        random = np.random.default_rng(0)
        for name in ("coef_", "intercept_"):
            fitted = getattr(model, name)
            setattr(model, name, random.standard_normal(fitted.shape).astype(fitted.dtype))
        predict, rows = getattr(model, method), X[:n_rows]
        return _repeated(lambda: predict(rows), n_calls)

    rows = "one row" if n_rows == 1 else f"{n_rows:,} rows"
    name = f"{method}, {rows}: {case.title}, {case.dtype}"
    tolerance = 1e-9 if case.dtype == "float64" else 1e-4
    return Workload(name, prepare, lambda result: result, tolerance, bound, n_calls)


def _prediction_of_regressor(case, n_rows, n_calls, bound):
    def prepare():
        from softreg_fast import SoftmaxRegressor

        X, y = case.load()
        model = SoftmaxRegressor(0.1, random_state=0, verbose=False)
        model.fit(X, y, 2, case.batch_size)
        rows = X[:n_rows]
        return _repeated(lambda: model.predict(rows), n_calls)

    rows = "one row" if n_rows == 1 else f"{n_rows:,} rows"
    name = f"regressor's predict, {rows}: {case.title}, {case.dtype}"
    return Workload(name, prepare, lambda result: result, 1e-9, bound, n_calls)


def _predictions():
    small, sparse = cases.case("small-covertype"), cases.case("small-text")
    for method in ("predict_proba", "predict"):
        yield _prediction(method, small, 1, 300, 2e-6)
        yield _prediction(method, small, small.n_samples, 10, 50e-6)
        yield _prediction(method, sparse, 1, 100, 5e-6)
        yield _prediction(method, sparse, sparse.n_samples, 3, 100e-6)
    yield _prediction_of_regressor(small, 1, 1000, 1e-6)
    yield _prediction_of_regressor(small, small.n_samples, 10, 50e-6)


def all_workloads():
    """What is compared, in the order of the table."""
    iris, digits, small = (cases.case(name) for name in ("iris", "digits", "small-covertype"))
    small_float32 = cases.case("small-covertype", dtype="float32")
    two_classes = cases.dense(50_000, 54, 2)
    text, narrow_text = cases.case("small-text"), cases.case("narrow-text")
    return [
        *(
            _regressor(cases.dense(*shape, batch_size=size, n_epochs=n_epochs, dtype=dtype))
            for *shape, size, n_epochs, dtype in [
                (150, 4, 3, 150, 3000, "float64"),
                (150, 4, 3, 16, 2000, "float64"),
                (1797, 64, 10, 64, 60, "float64"),
                (20_000, 784, 10, 128, 4, "float64"),
                (20_000, 784, 10, 128, 4, "float32"),
                (200_000, 20, 5, 256, 4, "float64"),
                (5_000, 200, 100, 256, 4, "float64"),
            ]
        ),
        _exact("newton", iris, n_fits=20),
        _exact("newton", digits, n_fits=3),
        _exact("newton", small),
        _exact("newton", small_float32),
        _exact("newton", two_classes),
        _exact("newton", narrow_text),
        _exact("lbfgs", iris, n_fits=10),
        _exact("lbfgs", digits, n_fits=2),
        _exact("lbfgs", small),
        _exact("lbfgs", narrow_text),
        _exact("lbfgs", text),
        _fit("sigmoid lbfgs", digits, tolerance=1e-3, sigmoid=True, solver="lbfgs", tol=1e-6,
             max_iter=200),
        _sgd(iris, 200, n_fits=5),
        _sgd(digits, 50, n_fits=3),
        _sgd(small, 10),
        _sgd(small_float32, 10),
        _sgd(two_classes, 10),
        _sgd(narrow_text, 10),
        _sgd(text, 5),
        _stream(small, 20),
        _fit("L1 newton", iris, n_fits=10, solver="newton", l1_ratio=1.0, C=0.1, tol=1e-6),
        _fit("L1 newton", digits, solver="newton", l1_ratio=1.0, C=0.1, tol=1e-6),
        _fit("elastic net newton", small, solver="newton", l1_ratio=0.5, C=0.01, tol=1e-6),
        _cross_validation(iris, 20),
        _cross_validation(cases.case("wine"), 10),
        _cross_validation(small, 5),
        _cross_validation(iris, 5, l1_ratios=(1.0,)),
        *_predictions(),
    ]  # fmt: skip
