"""The numbers that the notebook's own code gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from softreg_fast import SoftmaxRegressor, categorical_crossentropy, reference, sigmoid, softmax
from softreg_fast.cli.two_samples import SAMPLES, TARGETS, run_two_samples

GOLDEN = json.loads((Path(__file__).parent / "data" / "notebook_runs.json").read_text())
TWO_SAMPLES = json.loads((Path(__file__).parent / "data" / "two_samples.json").read_text())
RUNS = [(name, run) for name in ("iris", "gaussian") for run in GOLDEN[name]["runs"]]


def _gaussian(scale):
    random = np.random.RandomState(7)
    features = random.standard_normal((203, 17))
    labels = random.randint(0, 5, 203)
    labels[-1] = 4
    return features * scale, labels


@pytest.mark.parametrize(
    ("name", "run"),
    [
        pytest.param(
            name, run, id=f"{name}-{run['init_seed']}", marks=[pytest.mark.full] * (name != "iris")
        )
        for name, run in RUNS
    ],
)
def test_whole_run_equals_the_notebook(name, run, iris):
    x, y = iris if name == "iris" else _gaussian(40 if run["init_seed"] == 13 else 1)
    np.random.seed(run["init_seed"])
    model = SoftmaxRegressor(run["lr"], verbose=False)

    model.fit(x, y, run["epochs"], run["batch_size"], run["early_stopping"])

    assert len(model.losses_) == run["n_epochs"]
    np.testing.assert_array_equal(model.accuracies_, run["accuracies"])
    for found, expected in [
        (model.losses_, run["losses"]),
        (model.coeffs, run["coeffs"]),
        (model.biases, run["biases"]),
        (model.predict(x[None, 40, :], False), run["predict_row_40"]),
    ]:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0)


def test_two_samples_are_those_of_the_last_cells():
    np.testing.assert_array_equal(SAMPLES, TWO_SAMPLES["samples"])
    np.testing.assert_array_equal(TARGETS, TWO_SAMPLES["targets"])


@pytest.mark.parametrize("gradient", ["notebook", "exact"])
def test_reference_gives_the_numbers_of_the_last_cells(gradient):
    x, targets = np.array(TWO_SAMPLES["samples"]), np.array(TWO_SAMPLES["targets"])
    coeffs, biases = np.ones((4, 3)), np.ones(3)
    coeff_out = x @ coeffs + biases
    logits = sigmoid(coeff_out)
    preds = softmax(logits)
    by_sample = reference.logit_gradients(preds, logits, targets, "sigmoid", gradient)
    loss, dcoeffs, dbiases = reference.batch(x, targets, coeffs, biases, "sigmoid", gradient)
    losses = TWO_SAMPLES["losses"]
    expected = TWO_SAMPLES[gradient]
    for found, wanted in [
        (coeff_out, TWO_SAMPLES["coeff_out"]),
        (logits, TWO_SAMPLES["logits"]),
        (preds, TWO_SAMPLES["preds"]),
        (categorical_crossentropy(preds, np.eye(3)[targets]), losses),
        (loss, np.mean(losses)),
        (by_sample, expected["biases_gradients"]),
        (dbiases, expected["dbiases"]),
        (dcoeffs, expected["dcoeffs"]),
    ]:
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=0)


@pytest.mark.parametrize("gradient", ["notebook", "exact"])
def test_kernels_give_the_numbers_of_the_last_cells(gradient):
    found = run_two_samples()
    for name in ("coeff_out", "logits", "preds", "losses"):
        np.testing.assert_allclose(getattr(found, name), TWO_SAMPLES[name], rtol=1e-9, atol=0)
    for name in ("dcoeffs", "dbiases"):
        wanted = TWO_SAMPLES[gradient][name]
        np.testing.assert_allclose(getattr(found, name)[gradient], wanted, rtol=1e-9, atol=0)


def test_equal_probabilities_hide_what_the_notebook_gets_wrong():
    found = run_two_samples()
    np.testing.assert_array_equal(found.dcoeffs["notebook"], found.dcoeffs["exact"])
    coeffs = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
    notebook, exact = (
        reference.batch(SAMPLES, TARGETS, coeffs, np.zeros(3), "sigmoid", gradient)[1]
        for gradient in ("notebook", "exact")
    )
    assert np.abs(notebook - exact).max() > 0.01 * np.abs(exact).max()
