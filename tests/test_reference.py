"""The oracle itself: against other forms of the same mathematics."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from bench.sides.notebook_form import train
from softreg_fast import categorical_crossentropy, reference, sigmoid, softmax

EXTREMES = np.array(
    [0.0, -0.0, 1e-320, -1e-320, 1.0, -1.0, 36.7, -40.0, 710.0, -745.2, 1e308, -1e308]
)


@pytest.fixture
def problem(make_data):
    features, targets = make_data(37, 5, 4)
    random = np.random.default_rng(1)
    return features, targets, random.standard_normal((5, 4)), random.standard_normal(4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_warning_at_any_finite_logit(dtype):
    with np.errstate(over="ignore"):
        logits = np.clip(EXTREMES, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    rows = np.stack([logits, logits[::-1], np.roll(logits, 5)])

    probabilities = softmax(rows)

    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(sigmoid(rows)).all()
    parameters = np.eye(12, dtype=dtype), np.zeros(12, dtype)
    for kind in [("sigmoid", "exact"), ("sigmoid", "notebook"), ("identity", "exact")]:
        for row in rows:  # one by one, since the sum of several such losses does overflow
            loss, *_ = reference.batch(row[None], np.array([4]), *parameters, *kind)
            assert loss >= 0  # infinite where the difference of two logits is


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "int64"])
def test_integers_count_as_numbers(dtype):
    rows = np.array([[1, 0, 1], [0, 0, 1]], dtype)
    np.testing.assert_allclose(softmax(rows), scipy_softmax(rows.astype(float), axis=1), rtol=1e-15)
    np.testing.assert_allclose(sigmoid(rows), expit(rows.astype(float)), rtol=1e-15)


def test_softmax_and_sigmoid_equal_scipy(problem):
    features, *_ = problem
    np.testing.assert_allclose(softmax(features), scipy_softmax(features, axis=1), rtol=1e-14)
    np.testing.assert_allclose(sigmoid(EXTREMES), expit(EXTREMES), rtol=1e-15)


def test_softmax_and_sigmoid_keep_nan():
    assert np.isnan(sigmoid(np.array([np.nan]))).all()
    assert np.isnan(softmax(np.array([[np.nan, 1.0]]))).all()


def test_crossentropy_ignores_what_is_impossible_and_predicted_so():
    losses = categorical_crossentropy([[0.25, 0.75, 0.0], [0.0, 1.0, 0.0]], [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(losses, [-np.log(0.75), np.inf])


def test_batch_equals_the_repeated_form(problem):
    """The gradient is what one huge step leaves of the parameters: the start drowns in it."""
    features, targets, weights, bias = problem
    step = 2.0**60
    with np.errstate(over="ignore"):  # in the naive sigmoid, when the accuracy is taken
        losses, _, new_weights, new_bias = train(features, targets, weights, bias, step, 1, 37)

    found = reference.batch(features, targets, weights, bias, "sigmoid", "notebook")

    for value, expected in zip(
        found, (losses[0], -new_weights / step, -new_bias / step), strict=True
    ):
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-15)


def test_epoch_equals_the_repeated_form_and_drops_the_incomplete_batch(problem):
    features, targets, weights, bias = problem
    losses, accuracies, expected_weights, expected_bias = train(
        features, targets, weights, bias, 0.7, 1, 8
    )

    loss, accuracy, new_weights, new_bias = reference.epoch(
        features, targets, weights, bias, 0.7, 8, "sigmoid", "notebook"
    )

    np.testing.assert_allclose(loss, losses[0], rtol=1e-14)
    assert accuracy == accuracies[0]
    np.testing.assert_allclose(new_weights, expected_weights, rtol=1e-13)
    np.testing.assert_allclose(new_bias, expected_bias, rtol=1e-13)


def _mean_loss(features, targets, weights, bias, activation):
    """For complex numbers too: no maximum, no absolute value."""
    logits = features @ weights + bias
    values = 1 / (1 + np.exp(-logits)) if activation == "sigmoid" else logits
    own = values[np.arange(len(targets)), targets]
    return np.mean(np.log(np.exp(values).sum(axis=1)) - own)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_exact_gradient_equals_the_complex_step(problem, activation):
    features, targets, weights, bias = problem
    loss, weights_gradient, bias_gradient = reference.batch(
        features, targets, weights, bias, activation, "exact"
    )
    step = 1e-30
    expected = np.empty_like(weights)
    for index in np.ndindex(weights.shape):
        shifted = weights.astype(complex)
        shifted[index] += 1j * step
        expected[index] = _mean_loss(features, targets, shifted, bias, activation).imag / step
    expected_bias = np.empty_like(bias)
    for index in range(len(bias)):
        shifted = bias.astype(complex)
        shifted[index] += 1j * step
        expected_bias[index] = (
            _mean_loss(features, targets, weights, shifted, activation).imag / step
        )

    np.testing.assert_allclose(
        loss, _mean_loss(features, targets, weights, bias, activation), rtol=1e-14
    )
    np.testing.assert_allclose(weights_gradient, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(bias_gradient, expected_bias, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_exact_gradient_equals_central_differences_and_the_notebooks_does_not(problem, activation):
    features, targets, weights, bias = problem
    step = 1e-5
    expected = np.empty_like(weights)
    for index in np.ndindex(weights.shape):
        shift = np.zeros_like(weights)
        shift[index] = step
        after, before = (
            reference.batch(features, targets, shifted, bias, activation, "exact")[0]
            for shifted in (weights + shift, weights - shift)
        )
        expected[index] = (after - before) / (2 * step)

    _, exact, _ = reference.batch(features, targets, weights, bias, activation, "exact")

    assert np.linalg.norm(exact - expected) < 1e-8 * np.linalg.norm(expected)
    if activation == "sigmoid":
        _, notebook, _ = reference.batch(features, targets, weights, bias, activation, "notebook")
        assert np.linalg.norm(notebook - expected) > 0.01 * np.linalg.norm(expected)


def test_notebook_gradient_with_identity_link_is_refused(problem):
    features, targets, weights, bias = problem
    with pytest.raises(ValueError, match=r"gradient='notebook' with activation='identity'"):
        reference.batch(features, targets, weights, bias, "identity", "notebook")
