"""The scikit-learn estimator; parameters in, attributes out."""

from collections.abc import Callable, Iterator
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
    check_X_y,
    validate_data,
)

from .._typing import FloatArray, Model
from .._warning import warn_caller
from ..blocks.rows import RowBlocks
from ..data.arrays import check_features
from ..data.blocked import BlockedProblem
from ..data.labels import check_classes, encode_known, weigh_rows
from ..data.problem import Problem, drop_weightless
from ..data.splits import split
from ..data.table import Table
from ..inference.onnx_converter import register_if_loaded
from ..inference.separation import describe, find_separation
from ..objective.loss import LOSSES
from ..objective.optimality import Optimality
from ..runtime.checkpoint import Checkpoint
from ..runtime.checkpointed_rows import CheckpointedRows
from ..solvers.base import Solver, SolverOptions, SolverResult, size_of
from ..solvers.finish import round_model, solve
from ..solvers.observer import Observer
from ..solvers.registry import check_blocks, check_held_out, check_streams, choose
from ..solvers.sgd.options import settle_block
from ..solvers.sgd.stream import advance, begin_stream
from .analysis import AnalysedModel
from .base import attributes_of, or_as_before
from .callbacks import CallbackSupportMixin, FitObserver, FitTasks, with_callbacks
from .checkpoints import check_checkpoint, in_blocks, open_checkpoint
from .on_blocks import make_held_out_problem, refuse_beside_blocks
from .parameters import Parameters
from .validation import CHECKS, check_labels_of_rows, refuse_lazy, to_known

_MOST_SEEDS = np.iinfo(np.int64).max


def _learns_in_blocks(classifier: Any) -> bool:
    check_streams(classifier.solver)
    return True


class SoftmaxClassifier(CallbackSupportMixin, AnalysedModel):  # type: ignore[misc]
    """Softmax (multinomial logistic) regression.

    The classifier minimizes, over coefficients ``W`` and intercepts ``b``, ::

        C * sum_i w[i] * loss[i] + (1 - l1_ratio) * sum(W ** 2) / 2 + l1_ratio * sum(abs(W))

    where ``w`` are the sample weights, ``loss[i] = -log(p[i, y[i]])`` is the cross-entropy, and
    ``p = softmax(activation(X @ W.T + b))`` are the probabilities. This is the objective of
    `sklearn.linear_model.LogisticRegression`. Two classes with the identity activation share one
    row of coefficients.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the regularization strength, above 0. ``np.inf`` means no regularization. A
        `ConvergenceWarning` is issued if the features separate the classes then, because no optimum
        exists.
    l1_ratio : float, default=0.0
        Elastic-net mixing parameter in [0, 1]. 0 is an L2 penalty, 1 is an L1 penalty. Not
        supported by solver='lbfgs'.
    penalty_groups : {None, "features"}, default=None
        What an L1 penalty is of. None penalizes absolute coefficients. "features" replaces
        ``sum(abs(W))`` by ``sum_j norm(W[:, j])``, the group lasso: a feature has coefficients of
        all classes or of none. Equal to None where `coef_` has one row. Not supported by
        solver='sgd'.
    activation : {"identity", "sigmoid"}, default="identity"
        Function applied to the logits before the softmax. With "sigmoid" the objective is not
        convex, and no loss can fall below ``log(1 + (n_classes - 1) / e)``.
    solver : {"auto", "newton", "lbfgs", "sgd"}, default="auto"
        Algorithm that minimizes the objective.

        - "newton" is exact. It needs few passes over the data, and the identity activation. Dense X
          takes ``16 * n_classes * n_features ** 2`` bytes for second derivatives, at most 256 MiB.
          On sparse X where that is too much, or takes too long, its steps are found by conjugate
          gradients, which keep about ten times the coefficients, and a number for each class and
          sample. If features are rare and samples short for `C` (such as those of tf-idf, up to
          ``C=10``), epochs of dual coordinate ascent go first: one thread, another number for each
          class and sample, and several epochs an iteration. With an L1 penalty it takes any number
          of features: where they are many, it goes over columns of those that matter, of which it
          keeps a copy.
        - "lbfgs" is exact. It needs more passes and little memory.
        - "sgd" is mini-batch gradient descent. It is fast on many samples and ends within a percent
          of the optimum as a rule.
        - "auto" takes the first rule that applies. Two classes count as one in the products, and
          the stored elements of sparse X as ``n_samples * n_features``:

          1. "sgd" with held-out samples;
          2. "newton" if it is supported and its second derivatives cost no more than 150 passes
             over the data, 15 if X is sparse; also if X is sparse and has no more than 64 stored
             elements for each feature, and with an L1 penalty whatever they cost. "sgd" instead if
             ``n_samples * n_features * n_classes`` is above 1e11, or 1e10 for conjugate gradients,
             and `gap_tol` is None;
          3. "lbfgs"; "sgd" instead if ``n_samples * n_features * n_classes`` is above 1e10 and
             `gap_tol` is None.
    fit_intercept : bool, default=True
        Whether to fit an intercept. The intercept is not regularized.
    tol : float, default=1e-4
        Tolerance of the stopping criterion. Exact solvers stop when no component of the gradient of
        the objective, divided by `C` and by the sum of the sample weights, is above `tol`; see
        `converged_`. solver='sgd' stops when the objective, or the loss of held-out samples, has
        not improved by ``tol`` times its value for `n_iter_no_change` epochs, unless a sample of
        the data shows that the objective is still far from the optimum.
    gap_tol : float, default=None
        Exact solvers stop when `gap_` is at most `gap_tol`, instead of using `tol`. Not supported
        by solver='sgd', with held-out samples, activation='sigmoid' or ``C=np.inf``.
    max_iter : int, default=None
        Maximum number of iterations or epochs. None means 100 for solver='sgd' and 1,000 for the
        others.
    class_weight : dict or "balanced", default=None
        Factors of the sample weights by class. "balanced" uses factors inversely proportional to
        the weighted class frequencies.
    categorical_features : "from_dtype" or array-like, default=None
        Columns of X that are categories. "from_dtype" means those of a categorical type in a
        pandas, polars or Arrow data frame. An array-like holds names or numbers of columns, or is a
        mask; columns of another type must hold integers then.

        Each category of the samples has a coefficient, which is looked up: exact solvers with an L2
        penalty and predictions make no one-hot matrix. The others make a sparse one. A missing
        value is a category of its own if a sample of `fit` has one. Categories that `fit` has not
        seen contribute nothing, and a warning names their columns. `partial_fit` knows all
        categories of the types in the first block.
    learning_rate : {"auto", "invscaling"} or float, default="auto"
        Learning rate. Only used when solver='sgd'.

        - "auto" is set from an upper bound of the curvature, which is updated as the loss falls. It
          goes back to an earlier model and takes smaller steps if the objective rises.
        - "invscaling" divides the first rate of "auto" by the square root of the epoch.
        - A float, above 0, is a constant rate for features scaled as `feature_scaling` says.
    batch_size : int or "auto", default="auto"
        Size of the mini-batches. Only used when solver='sgd'. "auto" uses all of up to 1,000
        samples, else a power of two near ``n_samples / 128``: 16 to 1,024, or to 64 if X is
        sparse.
    momentum : float or "auto", default="auto"
        Momentum in [0, 1). Only used when solver='sgd'. With `averaging`, gradients are evaluated
        at ``momentum * average + (1 - momentum) * last_iterate``. Without, it is heavy-ball
        momentum. "auto" is 0.95 with `averaging` and 0 without or in `partial_fit`. With full
        batches, an automatic learning rate and averaging, "auto" is Nesterov's acceleration.
    averaging : bool, default=True
        Whether the model is a weighted average of the steps instead of the last one. Only used when
        solver='sgd'.
    feature_scaling : {"auto", "none", "standard", "whiten"}, default="auto"
        Scaling of the features for the steps. Only used when solver='sgd'. Coefficients and penalty
        always belong to the original features.

        - "standard" centers (with an intercept) and scales the features, without a copy.
        - "whiten" rotates a copy of the features to their principal axes. Not supported for sparse
          X, with an L1 penalty, or by `partial_fit`.
        - "auto" is "whiten" for up to 256 dense features without an L1 penalty, if batches are
          full, or if the learning rate is "auto", X has at most 1 GiB in float64, and the features
          are strongly correlated; else "standard". Without rotation, strongly correlated features
          need more epochs than `max_iter` allows by default.
    shuffle : bool, default=True
        Whether to shuffle the samples before each epoch. Only used when solver='sgd'.
    early_stopping : bool, default=False
        Whether to hold out samples, stop by their loss, and keep the model of the best epoch. Only
        supported by solver='sgd'. The other samples are copied.
    validation_fraction : float, default=0.1
        Share of the samples of each class to hold out. Only used when early_stopping=True.
    n_iter_no_change : int, default=5
        Number of epochs without improvement before solver='sgd' stops.
    n_samples_total : int, default=None
        Number of samples of the whole stream. Only used by `partial_fit`: each sample contributes
        ``1 / n_samples_total`` of the penalty. None means the number of samples seen so far.
    warm_start : bool, default=False
        Whether `fit` starts from the last solution. New classes start from zero.
    random_state : int, RandomState or None, default=None
        Seed of the order of the samples and of the choice of held-out ones.
    n_threads : int, default=None
        Number of threads, at most the number of CPUs that the process may use. None means that
        number, or fewer if the environment variable ``OMP_NUM_THREADS`` or
        `threadpoolctl.threadpool_limits` says so. The result has the same bits for any number of
        threads.
    verbose : int, default=0
        How much to tell of a fit.

        - 0: nothing.
        - 1: a line on standard error that is rewritten while the fit goes on, if it takes longer
          than a second: iterations or epochs, the objective, the loss of held-out samples, the
          duality gap where it is known; before that, the first pass over samples in blocks. Only
          in a terminal or a notebook, and not in worker processes.
        - 2 and more: a printed line for each iteration.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of shape (n_classes, n_coefficients) or (1, n_coefficients)
        Coefficients: of each feature, or of each category of it, in the order of the columns. One
        row for two classes with the identity activation. See `get_coefficient_names`.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts. Their mean is zero with the identity activation and more than two classes.
    n_iter_ : int
        Number of iterations, epochs, or blocks given to `partial_fit`.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        Objective after each iteration, divided by `C` and by the sum of the sample weights.
        solver='sgd' uses the losses as the samples were met. Not available after `partial_fit`.
    validation_curve_ : ndarray of shape (`n_iter_`,) or None
        Mean loss of the held-out samples after each epoch. Not available after `partial_fit`.
    categories_ : list of ndarray
        Categories of each categorical column. Only with `categorical_features`.
    activation_ : str
        Activation of the fitted model.
    converged_ : bool
        Whether no component of the gradient of the objective (of the shortest subgradient, with an
        L1 penalty), divided by `C` and by the sum of the sample weights, is above `tol` at the
        coefficients that are returned. Almost unregularized features (``C=np.inf``, or a curvature
        of the penalty below 1e-8 of that of the loss) are measured in standard deviations. If only
        the rounding of the coefficients keeps a component above `tol`, the model has converged if
        `gap_` is below 1e-6. With `gap_tol`, whether `gap_` is at most `gap_tol`. With held-out
        samples, whether their loss has stopped falling. False after `partial_fit`.
    gap_ : float
        Proven upper bound of ``(objective - optimum) / objective`` at the coefficients that are
        returned, from the dual problem (duality gap), rounding errors included. NaN with the
        sigmoid activation, whose objective is not convex, and with ``C=np.inf``. Not available
        after `partial_fit`.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has feature names that are all strings.

    See Also
    --------
    SoftmaxClassifierCV : Chooses the regularization strength by cross-validation.
    softmax_path : Models for many regularization strengths.

    Notes
    -----
    float32 features give float32 coefficients. Other real dtypes and byte orders are converted;
    complex numbers are refused. A failed call leaves the object as it was.

    Sparse X is converted to CSR and not made dense, except for the samples that "newton" takes
    second derivatives of. Exact solvers also keep a copy of its elements by columns: 12 to 14 bytes
    for each of float64, 8 to 10 of float32, and 8 bytes for each feature.

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
        penalty_groups: str | None = None,
        activation: str = "identity",
        solver: str = "auto",
        fit_intercept: bool = True,
        tol: float = 1e-4,
        gap_tol: float | None = None,
        max_iter: int | None = None,
        class_weight: Any = None,
        categorical_features: Any = None,
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
        self.penalty_groups = penalty_groups
        self.activation = activation
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.gap_tol = gap_tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.categorical_features = categorical_features
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

    @or_as_before
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
        checkpoint: Any = None,
    ) -> "SoftmaxClassifier":
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
            Training data. float32 and float64 arrays and CSR matrices are not copied. Data that
            do not fit in memory are read in blocks; see `softreg_fast.blocks.open_blocks`.
        y : array-like of shape (n_samples,), default=None
            Class labels of at least two classes. None if X is RowBlocks, which hold the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights; None means 1. An integer weight is equivalent to repeating
            the sample: exactly for exact solvers and full batches, on average for mini-batches. A
            sample of weight zero is ignored. solver='sgd' copies the other samples then.
        X_val : array-like of shape (n_samples_val, n_features) or RowBlocks, default=None
            Held-out samples; RowBlocks if X is. solver='sgd' stops by their loss and keeps the
            model of the best epoch. They replace those that `early_stopping` would hold out. Not
            supported by exact solvers.
        y_val : array-like of shape (n_samples_val,), default=None
            Labels of the held-out samples, of the classes in `y`. None if X_val is RowBlocks.
        sample_weight_val : array-like of shape (n_samples_val,), default=None
            Weights of the held-out samples.
        coef_init, intercept_init : array-like, default=None
            Initial coefficients and intercepts, in the shapes of `coef_` and `intercept_`. None
            means zeros.
        checkpoint : path-like, default=None
            File in which a fit keeps how far it has come, about every ten seconds. If the file is
            there, the fit goes on from it, and ends with the same bits as one that was never
            stopped. It is removed when the fit has ended. Arrays are gone over in blocks then. The
            rows, how they are cut into blocks, and all parameters that change the result must be
            the same when it goes on; a file of another fit is refused.

        Returns
        -------
        self : SoftmaxClassifier
            Fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed. The object is unchanged.

        Notes
        -----
        `sklearn.model_selection.GridSearchCV` splits every argument of `fit` that has as many rows
        as `X`, including `X_val`. Give `X_val` another number of rows there.
        """
        register_if_loaded(type(self))
        parameters = self._check_parameters()
        known = getattr(self, "_reader", None)
        path = check_checkpoint(checkpoint)
        are_blocked = isinstance(X, RowBlocks) or path is not None
        if isinstance(X, RowBlocks):
            refuse_beside_blocks(y=y, sample_weight=sample_weight)
        is_held_out = any(part is not None for part in (X_val, y_val, sample_weight_val))
        holds_out = parameters.early_stopping or is_held_out
        needs = parameters.needs(holds_out=holds_out, are_blocked=are_blocked)
        if are_blocked:
            check_blocks(parameters.solver, needs)
        problem, classes = self._make_problem(X, y, sample_weight)
        if self.warm_start and known is not None and hasattr(self, "_reader"):
            known.check_same(self._reader)
        problem = parameters.penalty.of(in_blocks(problem) if are_blocked else problem)
        solver = choose(
            parameters.solver, needs, size_of(problem, self._count_columns(len(classes)))
        )
        held_out: Problem | None = None
        if is_held_out:
            check_held_out(parameters.solver, solver)
            held_out = self._make_held_out(X_val, y_val, sample_weight_val, classes, problem)
        start = self._start(problem, classes, coef_init, intercept_init)
        source = check_random_state(self.random_state)
        kept: Checkpoint | None = None
        if path is not None:
            assert isinstance(problem, BlockedProblem)
            kept = open_checkpoint(path, self, problem, classes, held_out, start)
            problem = replace(problem, features=CheckpointedRows(problem.rows, kept))
            source = np.random.RandomState(kept.keep_once("seed", source.randint(2**31)))
        if parameters.early_stopping and held_out is None:
            problem, held_out = split(problem, parameters.validation_fraction, source)
        seed = 0 if solver.is_exact else int(source.randint(_MOST_SEEDS, dtype=np.int64))
        given = {
            "sample_weight": sample_weight,
            "X_val": X_val,
            "y_val": y_val,
            "sample_weight_val": sample_weight_val,
        }
        metadata = {name: value for name, value in given.items() if value is not None}
        tasks = FitTasks.begin(self, parameters.count_iterations(solver), X, y, metadata)
        options = parameters.options(solver, seed=seed, held_out=held_out)
        self._fit_problem(problem, classes, parameters, solver, options, start, tasks)
        if kept is not None:
            kept.remove()
        return self

    def _fit_problem(
        self,
        problem: Problem,
        classes: npt.NDArray[Any],
        parameters: Parameters,
        solver: Solver,
        options: SolverOptions,
        start: Model,
        tasks: FitTasks,
        watch: Callable[[FitObserver], Observer] | None = None,
    ) -> None:
        """Solve a problem, set what is found, and warn of what it lacks.

        Parameters
        ----------
        problem, classes, parameters, solver, options, start, tasks
        watch : callable, default=None
            Gives who watches the iterations, given who is told of them.
        """
        told = FitObserver(
            parameters.verbose,
            tasks,
            lambda model: self._attributes_of(problem, model, classes),
            type(self).__name__,
            None if solver.is_exact else options.max_iterations,
            None if solver.is_exact else problem.n_samples,
        )
        observer: Observer | None = told if told.is_needed else None
        if watch is not None:
            observer = watch(told)
        with told, self._divergence_named():
            result = solve(solver, problem, options, start, observer)
            optimality = cast(Optimality, result.optimality)
            told.finish(optimality.gap)
        attributes = attributes_of(result.model, self.activation, classes)
        self.__dict__.update(
            **attributes,
            n_iter_=result.n_iterations,
            loss_curve_=result.objectives,
            validation_curve_=result.validation_losses,
            converged_=result.converged,
            gap_=optimality.gap,
        )
        self.__dict__.pop("_stream", None)
        tasks.end(attributes)
        if not (result.converged or result.is_close or result.was_interrupted):
            self._warn(solver, parameters, result, optimality)
        if np.isinf(parameters.C) and LOSSES[self.activation].is_convex:
            self._warn_of_separation(solver, problem, result.model)

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
        self, solver: Solver, parameters: Parameters, result: SolverResult, optimality: Optimality
    ) -> None:
        iterations = "iteration" if solver.is_exact else "epoch"
        iterations += "" if result.n_iterations == 1 else "s"
        norm = f"the largest component of the gradient is {optimality.gradient_norm:.3g}"
        gap, tolerance = "", "tol"
        if not np.isnan(optimality.gap):
            gap = f", gap_ is {optimality.gap:.3g}"
        if not (np.isnan(result.remaining) or result.remaining >= optimality.gap):
            gap += f" (the gap is estimated at {result.remaining:.2g})"
        if self.gap_tol is not None:
            gap, tolerance = f"{gap}, gap_tol={self.gap_tol!r}", "gap_tol"
        elif solver.is_exact:
            norm += f", above tol={self.tol!r}"
        remedy = f"increase max_iter or {tolerance}"
        if optimality.limiting_feature is not None:
            remedy = (
                f"coefficients rounded to {self.coef_.dtype.name} cannot be closer to the optimum: "
                f"center or scale {self._name_of(optimality.limiting_feature)}"
            )
        elif solver.is_exact and result.n_iterations < parameters.count_iterations(solver):
            remedy = (
                "floating-point rounding allows no further progress: scale the features or "
                f"increase {tolerance}"
            )
        warn_caller(
            f"{type(self).__name__} has not converged in {result.n_iterations} {iterations}: "
            f"{norm}{gap}; {remedy}",
            ConvergenceWarning,
        )

    def _name_of(self, feature: int) -> str:
        """A feature as users know it."""
        has_names = hasattr(self, "feature_names_in_") or hasattr(self, "_reader")
        name = self.get_coefficient_names()[feature] if has_names else None
        return f"feature {feature}" if name is None else f"the feature {name!r}"

    def _warn_of_separation(self, solver: Solver, problem: Problem, model: Model) -> None:
        separation = find_separation(
            problem.in_double(),
            *model,
            fit_intercept=bool(self.fit_intercept),
            n_threads=self.n_threads,
        )
        # Where gradient descent has stopped, the step that raises a suspicion is long anyway.
        if separation is None or (separation == "suspected" and not solver.is_exact):
            return
        warn_caller(
            f"{describe(separation)}, so no finite optimum exists with C=inf; the coefficients "
            "depend on where the solver stopped: set a finite C",
            ConvergenceWarning,
        )

    def _make_held_out(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, classes: Any, problem: Problem
    ) -> Problem:
        """The problem of held-out rows."""
        if isinstance(X_val, RowBlocks):
            refuse_beside_blocks(y_val=y_val, sample_weight_val=sample_weight_val)
            return make_held_out_problem(self, X_val, problem, classes)
        refuse_lazy(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must both be given, or both be None")
        # Of the checks of features that are known by names, those of the names alone.
        validate_data(self, X_val, reset=False, skip_check_array=True, ensure_2d=False)
        if hasattr(self, "_reader"):
            table, y_val = self._read_table("X_val", X_val), check_labels_of_rows(y_val, X_val)
            return self._held_out_of(table, y_val, sample_weight_val, classes, problem)
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
        return self._held_out_of(features, y_val, sample_weight_val, classes, problem)

    def _held_out_of(
        self, features: Any, y_val: Any, sample_weight_val: Any, classes: Any, problem: Problem
    ) -> Problem:
        targets = encode_known("y_val", y_val, classes)
        weights = weigh_rows("sample_weight_val", sample_weight_val, None, y_val, classes, targets)
        return drop_weightless(
            Problem(
                features,
                targets,
                problem.n_classes,
                problem.activation,
                problem.dtype,
                weights,
                problem.l2_penalty,
                problem.l1_penalty,
            )
        )

    @available_if(_learns_in_blocks)
    @or_as_before
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "SoftmaxClassifier":
        """Update the model with a block of a stream, by one epoch of gradient descent.

        Samples are taken in their order. Features are scaled by the moments of all samples seen so
        far. With a float `learning_rate`, ``feature_scaling="none"``, `n_samples_total`, and blocks
        that are multiples of `batch_size`, all blocks together give the same bits as one epoch of
        `fit` without shuffling; for sparse X only without a penalty, because the penalty of a step
        depends on how many samples have the feature.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Block of the training data.
        y : array-like of shape (n_samples,)
            Class labels. A block need not have all classes.
        classes : array-like of shape (n_classes,), default=None
            All class labels of the stream. Required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights; None means 1.

        Returns
        -------
        self : SoftmaxClassifier
            Updated estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed. The object is unchanged.
        """
        refuse_lazy(X=X, y=y, sample_weight=sample_weight)
        register_if_loaded(type(self))
        parameters = self._check_parameters()
        if parameters.needs().has_groups:
            raise ValueError(
                f"penalty_groups={self.penalty_groups!r} is not allowed with partial_fit: it must "
                "be None"
            )
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} is not allowed with partial_fit, which "
                "doesn't know all rows: it must be a dict or None"
            )
        is_first = not hasattr(self, "classes_")
        if is_first:
            features, y = self._take(X, y, keeps_unseen=True)
        else:
            if (self.categorical_features is not None) != hasattr(self, "_reader"):
                raise ValueError(
                    f"categorical_features={self.categorical_features!r} is not what the model has "
                    "been trained with: it can't change between calls of fit and partial_fit"
                )
            features, y = self._take_more(X, y)
        features = features.tocsr() if isinstance(features, Table) else features
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
            self._known_problem(features, y, sample_weight, classes, activation, dtype)
        )
        problem = parameters.penalty.of(problem)
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
            raise ValueError("intercept_init requires fit_intercept=True, got False")
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
