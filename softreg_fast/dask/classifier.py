"""The estimator of rows on a Dask cluster."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._typing import FloatArray
from ..data.checks import check_flag
from ..data.problem import Problem
from ..estimators.base import or_as_before
from ..estimators.callbacks import FitTasks, with_callbacks
from ..estimators.checkpoints import check_checkpoint, open_checkpoint
from ..estimators.classifier import SoftmaxClassifier
from ..estimators.on_blocks import make_blocked_problem
from ..estimators.parameters import Parameters
from ..runtime.checkpoint import Checkpoint
from ..runtime.checkpointed_rows import CheckpointedRows
from ..solvers.base import size_of
from ..solvers.registry import choose
from .cluster import Cluster, ClusterError, check_client, open_cluster
from .last_model import LastModel
from .learning import DaskPartitions
from .partitions import is_dask, partition
from .predicting import accuracies, predict_lazily
from .refusals import refuse_arguments, refuse_parameters
from .workers import check_workers


def _has_no_streams(classifier: Any) -> bool:
    raise AttributeError(
        "DaskSoftmaxClassifier has no partial_fit: give SoftmaxClassifier(solver='sgd') to "
        "dask_ml.wrappers.Incremental"
    )


class DaskSoftmaxClassifier(SoftmaxClassifier):
    """Softmax regression of rows on a Dask cluster.

    It minimizes the objective of `SoftmaxClassifier` by the same exact solvers. Each partition of
    the rows is a block; a pass over the rows is a task for each group of blocks that a worker has,
    and the sums of the blocks are added in an order that the number of blocks alone decides. So the
    result has the same bits for any number of workers of one kind of CPU, and those of
    `SoftmaxClassifier` fitted to `softreg_fast.blocks.open_blocks` with blocks of the same rows.
    Only the model, sums, and a sample of the rows are in the memory of the client.

    Parameters
    ----------
    C, l1_ratio, penalty_groups, activation, solver, fit_intercept, tol, gap_tol, max_iter, \
    class_weight, categorical_features, learning_rate, batch_size, momentum, averaging, \
    feature_scaling, shuffle, early_stopping, validation_fraction, n_iter_no_change, \
    n_samples_total, warm_start, random_state, verbose
        See `SoftmaxClassifier`. solver='sgd', early_stopping=True, `categorical_features` and
        penalty_groups='features' with an L1 penalty are not allowed. "auto" takes "newton" or
        "lbfgs".
    n_threads : int, default=None
        Number of threads of the client, which takes second derivatives of a sample. A task on a
        worker takes one thread: a worker works on as many blocks at a time as it has threads.
    persist : bool, default=True
        Whether the workers keep features, labels and weights in memory for the fit; they drop them
        after it. False calculates them anew in each pass, as data that do not fit the memory of
        the cluster require.

    Attributes
    ----------
    client : distributed.Client or None
        Client of the cluster. None means the current one. It is no parameter: clones and pickled
        estimators have None.
    classes_, coef_, intercept_, n_iter_, loss_curve_, validation_curve_, activation_, \
    converged_, gap_, n_features_in_, feature_names_in_
        See `SoftmaxClassifier`.

    See Also
    --------
    SoftmaxClassifier : For rows in memory or in files, on one machine.

    Notes
    -----
    If a worker is lost during a fit, Dask calculates its blocks again on others, and the result has
    the same bits. A fit raises `ClusterError` if the client is closed or there has been no worker
    for 30 seconds; the error has the parameters of the last iteration.

    Partitions of some ten to hundred MiB are best: each costs the first pass a few milliseconds,
    and every pass if `persist` is False. X and y may be columns of one data frame that Dask reads
    from files.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast.dask import DaskSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(50, -1)), da.from_array(y, chunks=50)
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     print(round(DaskSoftmaxClassifier().fit(X, y).score(X, y), 2))
    0.97
    """

    _client: Any = None

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
        persist: bool = True,
    ) -> None:
        super().__init__(
            C=C,
            l1_ratio=l1_ratio,
            penalty_groups=penalty_groups,
            activation=activation,
            solver=solver,
            fit_intercept=fit_intercept,
            tol=tol,
            gap_tol=gap_tol,
            max_iter=max_iter,
            class_weight=class_weight,
            categorical_features=categorical_features,
            learning_rate=learning_rate,
            batch_size=batch_size,
            momentum=momentum,
            averaging=averaging,
            feature_scaling=feature_scaling,
            shuffle=shuffle,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            n_samples_total=n_samples_total,
            warm_start=warm_start,
            random_state=random_state,
            n_threads=n_threads,
            verbose=verbose,
        )
        self.persist = persist

    @property
    def client(self) -> Any:
        """Client of the cluster; None means the current one."""
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = check_client(client)

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        state.pop("_client", None)
        return state

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
    ) -> "DaskSoftmaxClassifier":
        """Fit the model on the cluster.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame or list of Delayed
            Training data. Blocks of an array may be sparse matrices; columns of a data frame must
            hold numbers. Partitions may be empty.
        y : dask.array.Array, dask.dataframe.Series or list of Delayed
            Class labels of at least two classes. An array is cut where X is, if X is one; otherwise
            there must be as many partitions.
        sample_weight : dask.array.Array, dask.dataframe.Series or list of Delayed, default=None
            Non-negative sample weights; None means 1.
        X_val, y_val, sample_weight_val : None
            Not supported.
        coef_init, intercept_init : array-like, default=None
            Initial coefficients and intercepts, in the shapes of `coef_` and `intercept_`. None
            means zeros.
        checkpoint : path-like, default=None
            File on the client's machine in which a fit keeps how far it has come; see
            `SoftmaxClassifier.fit`.

        Returns
        -------
        self : DaskSoftmaxClassifier
            Fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is not allowed. The object is unchanged.
        RuntimeError
            If there is no client, or workers have another version of this package.
        ClusterError
            If the cluster is lost during the fit.
        """
        parameters = self._check_parameters()
        check_flag("persist", self.persist)
        refuse_parameters(self, parameters)
        refuse_arguments(
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )
        path = check_checkpoint(checkpoint)
        partitions = partition(X, y, sample_weight)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        with open_cluster(self._client) as cluster:
            check_workers(cluster)
            rows = DaskPartitions(cluster, partitions, is_persistent=self.persist)
            try:
                init = coef_init, intercept_init
                self._fit(rows, parameters, (X, y, metadata), init, path)
            finally:
                rows.release()
        return self

    def _fit(
        self,
        rows: DaskPartitions,
        parameters: Parameters,
        given: tuple[Any, Any, dict[str, Any]],
        init: tuple[Any, Any],
        path: Path | None,
    ) -> None:
        """Fit rows, and set what is found."""
        unpenalised, classes = make_blocked_problem(self, rows)
        problem = parameters.penalty.of(unpenalised)
        size = size_of(problem, self._count_columns(len(classes)))
        solver = choose(parameters.solver, parameters.needs(are_blocked=True), size, exact=True)
        start = self._start(problem, classes, *init)
        kept: Checkpoint | None = None
        if path is not None:
            kept = open_checkpoint(path, self, unpenalised, classes, None, start)
            problem = replace(problem, features=CheckpointedRows(unpenalised.rows, kept))
        tasks = FitTasks.begin(self, parameters.count_iterations(solver), *given)
        last = LastModel()
        try:
            self._fit_problem(
                problem,
                classes,
                parameters,
                solver,
                parameters.options(solver),
                start,
                tasks,
                last.watch,
            )
        except ClusterError as error:
            error.n_iter_ = last.n_iterations
            if last.model is not None:
                found = self._attributes_of(problem, last.model, classes)
                error.coef_, error.intercept_ = found["coef_"], found["intercept_"]
            raise
        if kept is not None:
            kept.remove()

    @available_if(_has_no_streams)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "DaskSoftmaxClassifier":
        """Not supported: see `dask_ml.wrappers.Incremental`."""
        raise NotImplementedError

    def to_local(self) -> SoftmaxClassifier:
        """A fitted `SoftmaxClassifier` with the same parameters and attributes.

        Returns
        -------
        SoftmaxClassifier
        """
        check_is_fitted(self)
        parameters = self.get_params(deep=False)
        del parameters["persist"]
        local = SoftmaxClassifier(**parameters)
        attributes = {
            name: value
            for name, value in vars(self).items()
            if name.endswith("_") and not name.startswith("_")
        }
        local.__dict__.update(attributes)
        return local

    def _for_tasks(self) -> SoftmaxClassifier:
        """The model as tasks have it, each of which takes one thread."""
        local = self.to_local()
        local.n_threads = 1
        return local

    def decision_function(self, X: Any) -> Any:
        """Activated logits, whose softmax are the probabilities.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame, list of Delayed or array-like

        Returns
        -------
        array of shape (n_samples, n_classes), or (n_samples,)
            For two classes, the difference of the logits. A dask.array.Array that isn't computed
            yet, a list of Delayed if X is one, or an ndarray if X is in memory.
        """
        if is_dask(X):
            return predict_lazily(self._for_tasks(), "decision_function", X)
        return super().decision_function(X)

    def predict(self, X: Any) -> Any:
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame, list of Delayed or array-like

        Returns
        -------
        array of shape (n_samples,)
            See `decision_function`.
        """
        if is_dask(X):
            return predict_lazily(self._for_tasks(), "predict", X)
        return super().predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Class probabilities.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame, list of Delayed or array-like

        Returns
        -------
        array of shape (n_samples, n_classes)
            See `decision_function`.
        """
        if is_dask(X):
            return predict_lazily(self._for_tasks(), "predict_proba", X)
        return super().predict_proba(X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the class probabilities, finite where those underflow.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame, list of Delayed or array-like

        Returns
        -------
        array of shape (n_samples, n_classes)
            See `decision_function`.
        """
        if is_dask(X):
            return predict_lazily(self._for_tasks(), "predict_log_proba", X)
        return super().predict_log_proba(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean accuracy.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame, list of Delayed or array-like
        y : dask.array.Array, dask.dataframe.Series, list of Delayed or array-like
            True labels.
        sample_weight : dask.array.Array, dask.dataframe.Series, list of Delayed or array-like, \
                default=None
            Sample weights.

        Returns
        -------
        float
        """
        if not any(is_dask(given) for given in (X, y, sample_weight)):
            return super().score(X, y, sample_weight)
        counts = accuracies(self._for_tasks(), partition(X, y, sample_weight))
        if self._client is None:
            found = dask.compute(*counts)
        else:
            cluster = Cluster(self._client)
            found = cluster.results(cluster.compute(counts))
        n_right, total = (sum(each) for each in zip(*found, strict=True))
        return float(n_right / total)

    def _training_problem(
        self, method: str, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Problem, FloatArray, FloatArray]:
        """See `AnalysedModel._training_problem`; raise TypeError for rows on a cluster."""
        for name, value in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            if is_dask(value):
                raise TypeError(
                    f"{name} is a {type(value).__name__}: {method} takes rows in memory or "
                    "softreg_fast.blocks.open_blocks"
                )
        return super()._training_problem(method, X, y, sample_weight)

    def _features_to_predict(self, X: Any) -> Any:
        """See `AnalysedModel._features_to_predict`; raise TypeError for rows on a cluster."""
        if is_dask(X):
            raise TypeError(
                f"X is a {type(X).__name__}: predict_proba of a summary takes rows in memory"
            )
        return super()._features_to_predict(X)
