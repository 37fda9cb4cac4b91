"""The mathematics in plain NumPy: slow, obvious, and the oracle of every test.

Shapes: features `(n_samples, n_features)`, targets `(n_samples,)` with the index of the true class,
weights `(n_features, n_classes)`, bias `(n_classes,)`; everything per row and class is
`(n_samples, n_classes)`. ::

    logits        = features @ weights + bias
    values        = sigmoid(logits) with the sigmoid activation, logits with the identity activation
    probabilities = softmax(values)
    loss of a row = -log(probabilities[target])

The derivative of a row's loss with respect to its logits, with ``d`` the derivative of the
activation
(``values * (1 - values)`` or 1) and ``T`` the one-hot target, is ::

    exact:     d * (probabilities - T)
    notebook:  d * (probabilities - T) * probabilities / probabilities[target]

The second multiplies by ``p[j]`` where the row of the softmax's Jacobian has ``p[target]``. It is
no derivative of the loss, but what the notebook trains with. Its last factor has no bound with the
identity activation, so it goes with the sigmoid activation alone, where it is at most e. Averaged
over a batch, the gradient of the weights is ``features.T @ derivatives / n_samples``.

With the identity activation, two classes may have a single column: it is the logit of the second
class, the first having the logit zero.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ._typing import FloatArray, Gradient
from .objective.functions import less_row_maximum, sigmoid, softmax
from .objective.loss import check_gradient, of_all_classes

_GOLDEN = 0x9E3779B97F4A7C15
_MIXERS = 0x9E3779B1, 0x85EBCA77
_LOW = 2**32 - 1


def predict(
    features: FloatArray, weights: FloatArray, bias: FloatArray, activation: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities, values of the activation, and logits.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_features, n_columns)
        As many columns as classes, or one for two.
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
    values, logits : ndarrays of shape (n_samples, n_columns)
    """
    logits = features @ weights + bias
    values = sigmoid(logits) if activation == "sigmoid" else logits
    return softmax(of_all_classes(values)), values, logits


def logit_gradients(
    probabilities: FloatArray,
    values: FloatArray,
    targets: npt.NDArray[np.integer],
    activation: str,
    gradient: Gradient,
) -> FloatArray:
    """Derivatives of each row's loss with respect to its logits (see the module's head).

    Parameters
    ----------
    probabilities, values : ndarrays of shape (n_samples, n_classes)
        As `predict` gives them.
    targets : ndarray of shape (n_samples,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    check_gradient(gradient, activation)
    rows = np.arange(len(targets))
    derivatives = probabilities.copy()
    derivatives[rows, targets] -= 1
    if gradient == "notebook":
        derivatives *= probabilities / probabilities[rows, targets][:, None]
    if activation == "sigmoid":
        derivatives *= values * (1 - values)
    return derivatives[:, -values.shape[1] :]


def accumulate(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    gradient: Gradient,
) -> tuple[float, float, FloatArray, FloatArray]:
    """Weighted sums over rows: loss, correctly classified rows, and the gradient of the loss.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
        What is in rows of weight zero doesn't count.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss, n_correct : float
    weights_gradient : ndarray of shape (n_features, n_columns)
    bias_gradient : ndarray of shape (n_columns,)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    # Of rows that weigh nothing logits may be anything, also infinite or NaN.
    counts = sample_weight > 0
    logits = np.where(counts[:, None], features @ weights + bias, 0)
    values = sigmoid(logits) if activation == "sigmoid" else logits
    probabilities = softmax(of_all_classes(values))
    # From the values rather than from the probabilities, which may underflow to 0.
    shifted = less_row_maximum(of_all_classes(values))
    own = shifted[np.arange(len(targets)), targets]
    losses = np.log(np.exp(shifted).sum(axis=1)) - own
    is_correct = probabilities.argmax(axis=1) == targets
    derivatives = logit_gradients(probabilities, values, targets, activation, gradient)
    derivatives = derivatives * sample_weight[:, None]
    return (
        float((losses * sample_weight).sum()),
        float((is_correct * sample_weight).sum()),
        features.T @ derivatives,
        derivatives.sum(axis=0),
    )


def batch(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    gradient: Gradient,
) -> tuple[float, FloatArray, FloatArray]:
    """Mean loss of a batch and its gradient.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss : float
    weights_gradient : ndarray of shape (n_features, n_columns)
    bias_gradient : ndarray of shape (n_columns,)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    n_samples = len(features)
    loss, _, weights_gradient, bias_gradient = accumulate(
        features, targets, np.ones(n_samples), weights, bias, activation, gradient
    )
    return loss / n_samples, weights_gradient / n_samples, bias_gradient / n_samples


def _key_of_epoch(seed: int, epoch: int) -> int:
    """The finaliser of splitmix64."""
    key = (seed + (epoch + 1) * _GOLDEN) % 2**64
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    key = (key ^ (key >> 27)) * 0x94D049BB133111EB % 2**64
    return key ^ (key >> 31)


def _shuffled_blocks(n_blocks: int, key: int) -> list[int]:
    """A Feistel network of three rounds on the pairs ``divmod(position, breadth)``.

    What falls behind the last block is sent through it again.
    """
    breadth = math.ceil(math.sqrt(n_blocks))
    height = -(-n_blocks // breadth) if breadth else 0

    def offset(number: int, key: int, size: int) -> int:
        for mixer in _MIXERS:
            mixed = (number + key & _LOW) * mixer
            number, key = mixed ^ mixed >> 32, 0
        return (number & _LOW) * size >> 32

    def permuted(position: int) -> int:
        left, right = divmod(position, breadth)
        for turn in range(0, 6, 2):
            left = (left + offset(right, key + turn * _GOLDEN, height)) % height
            right = (right + offset(left, key + (turn + 1) * _GOLDEN, breadth)) % breadth
        number = left * breadth + right
        return number if number < n_blocks else permuted(number)

    return [permuted(position) for position in range(n_blocks)]


def _shuffled_places(n_places: int, key: int) -> list[int]:
    """Multiplications by odd numbers, and upper bits added to lower ones without carry.

    What falls behind the last place is sent through again.
    """
    n_bits = max((n_places - 1).bit_length(), 1)
    mask, shift = 2**n_bits - 1, (n_bits + 1) // 2

    def permuted(place: int) -> int:
        number = (place + key) & mask
        for turn in range(5):
            factor = _key_of_epoch(key, turn)
            number = (number ^ number >> shift) * ((factor & _LOW) | 1)
            number = (number + (factor >> 32)) & mask
        number ^= number >> shift
        return number if number < n_places else permuted(number)

    return [permuted(place) for place in range(n_places)]


def shuffled_rows(
    n_samples: int, seed: int, epoch: int, block_bits: int, window_rows: int
) -> npt.NDArray[np.int64]:
    """The order in which shuffled descent takes the rows: every row once.

    Blocks of ``2**block_bits`` neighbouring rows are taken in a random order, and the rows of each
    `window_rows` of them are shuffled, the incomplete block at the end with the last. The first
    block begins at a random row, and the first row follows the last.

    Parameters
    ----------
    n_samples : int
    seed : int
        From 0 to 2**64 - 1.
    epoch : int
        From 0.
    block_bits : int
    window_rows : int
        A power of two, at least ``2**block_bits``.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    key = _key_of_epoch(seed, epoch)
    n_blocks = n_samples >> block_bits
    blocks = [*_shuffled_blocks(n_blocks, key), n_blocks]
    before = np.array([(block << block_bits) + place for block in blocks
                       for place in range(1 << block_bits)])[:n_samples]  # fmt: skip
    windows = np.split(before, range(window_rows, n_samples, window_rows))
    after = [
        rows[_shuffled_places(len(rows), _key_of_epoch(key, -1 - window))]
        for window, rows in enumerate(windows)
    ]
    return (np.concatenate(after) + key % n_samples) % n_samples


def epoch(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    weights: FloatArray,
    bias: FloatArray,
    learning_rate: float,
    batch_size: int,
    activation: str,
    gradient: Gradient,
) -> tuple[float, float, FloatArray, FloatArray]:
    """One epoch of mini-batch gradient descent in the order of the rows.

    An incomplete last batch is left out of the training, but not of the accuracy.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)
    learning_rate : float
    batch_size : int
        At most `n_samples`.
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss : float
        Mean over the batches of their mean losses, each before its step.
    accuracy : float
        Of all rows, after the last step.
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    losses = []
    for start in range(0, len(features) - batch_size + 1, batch_size):
        rows = slice(start, start + batch_size)
        loss, weights_gradient, bias_gradient = batch(
            features[rows], targets[rows], weights, bias, activation, gradient
        )
        weights = weights - learning_rate * weights_gradient
        bias = bias - learning_rate * bias_gradient
        losses.append(loss)
    probabilities, _, _ = predict(features, weights, bias, activation)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == targets))
    return float(np.mean(losses)), accuracy, weights, bias


def _penalised(weights: FloatArray, l1_penalty: float, l2_penalty: float) -> float:
    return float(l1_penalty * np.abs(weights).sum() + 0.5 * l2_penalty * (weights**2).sum())


def _shrunk(weights: FloatArray, by: FloatArray, towards_zero: FloatArray) -> FloatArray:
    """The proximal step of an elastic net: thresholded by `by`, then divided."""
    thresholded: FloatArray = np.sign(weights) * np.maximum(np.abs(weights) - by, 0)
    return thresholded / (1 + towards_zero)


def proximal_descent(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    *,
    means: FloatArray,
    factors: FloatArray,
    l1_penalty: float,
    l2_penalty: float,
    method: str,
    momentum: float,
    learning_rate: float,
    schedule: str,
    batch_size: int,
    n_epochs: int,
    fit_intercept: bool = True,
) -> tuple[FloatArray, FloatArray, list[float]]:
    """Epochs of proximal gradient descent in the order of the rows; see `kernels.proximal`.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}
    means, factors : ndarrays of shape (n_features,)
        What features are centred by, and what rates are multiplied by.
    l1_penalty, l2_penalty : float
        Per unit of weight.
    method : {"plain", "averaged", "accelerated"}
    momentum, learning_rate : float
    schedule : {"auto", "constant", "invscaling"}
    batch_size, n_epochs : int
    fit_intercept : bool, default=True

    Returns
    -------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        Of the average.
    objectives : list of float
        Of each epoch, per unit of weight.
    """
    total_weight = sample_weight.sum()
    mean_weight = total_weight / len(features)

    def objective_of(centred: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
        loss, _, _, _ = accumulate(
            features, targets, sample_weight, centred[0], centred[1] - means @ centred[0],
            activation, "exact",
        )  # fmt: skip
        return loss / total_weight + _penalised(centred[0], l1_penalty, l2_penalty), loss

    fast = average = best = (weights, bias + means @ weights)
    working = weights, fast[1]
    n_steps, share_total, curvature, caution = 0, 0.0, 1.0, 1.0
    best_objective, epoch_loss = objective_of(best)
    if schedule == "auto" and activation == "identity":
        curvature = min(4 * epoch_loss / total_weight, 1.0)
    objectives: list[float] = []
    while len(objectives) < n_epochs:
        epoch_loss = epoch_penalty = 0.0
        for start in range(0, len(features), batch_size):
            rows = slice(start, start + batch_size)
            loss, _, slopes, bias_slopes = accumulate(
                features[rows], targets[rows], sample_weight[rows],
                working[0], working[1] - means @ working[0], activation, "exact",
            )  # fmt: skip
            epoch_loss += loss / total_weight
            epoch_penalty = _penalised(working[0], l1_penalty, l2_penalty)
            scale = len(features[rows]) * mean_weight
            slopes = (slopes - np.outer(means, bias_slopes)) / scale
            rate = learning_rate / curvature
            if schedule == "invscaling":
                rate /= math.sqrt(1 + len(objectives))
            share, pull = 1 - momentum, 1.0
            if method == "plain":
                rate /= 1.0 if schedule == "auto" else share
            elif method == "averaged":
                share_total += (n_steps + 1) ** 2
                share, pull = (n_steps + 1) ** 2 / share_total, momentum
            else:
                share, pull = 2 / (n_steps + 2), 1 - 2 / (n_steps + 3)
                rate /= share
            rates = rate * factors[:, None]
            moved = _shrunk(fast[0] - rates * slopes, rates * l1_penalty, rates * l2_penalty)
            moved_bias = fast[1] - fit_intercept * rate * bias_slopes / scale
            before = average
            fast = moved, moved_bias
            average = (
                average[0] + share * (moved - average[0]),
                average[1] + share * (moved_bias - average[1]),
            )
            n_steps += 1
            if method == "accelerated":
                products = (working[0] - average[0]) * (average[0] - before[0])
                against = (products / factors[:, None]).sum()
                against += ((working[1] - average[1]) * (average[1] - before[1])).sum()
                if against > 0:
                    fast, n_steps, pull = average, 0, 0.0
            working = (
                fast[0] + pull * (average[0] - fast[0]),
                fast[1] + pull * (average[1] - fast[1]),
            )
        objective = epoch_loss + epoch_penalty
        most_rise = 1.25 if method == "accelerated" else 2.0
        rounding = np.finfo(features.dtype).eps
        if schedule != "auto" or objective < most_rise * best_objective + rounding:
            objectives.append(objective)
            if objective < best_objective:
                best_objective, best = objective, average
        else:
            best = min(best, average, key=objective_of)
            best_objective, epoch_loss = objective_of(best)
            epoch_loss /= total_weight
            fast = average = working = best
            n_steps, share_total, caution = 0, 0.0, 2 * caution
        if schedule == "auto":
            curvature = caution * (1.0 if activation == "sigmoid" else min(4 * epoch_loss, 1.0))
    return average[0], average[1] - means @ average[0], objectives


def sparse_descent(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    *,
    means: FloatArray,
    factors: FloatArray,
    strengths: FloatArray,
    l1_penalty: float,
    l2_penalty: float,
    method: str,
    momentum: float,
    learning_rate: float,
    schedule: str,
    batch_size: int,
    n_epochs: int,
    fit_intercept: bool = True,
) -> tuple[FloatArray, FloatArray, list[float]]:
    """Epochs of proximal gradient descent that moves touched features alone; see `kernels.sparse`.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Dense; zeros are elements that aren't there.
    means, factors, strengths : ndarrays of shape (n_features,)
        What features are centred by, what rates are multiplied by, and what penalties and means of
        touched features are.
    schedule : {"auto", "constant", "invscaling"}
        "auto" without going back.

    The others and the result are those of `proximal_descent`.
    """
    total_weight = sample_weight.sum()
    fast, average = weights.copy(), weights.copy()
    fast_bias = average_bias = working_bias = bias + means @ weights
    feature_steps = np.zeros(len(weights))
    n_steps, last_loss, last_objective = 0, math.inf, math.inf
    objectives: list[float] = []
    for epoch in range(n_epochs):
        epoch_loss = 0.0
        for start in range(0, len(features), batch_size):
            rows = slice(start, start + batch_size)
            rate = learning_rate
            if schedule == "invscaling":
                rate /= math.sqrt(1 + epoch)
            if schedule == "auto" and activation == "identity":
                rate /= min(4 * last_loss, 1.0)
            share: FloatArray | float = 1 - momentum
            pull = next_pull = 1.0
            if method == "plain":
                rate /= 1.0 if schedule == "auto" else 1 - momentum
            elif method == "averaged":
                share, pull, next_pull = _share_of_step(n_steps), momentum, momentum
            else:
                share = 2 / (n_steps + 2)
                pull, next_pull = 1 - share, 1 - 2 / (n_steps + 3)
                rate /= share
            working = fast + pull * (average - fast)
            penalty = _penalised(working, l1_penalty, l2_penalty)
            loss, _, slopes, bias_slopes = accumulate(
                features[rows], targets[rows], sample_weight[rows], working,
                working_bias - means @ working, activation, "exact",
            )  # fmt: skip
            epoch_loss += loss / total_weight
            scale = len(features[rows]) * total_weight / len(features)
            touched = (features[rows] != 0).any(axis=0)
            rates = (rate * factors)[touched, None]
            strength = strengths[touched, None]
            slopes -= np.outer(strengths * means, bias_slopes)
            fast[touched] = _shrunk(
                fast[touched] - rates * slopes[touched] / scale,
                rates * strength * l1_penalty,
                rates * strength * l2_penalty,
            )
            shares = share
            if method == "averaged":
                shares = _share_of_step(feature_steps[touched, None])
            feature_steps[touched] += 1
            average[touched] += shares * (fast[touched] - average[touched])
            fast_bias = fast_bias - fit_intercept * rate * bias_slopes / scale
            average_bias = average_bias + share * (fast_bias - average_bias)
            working_bias = fast_bias + next_pull * (average_bias - fast_bias)
            n_steps += 1
        if batch_size < len(features):
            working = fast + next_pull * (average - fast)
            penalty = _penalised(working, l1_penalty, l2_penalty)
        objectives.append(epoch_loss + penalty)
        last_loss = epoch_loss
        if method == "accelerated" and objectives[-1] > last_objective:
            fast, fast_bias, working_bias, n_steps = average.copy(), average_bias, average_bias, 0
        last_objective = objectives[-1]
    return average, average_bias - means @ average, objectives


def _share_of_step(n_steps: FloatArray | int) -> FloatArray | float:
    """Of an average whose weights grow as the square of the steps; `n_steps` are done."""
    number = n_steps + 1
    return number**2 / (number * (number + 1) * (2 * number + 1) / 6)


def sum_features(
    features: FloatArray,
    targets: npt.NDArray[Any],
    sample_weight: FloatArray,
    n_classes: int,
    origin: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of the features of each class, and of all squares.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
    n_classes : int
    origin : ndarray of shape (n_features,)
        What the features are taken less.

    Returns
    -------
    by_class : ndarray of shape (n_classes, n_features)
    squares : ndarray of shape (n_features,)
    """
    centred = features - origin
    membership = np.arange(n_classes)[:, None] == targets
    return (membership * sample_weight) @ centred, sample_weight @ centred**2


def weigh_squares(features: FloatArray, all_weights: FloatArray) -> FloatArray:
    """``features.T @ (weights * features)`` for sets of weights of the rows.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
    all_weights : ndarray of shape (n_sets, n_rows)

    Returns
    -------
    ndarray of shape (n_sets, n_features, n_features)
    """
    squares: FloatArray = np.einsum("if,si,ig->sfg", features, all_weights, features)
    return squares


def complete_derivatives(
    features: FloatArray,
    point: FloatArray,
    row_weights: FloatArray,
    penalties: FloatArray,
    *,
    makes_regular: bool,
) -> FloatArray:
    """Second derivatives of loss and penalty by the coefficients of all classes.

    Of the identity activation.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_unknowns)
    point : ndarray of shape (n_unknowns, n_classes)
    row_weights : ndarray of shape (n_rows,)
    penalties : ndarray of shape (n_unknowns,)
    makes_regular : bool
        Whether to add, where both coefficients are of the same feature, their largest over the
        number of classes. Otherwise they are singular, since what adds the same to all classes
        changes no loss.

    Returns
    -------
    ndarray of shape (n_classes * n_unknowns, n_classes * n_unknowns)
    """
    n_unknowns, n_classes = point.shape
    probabilities = softmax(features @ point)
    curvatures = np.einsum("ik,kl->ikl", probabilities, np.eye(n_classes))
    curvatures -= probabilities[:, :, None] * probabilities[:, None, :]
    blocks = np.einsum(
        "if,i,ikl,ig->kflg", features, row_weights, curvatures, features, optimize=True
    )
    np.einsum("kfkf->kf", blocks)[...] += penalties
    largest = np.einsum("kfkf->kf", blocks).max()
    if makes_regular:
        blocks += largest / n_classes * np.eye(n_unknowns)[None, :, None, :]
    matrix: FloatArray = blocks.reshape(n_classes * n_unknowns, -1)
    return matrix


def minimise_by_newton(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    row_weights: FloatArray,
    penalties: FloatArray,
    tolerance: float,
    point: FloatArray,
    n_steps: int,
) -> tuple[FloatArray, list[float]]:
    """Newton's method with the identity activation: each step halved until it leads lower.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_unknowns)
    targets : ndarray of shape (n_rows,)
    row_weights : ndarray of shape (n_rows,)
    penalties : ndarray of shape (n_unknowns,)
        The penalty's second derivatives.
    tolerance : float
        Of the largest component of the gradient.
    point : ndarray of shape (n_unknowns, n_columns)
        The start.
    n_steps : int
        At most.

    Returns
    -------
    point : ndarray of shape (n_unknowns, n_columns)
    objectives : list of float
        At the start and after each step.
    """
    n_unknowns, n_columns = point.shape

    def evaluate(point: FloatArray) -> tuple[float, FloatArray]:
        loss, _, gradient, _ = accumulate(
            features, targets, row_weights, point, np.zeros(n_columns), "identity", "exact"
        )
        slopes: FloatArray = gradient + penalties[:, None] * point
        return float(loss + 0.5 * penalties @ (point**2).sum(axis=1)), slopes

    value, gradient = evaluate(point)
    objectives = [value]
    while len(objectives) <= n_steps and np.abs(gradient).max() > tolerance:
        if n_columns == 1:
            probabilities = 1.0 / (1.0 + np.exp(-(features @ point)[:, 0]))
            curvatures = row_weights * probabilities * (1.0 - probabilities)
            matrix: FloatArray = (features.T * curvatures) @ features + np.diag(penalties)
        else:
            matrix = complete_derivatives(
                features, point, row_weights, penalties, makes_regular=True
            )
        step = np.linalg.solve(matrix, gradient.T.ravel()).reshape(n_columns, n_unknowns).T
        length = 1.0
        while evaluate(point - length * step)[0] > value - 1e-4 * length * np.vdot(gradient, step):
            length *= 0.5
        point = point - length * step
        value, gradient = evaluate(point)
        objectives.append(value)
    return point, objectives


def descend_coordinates(
    matrix: FloatArray,
    current: FloatArray,
    penalties: FloatArray,
    slopes: FloatArray,
    n_sweeps: int,
) -> FloatArray:
    """Minimise ``slopes @ step + step @ matrix @ step / 2 + penalties @ abs(current + step)``.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
    current, penalties, slopes : ndarrays of shape (n,)
    n_sweeps : int
        Over all coordinates.

    Returns
    -------
    ndarray of shape (n,)
    """
    step = np.zeros_like(current)
    for _ in range(n_sweeps):
        for place in range(len(step)):
            curvature = matrix[place, place]
            if curvature <= 0.0:
                continue
            before = current[place] + step[place]
            wanted = before - (slopes[place] + matrix[place] @ step) / curvature
            after = np.sign(wanted) * max(abs(wanted) - penalties[place] / curvature, 0.0)
            step[place] = after - current[place]
    return step
