"""The scikit-learn estimator; parameters in, attributes out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_is_fitted,
    check_X_y,
    validate_data,
)

from .._typing import FloatArray, Model
from .._warning import warn_caller
from ..data.arrays import check_features
from ..data.checks import check_number
from ..data.labels import check_classes, encode_known, weigh_rows
from ..data.problem import Problem, drop_weightless
from ..data.splits import split
from ..inference.separation import describe, find_separation
from ..objective.loss import CONVEX_ACTIVATIONS, LOSSES
from ..objective.optimality import Quality
from ..solvers.base import Solver, SolverResult
from ..solvers.finish import round_model, solve
from ..solvers.registry import Size, check_held_out, check_streams, choose
from ..solvers.sgd.options import settle_block
from ..solvers.sgd.stream import advance, begin_stream
from .base import SoftmaxModel, attributes_of, or_as_before
from .callbacks import CallbackSupportMixin, FitObserver, FitTasks, with_callbacks
from .parameters import Parameters, check_parameters
from .validation import CHECKS, to_known, validate

_MOST_SEEDS = np.iinfo(np.int64).max


def _learns_in_blocks(classifier: Any) -> bool:
    check_streams(classifier.solver)
    return True


class SoftmaxClassifier(CallbackSupportMixin, SoftmaxModel):  # type: ignore[misc]
    """Softmax (multinomial logistic) regression.

    Minimises, over coefficients ``W`` and intercepts ``b``, ::

        C * sum_i w[i] * loss[i] + (1 - l1_ratio) * sum(W ** 2) / 2 + l1_ratio * sum(abs(W))

    where ``w`` are the rows' weights and ``loss[i] = -log(p[i, y[i]])`` with
    ``p = softmax(activation(X @ W.T + b))``: the objective of
    `sklearn.linear_model.LogisticRegression`, so that `C` means the same. Two classes with the
    identity activation share one row of coefficients.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, above 0; ``np.inf`` for none: a `ConvergenceWarning`
        says so where the features separate classes, which leaves no optimum.
    l1_ratio : float, default=0.0
        Share of the penalty of the absolute coefficients, from 0 to 1: elastic net. Not with the
        solver "lbfgs".
    activation : {"identity", "sigmoid"}, default="identity"
        What is taken of the linear function before the softmax. With the sigmoid no loss can fall
        below ``log(1 + (n_classes - 1) / e)``, and the objective isn't convex.
    solver : {"auto", "newton", "lbfgs", "sgd"}, default="auto"
        "newton" and "lbfgs" are exact; the first needs few passes over the rows, the identity
        activation, and room for second derivatives, ``16 * n_classes * n_features ** 2`` bytes,
        which may be at most 256 MiB. "sgd" is mini-batch gradient descent: fast on many rows,
        within a percent of the lowest objective as a rule. "auto" takes "newton" with the identity
        activation where it has room and, but for ``l1_ratio > 0``, second derivatives cost no more
        than 150 passes over the rows, else "lbfgs"; but "sgd" with held-out rows, with ``l1_ratio >
        0`` instead of "lbfgs", or where ``n_samples * n_features * n_classes`` is above 1e11 or
        1e10.
    fit_intercept : bool, default=True
    tol : float, default=1e-4
        Exact solvers stop when no component of the gradient of the objective, divided by `C` and by
        the sum of the rows' weights, is larger; see `converged_`. "sgd" stops when the objective,
        or the loss of held-out rows, has not fallen by this share of it for `n_iter_no_change`
        epochs, and a sample of the rows doesn't tell that the objective is far above the lowest
        one.
    gap_tol : float, default=None
        Exact solvers stop when `gap_` is not larger, instead of by `tol`.
    max_iter : int, default=None
        At most so many iterations or epochs; None is 100 for "sgd" and 1,000 for the others.
    class_weight : dict or "balanced", default=None
        Factors of the rows' weights by class; "balanced" is inversely proportional to the classes'
        weighted numbers of rows.
    learning_rate : {"auto", "invscaling"} or float, default="auto"
        Of "sgd". "auto" follows from a bound of the curvature, which falls with the loss, and goes
        back where the objective rises. "invscaling" is its first value divided by the square root
        of the epoch. A number, above 0, is constant; it is for features scaled as `feature_scaling`
        says.
    batch_size : int or "auto", default="auto"
        Rows of a step of "sgd". "auto" is all of up to 1,000 rows, else about a hundredth of them,
        16 to 1,024, or to 64 of sparse rows.
    momentum : float or "auto", default="auto"
        Of "sgd", from 0 to below 1. With `averaging`, how far the gradients are taken from the last
        step towards the average (0 is Polyak's averaging); without, heavy-ball momentum. "auto" is
        0.95 with `averaging`, 0 without and in `partial_fit`; with full batches, an automatic rate
        and averaging it is Nesterov's acceleration.
    averaging : bool, default=True
        Whether "sgd" gives an average of its steps, of weights that grow as their square, instead
        of the last one.
    feature_scaling : {"auto", "none", "standard", "whiten"}, default="auto"
        In which features "sgd" takes its steps; coefficients and penalty are those of the features
        as they are all the same. "standard" centres (with an intercept) and scales them, without a
        copy. "whiten" rotates them to their principal axes too, which takes a copy. "auto" is
        "whiten" for up to 256 dense features without L1 penalty, if batches are full, or, with
        ``learning_rate="auto"`` and up to 1 GiB of float64, where a common factor or the like has
        many times the variance of a feature; else "standard". Many more strongly correlated
        features, or such with an L1 penalty, need more epochs than `max_iter` has by default.
    shuffle : bool, default=True
        Whether "sgd" takes the rows in another order in each epoch.
    early_stopping : bool, default=False
        Whether "sgd" holds out rows, stops by their loss, and keeps the best epoch's model. The
        rows are copied.
    validation_fraction : float, default=0.1
        Share of the rows that is held out, of each class.
    n_iter_no_change : int, default=5
        Epochs without progress before "sgd" stops.
    n_samples_total : int, default=None
        Rows of the whole stream, for `partial_fit`: each row brings ``1 / n_samples_total`` of the
        penalty. None is the number of rows seen so far.
    warm_start : bool, default=False
        Whether `fit` begins where the last one ended; classes that were not there begin at zero.
    random_state : int, RandomState or None, default=None
        For the order of the rows and for which are held out.
    n_threads : int, default=None
        How many threads share the work, never more than the CPUs that the process may use. None is
        the number of these, or fewer if the environment variable `OMP_NUM_THREADS` says so. The
        result has the same bits for any number.
    verbose : int, default=0
        Whether to print a line for each iteration.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features)
        One row for two classes with the identity activation.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        With the identity activation and several classes their mean is zero.
    n_iter_ : int
        Iterations, epochs, or blocks of `partial_fit`.
    loss_curve_ : ndarray of shape (n_iter_,)
        The objective after each iteration, divided by `C` and by the sum of the rows' weights; of
        "sgd" with the losses as the rows were met. Not after `partial_fit`.
    validation_curve_ : ndarray of shape (n_iter_,) or None
        Mean loss of the held-out rows after each epoch.
    activation_ : str
        The activation that was fitted.
    converged_ : bool
        Whether no component of the gradient of the objective, divided by `C` and by the sum of the
        rows' weights, is above `tol` at the coefficients that are returned; with an L1 penalty, of
        the shortest subgradient. Where `C` is inf, or the curvature of the L2 penalty is below 1e-8
        of the loss's, no component divided by its feature's standard deviation is above `tol`
        either. Where nothing but the rounding of the coefficients keeps a component above, it is
        True if `gap_` is below 1e-6. With `gap_tol` instead, whether `gap_` is not above it. With
        held-out rows, whether their loss has stopped falling.
    gap_ : float
        A proven bound of ``(objective - optimum) / objective`` at the coefficients that are
        returned, by the dual problem; it includes what rounding may have changed. NaN with the
        sigmoid activation, whose objective isn't convex, and with ``C=np.inf``: there it is only
        known how small the gradient is. Not after `partial_fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If the features had names.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> round(SoftmaxClassifier().fit(X, y).score(X, y), 2)
    0.97
    """

    classes_: Any
    coef_: FloatArray
    intercept_: FloatArray
    n_iter_: int
    loss_curve_: FloatArray
    validation_curve_: FloatArray | None
    activation_: str
    converged_: bool
    gap_: float

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        activation: str = "identity",
        solver: str = "auto",
        fit_intercept: bool = True,
        tol: float = 1e-4,
        gap_tol: float | None = None,
        max_iter: int | None = None,
        class_weight: Any = None,
        learning_rate: Any = "auto",
        batch_size: Any = "auto",
        momentum: Any = "auto",
        averaging: bool = True,
        feature_scaling: str = "auto",
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        n_samples_total: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.activation = activation
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.gap_tol = gap_tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.momentum = momentum
        self.averaging = averaging
        self.feature_scaling = feature_scaling
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_samples_total = n_samples_total
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def _check_parameters(self) -> Parameters:
        return check_parameters(vars(self))

    @or_as_before
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> "SoftmaxClassifier":
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            float32 and float64 arrays and CSR matrices are not copied; others are, once.
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; 1 for None. A whole number counts as so many
            repetitions of the row: exactly for exact solvers and full batches, else on average.
            A row of weight zero counts for nothing. "sgd" copies the other rows then.
        X_val : array-like of shape (n_samples_val, n_features), default=None
            Held-out rows: "sgd" stops by their loss and keeps the best epoch's model. They take the
            place of those that `early_stopping` holds out. Not for exact solvers.
        y_val : array-like of shape (n_samples_val,), default=None
            Their labels, of the classes in `y`.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            Their weights.
        coef_init, intercept_init : array-like, default=None
            Where to begin, in the shapes of `coef_` and `intercept_`; zero for None.

        Returns
        -------
        SoftmaxClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            An argument is not allowed; the object is as before.

        Notes
        -----
        `sklearn.model_selection.GridSearchCV` and the like cut every argument of `fit` that has as
        many rows as `X` into folds, an `X_val` too. Give it another number of rows there.
        """
        parameters = self._check_parameters()
        problem, classes = self._make_problem(X, y, sample_weight)
        problem = parameters.penalty.of(problem)
        holds_out = parameters.early_stopping or X_val is not None
        solver = choose(
            parameters.solver,
            parameters.needs(holds_out=holds_out),
            Size(
                problem.n_elements,
                problem.features.shape[1],
                self._count_columns(len(classes)),
            ),
        )
        held_out: Problem | None = None
        if X_val is not None or y_val is not None or sample_weight_val is not None:
            check_held_out(parameters.solver, solver)
            held_out = self._make_held_out(X_val, y_val, sample_weight_val, classes, problem)
        source = check_random_state(self.random_state)
        if parameters.early_stopping and held_out is None:
            problem, held_out = split(problem, parameters.validation_fraction, source)
        start = self._start(problem, classes, coef_init, intercept_init)
        given = {
            "sample_weight": sample_weight,
            "X_val": X_val,
            "y_val": y_val,
            "sample_weight_val": sample_weight_val,
        }
        metadata = {name: value for name, value in given.items() if value is not None}
        tasks = FitTasks(self, parameters.count_iterations(solver), X, y, metadata)
        observer = FitObserver(
            parameters.verbose, tasks, lambda model: self._attributes_of(problem, model, classes)
        )
        seed = 0 if solver.is_exact else int(source.randint(_MOST_SEEDS, dtype=np.int64))
        with self._divergence_named():
            result = solve(
                solver,
                problem,
                parameters.options(solver, seed=seed, held_out=held_out),
                start,
                observer if observer.is_needed else None,
            )
        attributes = attributes_of(result.model, self.activation, classes)
        quality = cast(Quality, result.quality)
        self.__dict__.update(
            **attributes,
            n_iter_=result.n_iterations,
            loss_curve_=result.objectives,
            validation_curve_=result.validation_losses,
            converged_=result.converged,
            gap_=quality.gap,
        )
        self.__dict__.pop("_stream", None)
        tasks.end(attributes)
        if not (result.converged or result.is_close or result.was_interrupted):
            self._warn(solver, parameters, result, quality)
        if np.isinf(parameters.C) and LOSSES[self.activation].is_convex:
            self._warn_of_separation(solver, problem, result.model)
        return self

    @contextmanager
    def _divergence_named(self) -> Iterator[None]:
        """Have a divergence raise an error that names what to change."""
        try:
            yield
        except FloatingPointError as error:
            raise ValueError(
                f"learning_rate={self.learning_rate!r} is too large for these features: {error}; "
                "use a smaller one or 'auto', or scale the features"
            ) from error

    def _warn(
        self, solver: Solver, parameters: Parameters, result: SolverResult, quality: Quality
    ) -> None:
        iterations = "iterations" if solver.is_exact else "epochs"
        norm = f"the largest component of the gradient is {quality.gradient_norm:.3g}"
        gap, tolerance = "", "tol"
        if not np.isnan(quality.gap):
            gap = f", and the objective at most {quality.gap:.3g} of it above the optimum"
        if not (np.isnan(result.remaining) or result.remaining >= quality.gap):
            gap += f" (about {result.remaining:.2g}, by an estimate)"
        if self.gap_tol is not None:
            gap, tolerance = f"{gap}, gap_tol={self.gap_tol!r}", "gap_tol"
        elif solver.is_exact:
            norm += f", above tol={self.tol!r}"
        remedy = f"increase max_iter or {tolerance}"
        if quality.limiting_feature is not None:
            remedy = (
                f"the rounding of the coefficients to {self.coef_.dtype.name} allows no less: "
                f"centre or scale {self._name_of(quality.limiting_feature)}"
            )
        elif solver.is_exact and result.n_iterations < parameters.count_iterations(solver):
            remedy = (
                f"rounding lets nothing fall any more: scale the features, or increase {tolerance}"
            )
        warn_caller(
            f"SoftmaxClassifier has not converged: after {result.n_iterations} {iterations} "
            f"{norm}{gap}; {remedy}",
            ConvergenceWarning,
        )

    def _name_of(self, feature: int) -> str:
        """A feature as users know it."""
        names = getattr(self, "feature_names_in_", None)
        return f"feature {feature}" if names is None else f"the feature {names[feature]!r}"

    def _warn_of_separation(self, solver: Solver, problem: Problem, model: Model) -> None:
        separation = find_separation(
            replace(problem, dtype=np.dtype(np.float64)),
            *model,
            fit_intercept=bool(self.fit_intercept),
            n_threads=self.n_threads,
        )
        # Where gradient descent has stopped, the step that raises a suspicion is long anyway.
        if separation is None or (separation == "suspected" and not solver.is_exact):
            return
        warn_caller(
            f"{describe(separation)}: with C=inf there is no optimum, and coefficients grow "
            "without bound; those found are where the solver has stopped; set a finite C",
            ConvergenceWarning,
        )

    def _make_held_out(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, classes: Any, problem: Problem
    ) -> Problem:
        """The problem of held-out rows."""
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together: neither or both must be None")
        # Of the checks of features that are known by names, those of the names alone.
        validate_data(self, X_val, reset=False, skip_check_array=True, ensure_2d=False)
        try:
            X_val, y_val = check_X_y(to_known("X_val", X_val), y_val, estimator=self, **CHECKS)
        except (TypeError, ValueError) as error:
            raise type(error)(f"X_val or y_val is not allowed: {error}") from error
        if issparse(X_val) != problem.is_sparse:
            raise ValueError("X and X_val must both be sparse or both be dense")
        n_features = problem.features.shape[1]
        if X_val.shape[1] != n_features:
            raise ValueError(
                f"X_val has {X_val.shape[1]} features: it must have {n_features}, as X has"
            )
        features = self._check_features("X_val", X_val, problem.dtype)
        targets = encode_known("y_val", y_val, classes)
        weights = weigh_rows("sample_weight_val", sample_weight_val, None, y_val, classes, targets)
        return drop_weightless(
            replace(problem, features=features, targets=targets, sample_weight=weights)
        )

    @available_if(_learns_in_blocks)
    @or_as_before
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "SoftmaxClassifier":
        """Go once over a block of rows of a stream, in their order, by gradient descent.

        What "sgd" does in one epoch, going on from the last block or from `fit`. Features are
        scaled by all rows seen so far. With a number for `learning_rate`,
        ``feature_scaling="none"``, `n_samples_total`, and blocks that are multiples of
        `batch_size`, all blocks together give the same bits as one epoch of `fit` without
        shuffling; of sparse features without a penalty alone, whose share of a step depends on how
        many rows have the feature.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels of the classes, not of all of them necessarily.
        classes : array-like of shape (n_classes,), default=None
            All labels there will be. Needed at the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; 1 for None.

        Returns
        -------
        SoftmaxClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            An argument is not allowed; the object is as before.
        """
        parameters = self._check_parameters()
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} is not allowed with partial_fit, which "
                "doesn't know all rows: it must be a dict or None"
            )
        is_first = not hasattr(self, "classes_")
        X, y = validate(self, X, y, reset=is_first)
        features = self._check_features("X", X)
        classes = self._known_classes(classes)
        stream = getattr(self, "_stream", None)
        dtype = features.dtype
        if not is_first:
            coef, intercept = self._coefficients()
            dtype = np.result_type(features, coef)
        if stream is None:
            start = np.zeros((features.shape[1], self._count_columns(len(classes))), dtype)
            bias = np.zeros(start.shape[1], dtype)
            if not is_first:
                start, bias = coef.T.astype(dtype), intercept.astype(dtype)
            stream = begin_stream(start, bias)
        activation = self.activation
        problem = drop_weightless(
            self._known_problem(features, y, sample_weight, classes, activation, dtype, parameters)
        )
        settings = settle_block(parameters.sgd, problem, fit_intercept=parameters.fit_intercept)
        with self._divergence_named():
            stream = advance(stream, problem, settings, parameters.n_samples_total, self.n_threads)
        n_blocks = 1 if is_first else self.n_iter_ + 1
        self.__dict__.update(
            **self._attributes_of(problem, stream.model, classes),
            n_iter_=n_blocks,
            converged_=False,
            _stream=stream,
        )
        for name in ("loss_curve_", "validation_curve_", "gap_"):
            self.__dict__.pop(name, None)
        return self

    def _known_problem(
        self,
        features: Any,
        y: Any,
        sample_weight: Any,
        classes: npt.NDArray[Any],
        activation: str,
        dtype: np.dtype,
        parameters: Parameters,
    ) -> Problem:
        """The problem of rows whose labels are among known classes."""
        targets = encode_known("y", y, classes)
        weights = weigh_rows("sample_weight", sample_weight, self.class_weight, y, classes, targets)
        problem = Problem(features, targets, len(classes), activation, dtype, weights)
        return parameters.penalty.of(problem)

    def _known_classes(self, classes: Any) -> npt.NDArray[Any]:
        """The classes of a stream."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError(
                    "classes=None is not allowed at the first call of partial_fit: it must hold "
                    "all labels there will be"
                )
            return check_classes(classes)
        if self.activation != self.activation_:
            raise ValueError(
                f"activation={self.activation!r} is not allowed after training with "
                f"{self.activation_!r}: partial_fit goes on with the same activation"
            )
        known = cast("npt.NDArray[Any]", self.classes_)
        if classes is not None and not np.array_equal(check_classes(classes), known):
            raise ValueError(
                f"classes={np.asarray(classes).tolist()!r} are not those of the calls before: "
                f"they must be {known.tolist()!r} or None"
            )
        return known

    def _start(self, problem: Problem, classes: Any, coef_init: Any, intercept_init: Any) -> Model:
        """Weights and bias to begin with."""
        n_columns = self._count_columns(len(classes))
        n_features = problem.features.shape[1]
        coef, intercept = np.zeros((n_columns, n_features)), np.zeros(n_columns)
        if intercept_init is not None and not self.fit_intercept:
            raise ValueError("intercept_init goes with fit_intercept=True alone: it must be None")
        if self.warm_start and hasattr(self, "coef_"):
            self._take_over(classes, coef, intercept)
            intercept *= bool(self.fit_intercept)
        for name, given, part in [
            ("coef_init", coef_init, coef),
            ("intercept_init", intercept_init, intercept),
        ]:
            if given is None:
                continue
            array = check_features(name, np.atleast_2d(given), np.dtype(np.float64))
            if array.shape != np.atleast_2d(part).shape:
                raise ValueError(
                    f"{name} has shape {np.shape(given)}: it must have the shape {part.shape}"
                )
            part[...] = array.reshape(part.shape)
        return np.ascontiguousarray(coef.T), intercept

    def _take_over(self, classes: Any, coef_out: FloatArray, intercept_out: FloatArray) -> None:
        """Fill in what the last fit has found for these classes."""
        n_known = np.shape(self.coef_)[-1]
        if n_known != coef_out.shape[1]:
            raise ValueError(
                f"X has {coef_out.shape[1]} features, but warm_start=True begins with the model of "
                f"the last fit, which has {n_known}"
            )
        coef, intercept = self._coefficients()
        if np.array_equal(classes, self.classes_) and coef.shape == coef_out.shape:
            coef_out[...], intercept_out[...] = coef, intercept
            return
        if min(len(coef), len(coef_out)) == 1:
            return  # what stands for both of two classes tells nothing of others
        for row, label in enumerate(classes):
            (found,) = np.nonzero(self.classes_ == label)
            if len(found):
                coef_out[row], intercept_out[row] = coef[found[0]], intercept[found[0]]

    def _attributes_of(
        self, problem: Problem, model: Model, classes: npt.NDArray[Any]
    ) -> dict[str, Any]:
        rounded = round_model(model, self.activation, problem.dtype)
        return attributes_of(rounded, self.activation, classes)

    def _penalty_of_model(self) -> tuple[float, float]:
        return self.C, self.l1_ratio

    def summary(
        self, X: Any, y: Any, sample_weight: Any = None, *, confidence: float = 0.95
    ) -> Any:
        """Standard errors of the coefficients, from the rows that were fitted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            As given to `fit`. Weights, those by class too, count as numbers of rows.
        confidence : float, default=0.95
            Of the intervals, above 0 and below 1.

        Returns
        -------
        softreg_fast.inference.standard_errors.Summary
            Coefficients, standard errors, z, p, and intervals; its text is a table. Without a
            penalty, of the differences to the first class, as statsmodels' `MNLogit` gives them.

        Raises
        ------
        TypeError, ValueError
            An argument is not allowed; or there is no theory: with the sigmoid activation, an L1
            penalty, classes that are separated without a penalty, singular second derivatives, or a
            model that isn't at the optimum of these rows.

        Notes
        -----
        With an L2 penalty the errors are those about the penalised optimum (a sandwich of second
        derivatives and squared first ones): they don't say how far the penalty has drawn the
        coefficients to zero.
        """
        from ..inference.standard_errors import summarise

        check_is_fitted(self)
        parameters = self._check_parameters()
        confidence = check_number("confidence", confidence, above=0.0, below=1.0)
        for name, value, is_refused, wanted in [
            (
                "activation",
                self.activation_,
                not LOSSES[self.activation_].is_convex,
                repr(CONVEX_ACTIVATIONS[0]),
            ),
            ("l1_ratio", self.l1_ratio, self.l1_ratio != 0.0, "0"),
        ]:
            if is_refused:
                raise ValueError(
                    f"there are no standard errors with {name}={value!r}: it must be {wanted}"
                )
        X, y = validate(self, X, y, reset=False)
        features = self._check_features("X", X)
        coef, intercept = self._coefficients()
        double = np.dtype(np.float64)
        problem = self._known_problem(
            features, y, sample_weight, self.classes_, self.activation_, double, parameters
        )
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{place}" for place in range(features.shape[1])]
        return summarise(
            problem,
            coef.T.astype(double),
            intercept.astype(double),
            fit_intercept=bool(self.fit_intercept),
            classes=self.classes_.tolist(),
            names=[str(name) for name in names],
            confidence=confidence,
        )
