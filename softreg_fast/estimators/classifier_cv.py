"""The scikit-learn estimator that chooses the penalty by cross-validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from .._typing import FloatArray
from .._warning import warn_caller
from ..blocks.rows import RowBlocks
from ..data.blocked import BlockedProblem
from ..data.checks import check_choice, check_flag
from ..data.labels import check_weights
from ..data.problem import Penalty, Problem, make_penalty
from ..data.splits import Fold, choose_folds, choose_folds_of_blocks, count_folds_of_blocks
from ..inference.onnx_converter import register_if_loaded
from ..inference.scoring import (
    Candidate,
    HeldOutRows,
    check_scoring_of_blocks,
    choose_scorer,
    choose_scoring,
    score_blocks,
)
from ..solvers.base import Report, Solver, SolverResult, size_of
from ..solvers.finish import round_model
from ..solvers.path import follow, follow_blocks
from ..solvers.registry import EXACT_NAMES, check_blocks, choose
from .base import SoftmaxModel, attributes_of, or_as_before
from .callbacks import CallbackSupportMixin, FitTasks, SearchObserver, with_callbacks
from .classifier import SoftmaxClassifier
from .grids import check_strengths, check_values
from .on_blocks import make_blocked_problem, make_known_problem, refuse_beside_blocks
from .parameters import Parameters, check_parameters
from .routing import is_routed, refuse_unless_routed
from .selection import BEST, SELECTIONS, check_selection_of_folds, choose_by_scores
from .validation import refuse_lazy

_OF_MODEL = ("classes_", "coef_", "intercept_", "activation_", "C_", "l1_ratio_")


def _check_folds(folds: Sequence[Fold], training_weight: Any, scoring_weight: Any) -> None:
    """Raise ValueError if there is nothing to learn from, or nothing to score."""
    for number, fold in enumerate(folds):
        if training_weight is not None and not training_weight[fold.training].any():
            raise ValueError(
                f"all samples of fold {number} of cv have weight zero: sample_weight, times "
                "class_weight, must be above 0 for some of them"
            )
    for number, fold in enumerate(folds):
        if scoring_weight is not None and not np.any(np.asarray(scoring_weight)[fold.held_out]):
            raise ValueError(
                f"all held-out samples of fold {number} have weight zero: sample_weight must be "
                "above 0 for some of them"
            )


def _given(**arguments: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}


@dataclass(frozen=True)
class _Grid:
    """What is found for each fold, `l1_ratio` and `C`."""

    scores: FloatArray
    n_iterations: npt.NDArray[np.int32]
    converged: npt.NDArray[np.bool_]
    coefs: FloatArray
    intercepts: FloatArray

    def of(self, number: int) -> "_Grid":
        """A view of what belongs to an `l1_ratio`."""
        return _Grid(*(array[:, number] for array in vars(self).values()))


@dataclass(frozen=True)
class _Search:
    """What is searched, and who is told of it."""

    n_folds: int
    Cs: FloatArray
    l1_ratios: FloatArray
    parameters: Parameters
    tasks: FitTasks
    observer: SearchObserver

    def candidates(self, grid: _Grid, fold: int) -> list[Candidate]:
        """The models of a fold, in the order of its scores."""
        coefs, intercepts = grid.coefs[fold], grid.intercepts[fold]
        return [
            Candidate(
                float(self.Cs[where[1]]),
                float(self.l1_ratios[where[0]]),
                (np.ascontiguousarray(coefs[where].T), intercepts[where]),
            )
            for where in np.ndindex(grid.scores.shape[1:])
        ]


FollowFolds = Callable[[Solver, Sequence[Penalty], int, Report], None]


class SoftmaxClassifierCV(CallbackSupportMixin, SoftmaxModel):  # type: ignore[misc]
    """Softmax (multinomial logistic) regression with cross-validated regularization.

    It has the main parameters of `sklearn.linear_model.LogisticRegressionCV`, and its attributes in
    the shapes of ``use_legacy_attributes=False``. Fits are warm-started along the regularization
    path of each fold, and share second derivatives.

    Parameters
    ----------
    Cs : int or array-like of shape (n_cs,), default=10
        Values of `C` to try, above 0. An int stands for that many values from 1e-4 to 1e4 on a
        logarithmic scale. See `SoftmaxClassifier` for the objective.
    l1_ratios : array-like of shape (n_l1_ratios,), default=(0.0,)
        Values of `l1_ratio` to try, in [0, 1].
    penalty_groups : {None, "features"}, default=None
        What an L1 penalty is of; see `SoftmaxClassifier`.
    activation : {"identity", "sigmoid"}, default="identity"
        Function applied to the logits before the softmax.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    cv : int, cross-validation generator or iterable, default=None
        Cross-validation splits, as scikit-learn defines them. None means 5 stratified folds.
    scoring : str or callable, default="neg_log_loss"
        Scorer, as scikit-learn defines it. None means accuracy. The default is that of
        `LogisticRegressionCV` from scikit-learn 1.11 on. Metrics that have a parameter `labels` are
        given all classes, because a fold may lack some.
    solver : {"auto", "newton", "lbfgs"}, default="auto"
        Exact algorithm; see `SoftmaxClassifier`. Only "newton" supports an `l1_ratio` above 0.
    tol : float, default=1e-4
        Tolerance of the stopping criterion; see `SoftmaxClassifier`.
    gap_tol : float, default=None
        Tolerance of the duality gap, instead of `tol`; see `SoftmaxClassifier`.
    max_iter : int, default=None
        Maximum number of iterations of each fit. None means 1,000.
    class_weight : dict or "balanced", default=None
        Factors of the sample weights by class. "balanced" uses the frequencies in all samples.
    categorical_features : "from_dtype" or array-like, default=None
        Columns of X that are categories; see `SoftmaxClassifier`. A sparse matrix is made of them,
        which scorers are given.
    refit : bool, default=True
        Whether to fit the model that `selection` says to all samples. Otherwise coefficients,
        `C_` and `l1_ratio_` are the means of the best of each fold.
    selection : {"best", "one_standard_error"}, default="best"
        Which model is refitted.

        - "best" is that with the best mean score.
        - "one_standard_error" is that with the smallest `C`, of the `l1_ratio` that has the best
          mean score, whose mean score is at most one standard error of the best one below that
          [1]_. The standard error is that of the mean over the folds. Not supported with
          ``refit=False`` or a single fold.
    random_state : int, RandomState or None, default=None
        Not used, because nothing is drawn at random: all solvers are exact, and `cv` has a random
        state of its own if it shuffles. Accepted for compatibility with `LogisticRegressionCV`,
        where it does not go to `cv` either.
    n_threads : int, default=None
        Number of threads; see `SoftmaxClassifier`.
    verbose : int, default=0
        How much to tell of the search. 0 is nothing. 1 is a line on standard error that is
        rewritten while the fits go on, with the time left, and then that of `SoftmaxClassifier` for
        the refit. From 2 on, a line is printed for each fit, and for each iteration of the refit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of shape (n_classes, n_coefficients) or (1, n_coefficients)
        Coefficients.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts.
    C_, l1_ratio_ : float
        Values of the fitted model.
    Cs_ : ndarray of shape (n_cs,)
        Values of `C` that were tried.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        Values of `l1_ratio` that were tried.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Scores on the held-out samples. A warning says if some are not finite; NaN counts as the
        lowest score.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_classes or 1, n_coefficients)
        Coefficients of the folds. The intercept is the last one, if there is one.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Number of iterations, at least 1.
    converged_ : bool
        Whether all fits reached `tol` or `gap_tol`.
    gap_ : float
        Duality gap of the last fit; see `SoftmaxClassifier`. NaN if ``refit=False``.
    categories_ : list of ndarray
        Categories of each categorical column. Only with `categorical_features`.
    activation_ : str
        Activation of the fitted model.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X has feature names that are all strings.

    See Also
    --------
    SoftmaxClassifier : The classifier for one regularization strength.
    softmax_path : Models of all samples for many regularization strengths.

    Notes
    -----
    Callbacks see each fit, and those that propagate see the iterations of the refit. A callback
    that asks to stop ends the refit alone, because the search needs all its scores.

    With scikit-learn's metadata routing, `groups` and the like are passed to `cv`, and
    `sample_weight` to the scorer, if these request them. Without it, the scorer is given
    `sample_weight` if there is one, and `cv` is given `groups`.

    References
    ----------
    .. [1] L. Breiman, J. H. Friedman, R. A. Olshen and C. J. Stone, Classification and regression
       trees, 1984; T. Hastie, R. Tibshirani and J. Friedman, The elements of statistical learning,
       2009, 7.10.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifierCV(Cs=20).fit(X, y)
    >>> model.scores_.shape
    (5, 1, 20)
    """

    C_: float
    l1_ratio_: float
    Cs_: FloatArray
    l1_ratios_: FloatArray
    scores_: FloatArray
    coefs_paths_: FloatArray
    n_iter_: npt.NDArray[np.int32]
    converged_: bool
    gap_: float

    # Passed on to `cv` and to the scorer, whose requests count.
    __metadata_request__fit = {"groups": UNUSED}  # noqa: RUF012
    __metadata_request__score = {"sample_weight": UNUSED}  # noqa: RUF012

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        penalty_groups: str | None = None,
        activation: str = "identity",
        fit_intercept: bool = True,
        cv: Any = None,
        scoring: Any = "neg_log_loss",
        solver: str = "auto",
        tol: float = 1e-4,
        gap_tol: float | None = None,
        max_iter: int | None = None,
        class_weight: Any = None,
        categorical_features: Any = None,
        refit: bool = True,
        selection: str = "best",
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.penalty_groups = penalty_groups
        self.activation = activation
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.gap_tol = gap_tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.categorical_features = categorical_features
        self.refit = refit
        self.selection = selection
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
        groups: Any = None,
        **params: Any,
    ) -> "SoftmaxClassifierCV":
        """Choose the regularization, and fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
            Training data. It is not copied for the folds; the held-out samples of one fold at a
            time are, mostly in blocks. With RowBlocks, `cv` must be an integer or None: folds
            follow from the numbers of the samples and are not stratified. The folds are fitted
            at the same time, and `scoring` must be "neg_log_loss" or "accuracy".
        y : array-like of shape (n_samples,), default=None
            Class labels of at least two classes. None if X is RowBlocks, which hold the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights, also used by the scorer. None means 1.
        groups : array-like of shape (n_samples,), default=None
            Group labels, passed to `cv`.
        **params : dict
            Other metadata for `cv` and the scorer. Only with scikit-learn's metadata routing.

        Returns
        -------
        self : SoftmaxClassifierCV
            Fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed. The object is unchanged.
        """
        register_if_loaded(type(self))
        refuse_unless_routed(params, self, "fit")
        Cs, l1_ratios, parameters = self._check()
        if isinstance(X, RowBlocks):
            refuse_beside_blocks(y=y, sample_weight=sample_weight, groups=groups, **params)
            return self._fit_blocks(X, Cs, l1_ratios, parameters)
        refuse_lazy(groups=groups)
        problem, classes = self._make_problem(X, y, sample_weight)
        problem = problem.as_matrix()
        labels = classes[problem.targets]
        if sample_weight is not None:
            sample_weight = check_weights("sample_weight", sample_weight, problem.n_samples)
        metadata = _given(sample_weight=sample_weight, groups=groups, **params)
        for_folds, for_scores = self._route(metadata)
        folds = choose_folds(self.cv, X, labels, for_folds)
        scoring = choose_scoring(
            self.scoring,
            classes,
            self.activation,
            lambda candidate: self._estimator_of(candidate, problem, classes),
        )
        _check_folds(folds, problem.sample_weight, for_scores.get("sample_weight"))
        held_out = [
            HeldOutRows(problem.features, labels, problem.targets, for_scores, fold.held_out)
            for fold in folds
        ]
        search = self._begin_search(len(folds), Cs, l1_ratios, parameters, X, y, metadata)
        training = [fold.training for fold in folds]

        def follow_folds(
            solver: Solver, penalties: Sequence[Penalty], n_columns: int, report: Report
        ) -> None:
            options = parameters.options(solver)
            follow(solver, problem.in_double(), training, penalties, options, n_columns, report)

        with search.observer:
            grid = self._search(search, problem, classes, follow_folds)
            for fold, rows in enumerate(held_out):
                grid.scores[fold] = scoring(rows, search.candidates(grid, fold)).reshape(
                    grid.scores[fold].shape
                )
            search.observer.finish()
        return self._finish(search, grid, problem, classes, problem.features, labels, sample_weight)

    def _fit_blocks(
        self, rows: RowBlocks, Cs: FloatArray, l1_ratios: FloatArray, parameters: Parameters
    ) -> "SoftmaxClassifierCV":
        """See `fit`."""
        check_blocks(parameters.solver, parameters.needs(are_blocked=True))
        check_scoring_of_blocks(self.scoring)
        n_folds = count_folds_of_blocks(self.cv)
        problem, classes = make_blocked_problem(self, rows)
        folds = choose_folds_of_blocks(n_folds, problem)
        training = [cast(BlockedProblem, fold.training.in_double()) for fold in folds]
        search = self._begin_search(n_folds, Cs, l1_ratios, parameters, rows, None, {})

        def follow_folds(
            solver: Solver, penalties: Sequence[Penalty], n_columns: int, report: Report
        ) -> None:
            options = parameters.options(solver)
            follow_blocks(solver, training, penalties, options, n_columns, report)

        with search.observer:
            grid = self._search(search, problem, classes, follow_folds)
            held_out = [fold.held_out for fold in folds]
            candidates = [search.candidates(grid, fold) for fold in range(n_folds)]
            scores = score_blocks(self.scoring, held_out, candidates, parameters.n_threads)
            search.observer.finish()
        grid.scores[...] = scores.reshape(grid.scores.shape)
        return self._finish(search, grid, problem, classes, rows, None, None)

    def _begin_search(
        self,
        n_folds: int,
        Cs: FloatArray,
        l1_ratios: FloatArray,
        parameters: Parameters,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
    ) -> "_Search":
        check_selection_of_folds(self.selection, n_folds)
        n_fits = n_folds * len(l1_ratios) * len(np.unique(Cs))
        tasks = FitTasks.begin(self, n_fits + bool(self.refit), X, y, metadata, "fit-of-fold")
        observer = SearchObserver(parameters.verbose, tasks, n_fits, type(self).__name__)
        return _Search(n_folds, Cs, l1_ratios, parameters, tasks, observer)

    def _finish(
        self,
        search: "_Search",
        grid: _Grid,
        problem: Problem,
        classes: npt.NDArray[Any],
        X: Any,
        labels: Any,
        sample_weight: Any,
    ) -> "SoftmaxClassifierCV":
        """Choose what is best, and fit or average it."""
        Cs, l1_ratios, tasks = search.Cs, search.l1_ratios, search.tasks
        parameters = search.parameters
        paths = np.concatenate([grid.coefs, grid.intercepts[..., None]], axis=-1)
        self.__dict__.update(
            Cs_=Cs,
            l1_ratios_=l1_ratios,
            scores_=grid.scores,
            n_iter_=grid.n_iterations,
            coefs_paths_=paths if parameters.fit_intercept else grid.coefs,
            converged_=bool(grid.converged.all()),
        )
        self._warn(grid)
        if self.refit:
            self._refit(grid, X, labels, sample_weight, tasks)
        else:
            self._average(grid, problem, classes)
        tasks.end({name: getattr(self, name) for name in _OF_MODEL})
        return self

    def _route(self, metadata: dict[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What `cv` and the scorer are given of what was given to `fit`."""
        if is_routed():
            routed = process_routing(self, "fit", **metadata)
            return routed.splitter.split, routed.scorer.score
        for_folds = _given(groups=metadata.get("groups"))
        return for_folds, _given(sample_weight=metadata.get("sample_weight"))

    def get_metadata_routing(self) -> Any:
        """Where scikit-learn's metadata goes.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        to_scorer = MethodMapping().add(caller="fit", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
            .add(
                scorer=choose_scorer(self.scoring),
                method_mapping=to_scorer.add(caller="score", callee="score"),
            )
        )

    def _check(self) -> tuple[FloatArray, FloatArray, Parameters]:
        """`Cs`, `l1_ratios`, and parameters of a single fit with the largest of these."""
        Cs = check_strengths(self.Cs)
        l1_ratios = check_values("l1_ratios", self.l1_ratios, minimum=0.0, maximum=1.0)
        check_choice("solver", self.solver, EXACT_NAMES)
        selection = check_choice("selection", self.selection, SELECTIONS)
        if not check_flag("refit", self.refit) and selection != BEST:
            raise ValueError(
                f"selection={selection!r} is not allowed with refit=False, which averages what is "
                f"the best for each fold: it must be {BEST!r}"
            )
        single = self._single(float(Cs.max()), float(l1_ratios.max()))
        return Cs, l1_ratios, check_parameters(vars(single), exact=True)

    def _single(self, C: float, l1_ratio: float) -> SoftmaxClassifier:
        """The estimator for one penalty."""
        return SoftmaxClassifier(
            C=C,
            l1_ratio=l1_ratio,
            penalty_groups=self.penalty_groups,
            activation=self.activation,
            solver=self.solver,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            gap_tol=self.gap_tol,
            max_iter=self.max_iter,
            class_weight=self.class_weight,
            random_state=self.random_state,
            n_threads=self.n_threads,
            verbose=self.verbose,
        )

    def _estimator_of(
        self, candidate: Candidate, problem: Problem, classes: npt.NDArray[Any]
    ) -> Any:
        """What scorers are given."""
        estimator = self._single(candidate.C, candidate.l1_ratio)
        attributes = attributes_of(candidate.model, self.activation, classes)
        # Of the columns that scorers are given, in which categories are features.
        estimator.__dict__.update(attributes, n_features_in_=problem.features.shape[1])
        return estimator

    def _attributes_of(
        self, candidate: Candidate, problem: Problem, classes: npt.NDArray[Any]
    ) -> dict[str, Any]:
        """What callbacks see."""
        rounded = round_model(candidate.model, self.activation, problem.dtype)
        attributes = attributes_of(rounded, self.activation, classes)
        return {**attributes, "C_": candidate.C, "l1_ratio_": candidate.l1_ratio}

    def _search(
        self,
        search: "_Search",
        problem: Problem,
        classes: npt.NDArray[Any],
        follow_folds: FollowFolds,
    ) -> _Grid:
        """Fit all."""
        Cs, l1_ratios, parameters = search.Cs, search.l1_ratios, search.parameters
        observer = search.observer
        n_features = problem.features.shape[1]
        n_columns = self._count_columns(problem.n_classes)
        size = size_of(problem, n_columns, is_path=True)
        own = parameters.needs(are_blocked=size.is_blocked)
        needs = [replace(own, l1_ratio=l1_ratio) for l1_ratio in l1_ratios.tolist()]
        solvers = [choose(parameters.solver, each, size, exact=True) for each in needs]
        for each, solver in zip(needs, solvers, strict=True):
            if each.l1_ratio > 0.0 and not solver.supports_l1:
                raise ValueError(
                    f"l1_ratios={self.l1_ratios!r} is not allowed with activation="
                    f"{self.activation!r}, which requires solver={solver.name!r}: that supports "
                    "only l1_ratios=(0,)"
                )
        shape = search.n_folds, len(l1_ratios), len(Cs)
        grid = _Grid(
            np.empty(shape),
            np.zeros(shape, np.int32),
            np.zeros(shape, bool),
            np.empty((*shape, n_columns, n_features), problem.dtype),
            np.empty((*shape, n_columns), problem.dtype),
        )
        distinct, numbers = np.unique(Cs, return_inverse=True)
        observer.begin_fit()
        for place, l1_ratio in enumerate(l1_ratios.tolist()):
            of_ratio = grid.of(place)

            def keep(
                fold: int,
                number: int,
                result: SolverResult,
                grid_out: _Grid = of_ratio,
                l1_ratio: float = l1_ratio,
            ) -> None:
                where = fold, numbers == number
                model = result.model
                weights, intercept = round_model(model, problem.activation, problem.dtype)
                grid_out.coefs[where], grid_out.intercepts[where] = weights.T, intercept
                grid_out.n_iterations[where] = max(1, result.n_iterations)
                grid_out.converged[where] = result.converged
                candidate = Candidate(float(distinct[number]), l1_ratio, model)
                observer.end_fit(
                    candidate.C,
                    l1_ratio,
                    fold,
                    result.n_iterations,
                    lambda: self._attributes_of(candidate, problem, classes),
                )

            is_grouped = self.penalty_groups is not None
            penalties = [
                make_penalty(C, l1_ratio, is_grouped=is_grouped) for C in distinct.tolist()
            ]
            follow_folds(solvers[place], penalties, n_columns, keep)
        return grid

    def _warn(self, grid: _Grid) -> None:
        n_failed = int((~grid.converged).sum())
        if n_failed:
            tolerance = "tol" if self.gap_tol is None else "gap_tol"
            warn_caller(
                f"SoftmaxClassifierCV: {n_failed} of {grid.converged.size} fits have not "
                f"converged; increase max_iter or {tolerance}",
                ConvergenceWarning,
            )
        are_wrong = ~np.isfinite(grid.scores)
        if are_wrong.any():
            fold, ratio, place = np.argwhere(are_wrong)[0]
            warn_caller(
                f"SoftmaxClassifierCV: {are_wrong.sum()} of {are_wrong.size} scores by "
                f"scoring={self.scoring!r} are non-finite; the first is "
                f"{grid.scores[fold, ratio, place]}, of fold {fold} with "
                f"C={self.Cs_[place]:g} and l1_ratio={self.l1_ratios_[ratio]:g}; NaN counts as "
                "the lowest score",
                UserWarning,
            )

    def _refit(
        self,
        grid: _Grid,
        X: Any,
        labels: Any,
        sample_weight: Any,
        tasks: FitTasks,
    ) -> None:
        """Fit all rows with the penalty that is chosen."""
        ratio, place = choose_by_scores(grid.scores, self.Cs_, self.selection)
        C, l1_ratio = float(self.Cs_[place]), float(self.l1_ratios_[ratio])
        start = {}
        if l1_ratio == 0.0:  # what is averaged has no exact zeros
            start["coef_init"] = grid.coefs[:, ratio, place].mean(axis=0)
            if self.fit_intercept:
                start["intercept_init"] = grid.intercepts[:, ratio, place].mean(axis=0)
        self.C_, self.l1_ratio_ = C, l1_ratio
        single = self._single(C, l1_ratio)

        def attributes() -> dict[str, Any]:
            return {name: getattr(self, name) for name in _OF_MODEL}

        with tasks.delegate("refit", single, attributes):
            single.fit(X, labels, sample_weight, **start)
            for name in ("classes_", "coef_", "intercept_", "activation_", "gap_"):
                setattr(self, name, getattr(single, name))
        self.converged_ = self.converged_ and single.converged_

    def _average(self, grid: _Grid, problem: Problem, classes: npt.NDArray[Any]) -> None:
        """The means of what is the best for each fold."""
        n_folds = len(grid.scores)
        scores = np.nan_to_num(grid.scores, nan=-np.inf).transpose(0, 2, 1)
        best = scores.reshape(n_folds, -1).argmax(axis=1)
        places, ratios = np.unravel_index(best, scores.shape[1:])
        where = np.arange(n_folds), ratios, places
        self.C_ = float(self.Cs_[places].mean())
        self.l1_ratio_ = float(self.l1_ratios_[ratios].mean())
        weights, bias = grid.coefs[where].mean(axis=0).T, grid.intercepts[where].mean(axis=0)
        rounded = round_model((weights, bias), self.activation, problem.dtype)
        self.__dict__.update(attributes_of(rounded, self.activation, classes))
        self.gap_ = float("nan")

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, **params: Any) -> float:
        """The score of predictions, by `scoring`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
        y : array-like of shape (n_samples,), default=None
            True labels. None if X is RowBlocks, which hold them.
        sample_weight : array-like of shape (n_samples,), default=None
        **params : dict
            Other metadata for the scorer; only with scikit-learn's metadata routing.

        Returns
        -------
        float
        """
        refuse_unless_routed(params, self, "score")
        if isinstance(X, RowBlocks):
            refuse_beside_blocks(y=y, sample_weight=sample_weight, **params)
            check_is_fitted(self)
            coef, intercept = self._coefficients()
            candidate = Candidate(self.C_, self.l1_ratio_, (coef.T, intercept))
            problem = make_known_problem(self, X)
            scores = score_blocks(self.scoring, [problem], [[candidate]], self.n_threads)
            return float(scores[0, 0])
        refuse_lazy(X=X, y=y, sample_weight=sample_weight)
        metadata = _given(sample_weight=sample_weight, **params)
        if is_routed():
            metadata = process_routing(self, "score", **metadata).scorer.score
        check_is_fitted(self)
        return float(choose_scorer(self.scoring, self.classes_)(self, X, y, **metadata))

    def _penalty_of_model(self) -> tuple[float, float]:
        return self.C_, self.l1_ratio_
