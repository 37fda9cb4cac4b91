"""The notebook from its first cell to its last, and a comparison with plain NumPy."""

import math
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from .. import reference
from .._typing import FloatArray
from ..data.checks import check_integer
from ..estimators.regressor import SoftmaxRegressor
from ..kernels.predict import predict
from ..kernels.sgd_notebook import run_epochs
from ..objective.loss import NOTEBOOK_ACTIVATION
from ..runtime.workspace import specialise
from .csv_table import Table
from .two_samples import SAMPLES, TARGETS, run_two_samples

_SHOWN_ROW = 40
_REPEATS = 3


@dataclass(frozen=True)
class Demonstration:
    """What to show.

    Attributes
    ----------
    table : Table
    seed : int
        Of NumPy's global generator.
    learning_rate : float
    n_epochs, batch_size, early_stopping : int
        As `SoftmaxRegressor.fit` takes them.
    verbose : bool
        Whether to print a line for each epoch.
    """

    table: Table
    seed: int
    learning_rate: float
    n_epochs: int
    batch_size: int
    early_stopping: int
    verbose: bool


@dataclass(frozen=True)
class _Reference:
    seconds: float
    losses: list[float]
    weights: FloatArray
    bias: FloatArray


def _shuffle_and_scale(
    table: Table,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Rows in random order; features scaled by the smallest and largest of them all."""
    rows = np.append(table.features, table.labels[:, None], axis=1)
    np.random.shuffle(rows)
    features, labels = rows[:, :-1], rows[:, -1].astype(np.int64)
    smallest, largest = float(features.min()), float(features.max())
    if not 0 < largest - smallest < math.inf:
        raise ValueError(
            f"the features of {table.name} range from {smallest} to {largest}: "
            "they must not all be the same, nor their range infinite"
        )
    return np.asarray((features - smallest) / (largest - smallest), np.float64), labels


def _train_reference(
    demonstration: Demonstration,
    features: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    n_epochs: int,
) -> _Reference:
    np.random.seed(demonstration.seed)
    n_classes = int(labels.max()) + 1
    weights: FloatArray = np.random.uniform(0, 1, (features.shape[1], n_classes))
    bias: FloatArray = np.random.uniform(0, 1, n_classes)
    losses = []
    started = time.perf_counter()
    for _ in range(n_epochs):
        loss, _, weights, bias = reference.epoch(
            features,
            labels,
            weights,
            bias,
            demonstration.learning_rate,
            demonstration.batch_size,
            NOTEBOOK_ACTIVATION,
            "notebook",
        )
        losses.append(loss)
    return _Reference(time.perf_counter() - started, losses, weights, bias)


def _fit(
    demonstration: Demonstration,
    features: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    *,
    gradient: str,
    verbose: bool,
) -> SoftmaxRegressor:
    model = SoftmaxRegressor(demonstration.learning_rate, gradient=gradient, verbose=verbose)
    np.random.seed(demonstration.seed)
    return model.fit(
        features,
        labels,
        demonstration.n_epochs,
        demonstration.batch_size,
        demonstration.early_stopping,
    )


def demonstrate(demonstration: Demonstration) -> None:
    """Train, predict, compare, and print it all.

    Parameters
    ----------
    demonstration : Demonstration

    Raises
    ------
    TypeError, ValueError
        An argument is not allowed.
    """
    table = demonstration.table
    check_integer("seed", demonstration.seed, minimum=0, maximum=2**32 - 1)
    np.random.seed(demonstration.seed)
    features, labels = _shuffle_and_scale(table)
    started = time.perf_counter()
    specialisation = specialise(features, np.dtype(np.float64), len(table.class_names))
    run_epochs.specialise(specialisation)
    predict.specialise(specialisation)
    compile_seconds = time.perf_counter() - started

    print(f"data: {table.name}, {features.shape[0]} rows, {features.shape[1]} features")
    if table.left_out:
        print(f"left out, since they number the rows: {', '.join(table.left_out)}")
    names = ", ".join(f"{code} = {name}" for code, name in enumerate(table.class_names))
    print(f"classes: {names}")
    print(
        f"SoftmaxRegressor({demonstration.learning_rate}).fit(X, y, {demonstration.n_epochs}, "
        f"{demonstration.batch_size}, {demonstration.early_stopping})",
        flush=True,
    )
    model = _fit(
        demonstration, features, labels, gradient="notebook", verbose=demonstration.verbose
    )
    row = min(_SHOWN_ROW, len(features) - 1)
    print(f"X[None, {row}, :]\n{features[None, row, :]}")
    print(
        f"model.predict(X[None, {row}, :], False)\n{model.predict(features[None, row, :], False)}"
    )

    n_epochs = len(model.losses_)
    references, kernel_seconds = [], []
    for _ in range(_REPEATS):
        references.append(_train_reference(demonstration, features, labels, n_epochs))
        started = time.perf_counter()
        model = _fit(demonstration, features, labels, gradient="notebook", verbose=False)
        kernel_seconds.append(time.perf_counter() - started)
    exact = _fit(demonstration, features, labels, gradient="exact", verbose=False)
    last = references[-1]
    difference = max(
        np.abs(model.losses_ - last.losses).max(),
        np.abs(model.coeffs - last.weights).max(),
        np.abs(model.biases - last.bias).max(),
    )
    numpy_time, kernel_time = median(each.seconds for each in references), median(kernel_seconds)
    speedup = numpy_time / kernel_time
    print(
        f"""
training, {n_epochs} epochs with their accuracies (median of {_REPEATS}, warm)
  plain NumPy (reference.py)            {numpy_time:.4g} s
  compiled kernels                      {kernel_time:.4g} s, {speedup:.1f} times as fast
  compiling them, or loading from disk  {compile_seconds:.4g} s, not included above
  largest difference between the two    {difference:.2g} (losses, coefficients, biases)

gradient     epochs  final loss  final accuracy"""
    )
    for trained in (model, exact):
        print(
            f"{trained.gradient:<11}{len(trained.losses_):>8}"
            f"{trained.losses_[-1]:>12.6f}{trained.accuracies_[-1]:>16.4f}"
        )
    _show_two_samples()


def _show_two_samples() -> None:
    """Print what the notebook's last cells calculate."""
    found = run_two_samples()
    print(
        f"""
two samples of the classes {TARGETS.tolist()}, all coefficients and biases one
{SAMPLES}
probabilities
{found.preds}
losses
{found.losses}"""
    )
    for form in ("notebook", "exact"):
        print(f"gradient of the coefficients, {form}\n{found.dcoeffs[form]}")
        print(f"gradient of the biases, {form}\n{found.dbiases[form]}")
    print(
        "All probabilities are equal here, those of the true classes too: so both gradients are "
        "the same."
    )
