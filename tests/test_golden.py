"""The numbers that the notebook's own code gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from softreg_fast import SoftmaxRegressor, categorical_crossentropy, reference, sigmoid, softmax

GOLDEN = json.loads((Path(__file__).parent / "data" / "notebook_runs.json").read_text())
RUNS = [(name, run) for name in ("iris", "gaussian") for run in GOLDEN[name]["runs"]]


def _gaussian(scale):
    random = np.random.RandomState(7)
    features = random.standard_normal((203, 17))
    labels = random.randint(0, 5, 203)
    labels[-1] = 4
    return features * scale, labels


@pytest.mark.parametrize(
    ("name", "run"), RUNS, ids=[f"{name}-{run['init_seed']}" for name, run in RUNS]
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


def test_two_samples_of_the_last_cells():
    golden = GOLDEN["two_samples"]
    x, one_hot = np.array(golden["x"]), np.array(golden["targets"])
    coeffs, biases = np.ones((4, 3)), np.ones(3)

    logits = sigmoid(x @ coeffs + biases)
    preds = softmax(logits)
    gradients = reference.logit_gradients(preds, logits, one_hot.argmax(1), "sigmoid", "notebook")
    _, dcoeffs, dbiases = reference.batch(
        x, one_hot.argmax(1), coeffs, biases, "sigmoid", "notebook"
    )

    for found, expected in [
        (preds, golden["preds"]),
        (logits, golden["logits"]),
        (categorical_crossentropy(preds, one_hot), golden["losses"]),
        (gradients, golden["biases_gradients"]),
        (dbiases, golden["dbiases"]),
        (dcoeffs, golden["dcoeffs"]),
    ]:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0)
