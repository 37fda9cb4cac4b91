"""Timings of `SoftmaxRegressor` beside plain NumPy and the notebook's form.

Run `pytest bench --benchmark-only`; with `-m "not long"` in about a minute.
"""

from functools import cache

import numpy as np
import pytest
from datasets import DATASETS, Dataset
from implementations import IMPLEMENTATIONS, Reference

BATCH_EPOCHS = 100

SETS = [
    pytest.param(dataset, id=f"{dataset.name}-{place}", marks=[pytest.mark.long] * dataset.is_long)
    for place, dataset in enumerate(DATASETS)
]
pytestmark = [
    pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda each: each.name),
    pytest.mark.parametrize("dataset", SETS),
]


@cache
def _expected_losses(dataset: Dataset, n_samples: int, n_epochs: int):
    features, labels = dataset.load()
    return Reference().fit(
        features[:n_samples],
        labels[:n_samples],
        dataset.learning_rate,
        n_epochs,
        dataset.batch_size,
    )


def _time_fit(benchmark, implementation, dataset, n_samples, n_epochs):
    features, labels = dataset.load()
    instance = implementation()
    benchmark.name = implementation.name
    losses = benchmark.pedantic(
        instance.fit,
        (
            features[:n_samples],
            labels[:n_samples],
            dataset.learning_rate,
            n_epochs,
            dataset.batch_size,
        ),
        rounds=3 if dataset.is_long else 5,
        warmup_rounds=1,
    )
    expected = _expected_losses(dataset, n_samples, n_epochs)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)


def test_fit(benchmark, implementation, dataset):
    """Whole training; the table's times are of all epochs, `seconds_per_epoch` is in the JSON."""
    epochs = "1 epoch" if dataset.n_epochs == 1 else f"{dataset.n_epochs} epochs"
    benchmark.group = f"fit, {epochs}: {dataset}"
    _time_fit(benchmark, implementation, dataset, None, dataset.n_epochs)
    if benchmark.stats:
        benchmark.extra_info["seconds_per_epoch"] = benchmark.stats["median"] / dataset.n_epochs


def test_one_batch(benchmark, implementation, dataset):
    """The rows of one batch alone, again and again: everything is in the cache."""
    benchmark.group = f"fit, {BATCH_EPOCHS} epochs of one batch: {dataset}"
    _time_fit(benchmark, implementation, dataset, dataset.batch_size, BATCH_EPOCHS)


def test_predict(benchmark, implementation, dataset):
    """Probabilities of all rows."""
    features, labels = dataset.load()
    arguments = features, labels, dataset.learning_rate, 1, dataset.batch_size
    instance, oracle = implementation(), Reference()
    instance.fit(*arguments)
    oracle.fit(*arguments)
    benchmark.group = f"predict: {dataset}"
    benchmark.name = implementation.name
    probabilities = benchmark.pedantic(
        instance.predict, (features,), rounds=3 if dataset.is_long else 20, warmup_rounds=1
    )
    np.testing.assert_allclose(probabilities, oracle.predict(features), rtol=1e-9)
