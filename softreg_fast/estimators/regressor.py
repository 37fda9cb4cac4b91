"""The notebook's estimator on compiled kernels."""

import numbers
from typing import Any, ClassVar, cast

import numpy as np

from .._typing import FloatArray, Gradient
from ..data.arrays import check_dtype, check_features, check_integers, shape_features
from ..data.checks import check_choice, check_flag, check_integer, check_number, check_random_state
from ..data.problem import make_problem
from ..inference.prediction import predict
from ..objective.loss import NOTEBOOK_ACTIVATION
from ..runtime.threads import check_n_threads
from ..solvers.notebook_sgd import DescentSettings, GradientDescent
from .constructor import ConstructorParameters
from .epoch_log import EpochLog

_GRADIENTS = ("notebook", "exact")
_OPTIONS = ("gradient", "random_state", "verbose", "dtype", "n_threads")


def _random_source(random_state: Any) -> Any:
    """What numbers are drawn from: NumPy's global generator for None."""
    if random_state is None:
        return np.random
    if isinstance(random_state, numbers.Integral):
        return np.random.RandomState(int(random_state))
    return random_state


class SoftmaxRegressor(ConstructorParameters):
    """Softmax regression over sigmoids, trained by mini-batch gradient descent.

    The logits are ``z = x @ coeffs + biases``, and the probabilities ``softmax(sigmoid(z))``. The
    loss is the categorical cross-entropy. Because sigmoids lie between 0 and 1, no loss can fall
    below ``log(1 + (n_classes - 1) / e)``.

    Parameters
    ----------
    lr : float
        Learning rate, above 0. The attribute is named `learning_rate`.
    gradient : {"notebook", "exact"}, default="notebook"
        Gradient that the steps follow. "exact" is the derivative of the loss. "notebook" has the
        probability of each class where the derivative has that of the true class; it gives the
        numbers of the notebook.
    random_state : None, int, numpy.random.RandomState or numpy.random.Generator, default=None
        Source of the initial parameters: coefficients, then biases, uniform in [0, 1). None is
        NumPy's global generator, which `numpy.random.seed` seeds.
    verbose : bool, default=True
        Whether `fit` prints a line for each epoch.
    dtype : {"float64", "float32"} or numpy.dtype, default=None
        Dtype of parameters and arithmetic. None means float64.
    n_threads : int, default=None
        Number of threads for large batches and predictions, at most the number of CPUs that the
        process may use. None means that number, or fewer if the environment variable
        ``OMP_NUM_THREADS`` or `threadpoolctl.threadpool_limits` says so. The result has the same
        bits for any number of threads.

    Attributes
    ----------
    learning_rate : float
        Learning rate.
    n_classes, n_features : int
        Number of classes and of features seen during `fit`.
    coeffs : ndarray of shape (n_features, n_classes)
        Coefficients.
    biases : ndarray of shape (n_classes,)
        Biases.
    losses_ : ndarray of shape (n_epochs,)
        Mean cross-entropy of the mini-batches of each epoch, in nats, each taken before its step.
    accuracies_ : ndarray of shape (n_epochs,)
        Accuracy on all samples after each epoch. If saturated sigmoids make probabilities equal but
        for the last bit, the predicted class depends on the rounding of the exponential function,
        so that single samples may be counted otherwise than by NumPy.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed. The message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from softreg_fast import SoftmaxRegressor
    >>> x = np.array([[0.0], [0.1], [0.9], [1.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> model = SoftmaxRegressor(2.0, random_state=0, verbose=False).fit(x, y, 500, 4)
    >>> model.predict(x).argmax(axis=1)
    array([0, 0, 1, 1])
    """

    n_classes: int
    n_features: int
    coeffs: FloatArray
    biases: FloatArray
    losses_: FloatArray
    accuracies_: FloatArray

    _ATTRIBUTES: ClassVar[dict[str, str]] = {"lr": "learning_rate"}
    learning_rate: float
    # Of subclasses whose constructors set the learning rate alone, as that of the notebook does.
    gradient: str = "notebook"
    random_state: Any = None
    verbose: bool = True
    dtype: Any = None
    n_threads: int | None = None

    def __init__(
        self,
        lr: float,
        *,
        gradient: str = "notebook",
        random_state: Any = None,
        verbose: bool = True,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.learning_rate = lr
        self.gradient = gradient
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.n_threads = n_threads
        self._check_parameters()

    def _check_parameters(self) -> None:
        """Raise TypeError or ValueError for a parameter of the constructor that is not allowed."""
        check_number("lr", self.learning_rate, above=0.0)
        check_choice("gradient", self.gradient, _GRADIENTS)
        check_random_state("random_state", self.random_state, allow_generator=True)
        check_flag("verbose", self.verbose)
        dtype = check_dtype("dtype", self.dtype)
        with np.errstate(all="ignore"):
            rounded = dtype.type(self.learning_rate)
        if not 0 < rounded < np.inf:
            raise ValueError(
                f"lr={self.learning_rate!r} is not allowed with dtype={dtype.name!r}: it becomes "
                f"{rounded}; it must be at most {np.finfo(dtype).max:.3g} and at least "
                f"{np.finfo(dtype).smallest_subnormal:.3g}"
            )
        check_n_threads("n_threads", self.n_threads)

    def __repr__(self) -> str:
        given = [repr(self.learning_rate)] if hasattr(self, "learning_rate") else []
        for name in _OPTIONS:
            value, default = getattr(self, name), getattr(SoftmaxRegressor, name)
            if value is not default and value != default:
                given.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def fit(
        self, x: Any, y: Any, epochs: int, batch_size: int, early_stopping: int = 0
    ) -> "SoftmaxRegressor":
        """Fit the model, from new random parameters.

        Mini-batches are taken in the order of the samples. The samples after the last whole batch
        are not trained on. If `verbose`, a line with the loss and accuracy of each epoch is printed
        as soon as the next epoch has passed over the samples.

        An interrupt (Ctrl-C) keeps the parameters and curves of the last finished epoch and is
        passed on. Before the end of the first epoch it leaves the model unchanged.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features)
            Training data, finite real numbers. float32 and float64 arrays are not copied, whether
            in C or Fortran order, strided, read-only or memory-mapped.
        y : array-like of shape (n_samples,)
            Integer labels from 0. The number of classes is the largest label plus one.
        epochs : int
            Maximum number of epochs, at least 1.
        batch_size : int
            Size of the mini-batches, from 1 to n_samples.
        early_stopping : int, default=0
            A patience, not a flag: stop when the lowest training loss is more than this number of
            epochs back. Zero or less means never.

        Returns
        -------
        self : SoftmaxRegressor
            Fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed. The model is unchanged, and nothing was printed.
        FloatingPointError
            If the loss or a parameter became infinite or NaN. The parameters after the last
            finished epoch are kept, or the initial ones if there is none.
        """
        self._check_parameters()
        settings = DescentSettings(
            learning_rate=float(self.learning_rate),
            batch_size=check_integer("batch_size", batch_size, minimum=1),
            n_epochs=check_integer("epochs", epochs, minimum=1),
            patience=check_integer("early_stopping", early_stopping),
            gradient=cast(Gradient, self.gradient),
        )
        problem = make_problem(x, y, NOTEBOOK_ACTIVATION, check_dtype("dtype", self.dtype))
        n_samples, n_features = problem.features.shape
        if settings.batch_size > n_samples:
            raise ValueError(
                f"batch_size={batch_size!r} is not allowed: x has {n_samples} rows, so there "
                f"would be no batch to train on; it must be an integer from 1 to {n_samples}"
            )
        source = _random_source(self.random_state)
        coeffs = source.uniform(0, 1, (n_features, problem.n_classes))
        biases = source.uniform(0, 1, problem.n_classes)
        descent = GradientDescent(problem, settings, coeffs, biases, self.n_threads)
        log = EpochLog(verbose=self.verbose)
        try:
            descent.run(log)
        finally:
            if descent.n_finished_epochs or descent.has_diverged:
                coeffs, biases = descent.solution
                # At once, so that another interrupt finds the model before or after it.
                vars(self).update(
                    n_classes=problem.n_classes,
                    n_features=n_features,
                    coeffs=coeffs,
                    biases=biases,
                    losses_=log.losses,
                    accuracies_=log.accuracies,
                )
        return self

    def _coefficients(self, dtype: np.dtype) -> tuple[FloatArray, FloatArray]:
        """`coeffs` and `biases`, which users may have set, in a dtype; not known to be finite."""
        coeffs, biases = self.coeffs, self.biases
        if type(biases) is not np.ndarray or biases.dtype.kind != "f":
            biases = shape_features("biases", np.atleast_2d(biases), dtype)[0]
        coeffs = shape_features("coeffs", coeffs, dtype)
        if coeffs.shape[1] < 2 or biases.shape != (coeffs.shape[1],):
            raise ValueError(
                f"coeffs has shape {coeffs.shape} and biases {np.shape(self.biases)}: they must be "
                "(n_features, n_classes) and (n_classes,), with at least 2 classes"
            )
        with np.errstate(over="ignore"):  # what becomes infinite is found later
            return coeffs.astype(dtype, copy=False), biases.astype(dtype, copy=False)

    def predict(
        self, x: Any, steps: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray, FloatArray]:
        """Class probabilities.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features)
            Samples, finite real numbers. They are copied as little as in `fit`.
        steps : bool, default=False
            Whether to return the intermediate results too.

        Returns
        -------
        preds : ndarray of shape (n_samples, n_classes)
            Probabilities. With `steps`, a tuple ``(preds, logits, coeff_out)``, all of this shape:
            `coeff_out` is ``x @ coeffs + biases``, and `logits`, as the notebook calls them, are
            its sigmoids.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the model was not fitted. It is a ValueError and an AttributeError.
        TypeError, ValueError
            If an argument is not allowed.
        """
        if not hasattr(self, "coeffs"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"{self!r} is not fitted: call fit before predict")
        keep_steps = check_flag("steps", steps)
        dtype = check_dtype("dtype", self.dtype)
        features = shape_features("x", x, dtype)
        coeffs, biases = self._coefficients(dtype)
        if features.shape[1] != len(coeffs):
            raise ValueError(
                f"x has {features.shape[1]} columns: the model was fitted with {len(coeffs)}"
            )
        n_threads = check_n_threads("n_threads", self.n_threads)
        preds, logits, coeff_out, all_finite = predict(
            features,
            coeffs,
            biases,
            NOTEBOOK_ACTIVATION,
            keep_steps=keep_steps,
            n_threads=n_threads,
        )
        if not all_finite:  # because of these, or because products overflow
            check_features("x", x, dtype)
            check_features("coeffs", self.coeffs, dtype)
            check_features("biases", np.atleast_2d(self.biases), dtype)
        return (preds, logits, coeff_out) if keep_steps else preds

    def score(self, x: Any, y: Any) -> float:
        """Accuracy of the most probable classes.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features)
            Samples, finite real numbers.
        y : array-like of shape (n_samples,)
            Integer labels. Those that `fit` has not seen count as errors.

        Returns
        -------
        float

        Raises
        ------
        sklearn.exceptions.NotFittedError
            See `predict`.
        TypeError, ValueError
            If an argument is not allowed.
        """
        preds = cast(FloatArray, self.predict(x))
        labels = check_integers("y", y, len(preds))
        return float(np.mean(preds.argmax(axis=1) == labels))
