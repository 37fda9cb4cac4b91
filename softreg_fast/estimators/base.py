"""What estimators with coefficients of a softmax regression have in common."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._typing import FloatArray, Model
from .._warning import warn_caller
from ..blocks.rows import RowBlocks
from ..data.arrays import check_any_features, check_features, is_known, shape_features
from ..data.labels import encode, encode_known, weigh_rows
from ..data.problem import Problem
from ..data.table import Table
from ..inference.prediction import decide, predict
from ..objective.loss import LOSSES
from ..runtime.threads import check_n_threads
from .on_blocks import (
    blocks_of_known_features,
    make_blocked_problem,
    refuse_beside_blocks,
)
from .tables import TableReader, read_first
from .validation import check_labels_of_rows, refuse_lazy, validate


def or_as_before(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that leaves the object's attributes as they were where it raises."""

    @wraps(method)
    def restoring(self: Any, *arguments: Any, **named: Any) -> Any:
        before = vars(self).copy()
        try:
            return method(self, *arguments, **named)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return restoring


def _is_plain(X: Any) -> bool:
    """Whether features are an array as kernels take it, about which there is nothing to ask."""
    return is_known(X) and X.ndim == 2 and X.size > 0


def _are_plain(X: Any, y: Any) -> bool:
    """Whether features and labels are such arrays."""
    return (
        _is_plain(X)
        and type(y) is np.ndarray
        and y.ndim == 1
        and y.dtype.kind in "iub"
        and len(y) == len(X)
    )


def attributes_of(model: Model, activation: str, classes: npt.NDArray[Any]) -> dict[str, Any]:
    """What makes an estimator one that has fitted a model, which is rounded already."""
    weights, intercept = model
    return {
        "classes_": classes,
        "coef_": weights.T,
        "intercept_": intercept,
        "activation_": activation,
    }


class SoftmaxModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predictions of a fitted model, and the model as other packages' objects."""

    activation: str
    categorical_features: Any
    class_weight: Any
    n_threads: int | None
    n_features_in_: int
    categories_: list[npt.NDArray[Any]]
    _reader: TableReader
    classes_: Any
    coef_: Any
    intercept_: FloatArray
    activation_: str

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _make_problem(self, X: Any, y: Any, sample_weight: Any) -> tuple[Problem, npt.NDArray[Any]]:
        """A problem without a penalty, and the classes; sets what `validate_data` sets."""
        if isinstance(X, RowBlocks):
            return make_blocked_problem(self, X)
        refuse_lazy(X=X, y=y, sample_weight=sample_weight)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        features, y = self._take(X, y)
        classes, targets = encode(y)
        weights = weigh_rows("sample_weight", sample_weight, self.class_weight, y, classes, targets)
        activation = self.activation
        return Problem(
            features, targets, len(classes), activation, features.dtype, weights
        ), classes

    def _known_problem(
        self,
        features: Any,
        y: Any,
        sample_weight: Any,
        classes: npt.NDArray[Any],
        activation: str,
        dtype: np.dtype,
    ) -> Problem:
        """The problem of rows whose labels are among known classes, without a penalty."""
        targets = encode_known("y", y, classes)
        weights = weigh_rows("sample_weight", sample_weight, self.class_weight, y, classes, targets)
        return Problem(features, targets, len(classes), activation, dtype, weights)

    def _take(self, X: Any, y: Any, *, keeps_unseen: bool = False) -> tuple[Any, Any]:
        """Features and labels of a first block of rows; sets what `validate_data` sets."""
        for name in ("categories_", "_reader"):
            self.__dict__.pop(name, None)
        if self.categorical_features is not None:
            validate_data(self, X, skip_check_array=True)
            names = getattr(self, "feature_names_in_", None)
            reader, table = read_first(
                self.categorical_features, X, names, keeps_unseen=keeps_unseen
            )
            self._reader, self.categories_ = reader, reader.of_categorical
            return table, check_labels_of_rows(y, X)
        if _are_plain(X, y):  # scikit-learn would take longer to find out than a small fit does
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = X.shape[1]
        else:
            X, y = validate(self, X, y)
        return self._check_features("X", X), y

    def _take_more(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Features and labels of other rows."""
        if hasattr(self, "_reader"):
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._read_table("X", X), check_labels_of_rows(y, X)
        X, y = validate(self, X, y, reset=False)
        return self._check_features("X", X), y

    def _read_table(self, name: str, X: Any) -> Table:
        """Numbers and categories; warns of those that nobody knows."""
        table, unknown = self._reader.read(name, X)
        if unknown:
            columns = ", ".join(repr(column) for column in unknown)
            warn_caller(
                f"{name} has categories that fit has not seen, in the columns {columns}: they "
                "contribute nothing",
                UserWarning,
            )
        return table

    @property
    def _n_coefficients(self) -> int:
        """Of a class."""
        reader = getattr(self, "_reader", None)
        return self.n_features_in_ if reader is None else reader.n_coefficients

    def get_coefficient_names(self) -> npt.NDArray[Any]:
        """Names of the columns of `coef_`.

        Returns
        -------
        ndarray of shape (n_coefficients,), object
            Names of features, or "x0", "x1" and so on if they have none. A category has the name
            of its feature, an underscore and its own.
        """
        check_is_fitted(self)
        if hasattr(self, "_reader"):
            return np.array(self._reader.coefficient_names, object)
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{place}" for place in range(self.n_features_in_)]
        return np.array(names, object)

    def _check_features(self, name: str, X: Any, dtype: np.dtype | None = None) -> Any:
        """See `check_any_features`; errors name features that have names."""
        return check_any_features(name, X, dtype, getattr(self, "feature_names_in_", None))

    def _count_columns(self, n_classes: int) -> int:
        return LOSSES[self.activation].count_columns(n_classes)

    def _check_input(self, X: Any) -> tuple[Any, FloatArray, FloatArray]:
        """Features, not known to be finite, and weights and bias in the dtype to calculate in."""
        if isinstance(X, RowBlocks):
            raise TypeError(
                "rows in blocks are not allowed here, because the result may not fit in memory: "
                "use iter_predict_proba(rows), or iterate over the blocks"
            )
        refuse_lazy(X=X)
        check_is_fitted(self)
        check_n_threads("n_threads", self.n_threads)
        coef, intercept = self._coefficients()
        if hasattr(self, "_reader"):
            validate_data(self, X, reset=False, skip_check_array=True)
            table = self._read_table("X", X)
            dtype = np.result_type(table.dtype, coef)
            return table, coef.T.astype(dtype), intercept.astype(dtype)
        features = X
        is_known = not hasattr(self, "feature_names_in_") and _is_plain(X)
        if not is_known or X.shape[1] != self.n_features_in_:
            features = validate(self, X, reset=False)
        dtype = np.result_type(features, coef)
        return features, coef.T.astype(dtype), intercept.astype(dtype)

    def _coefficients(self) -> tuple[FloatArray, FloatArray]:
        """`coef_` and `intercept_`, which users may have set, in dtypes that kernels know.

        They are not known to be finite.
        """
        coef, intercept = self.coef_, self.intercept_
        double = np.dtype(np.float64)
        if issparse(coef):
            coef = coef.toarray()
        if not (is_known(coef) and coef.ndim == 2):
            coef = shape_features("coef_", coef, double)
        if not (is_known(intercept) and intercept.ndim == 1):
            if np.ndim(intercept) != 1:
                raise ValueError(
                    f"intercept_ has shape {np.shape(intercept)}: it must be one-dimensional"
                )
            intercept = shape_features("intercept_", np.atleast_2d(intercept), double)[0]
        n_classes = len(self.classes_)
        is_allowed = len(coef) == n_classes or (len(coef) == 1 and n_classes == 2)
        n_expected = self._n_coefficients
        if not is_allowed or coef.shape[1] != n_expected or len(intercept) != len(coef):
            rows = "1 or 2" if n_classes == 2 else str(n_classes)
            raise ValueError(
                f"coef_ has shape {coef.shape} and intercept_ {intercept.shape}: they must have "
                f"shapes ({rows}, {n_expected}) and ({rows},)"
            )
        return coef, intercept

    def sparsify(self) -> Self:
        """Convert `coef_` to a sparse matrix, which takes less memory if most of it is zero.

        Predictions are the same. They make it dense for as long as they take, so that those of a
        single sample take longer.

        Returns
        -------
        self : object
            Fitted estimator, whose `coef_` is a `scipy.sparse.csr_array`.
        """
        check_is_fitted(self)
        self.coef_ = csr_array(self.coef_)
        return self

    def densify(self) -> Self:
        """Convert `coef_` to an array, if `sparsify` has made it sparse.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_is_fitted(self)
        if issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Activated logits, whose softmax are the probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,)
            For two classes, the difference of the logits: above 0 where the second class is the
            more probable.
        """
        return self._decide(*self._check_input(X))

    def _decide(self, features: Any, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """See `decision_function`."""
        activation = self.activation_
        values, all_finite = decide(features, weights, bias, activation, n_threads=self.n_threads)
        if not all_finite:
            self._refuse_unbounded(features, values)
        if values.shape[1] == 1:
            return values[:, 0]
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def _refuse_unbounded(self, features: Any, results: FloatArray) -> None:
        """Raise ValueError for what isn't finite, or a result that is NaN because of overflows."""
        if not isinstance(features, Table):  # whose numbers are known to be finite
            self._check_features("X", features)
        coef, intercept = self._coefficients()
        for name, array in (("coef_", coef), ("intercept_", intercept[None, :])):
            check_features(name, array, np.dtype(np.float64))
        self._refuse_overflow(results)

    def _refuse_overflow(self, results: FloatArray) -> None:
        """Raise ValueError if a result is NaN though its features are finite."""
        rows = np.isnan(results).any(axis=1)
        if rows.any():
            raise ValueError(
                f"row {rows.argmax()} of X is too large for this model: its linear function "
                f"overflows {results.dtype.name}"
            )

    def predict(self, X: Any) -> Any:
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if isinstance(X, RowBlocks):
            return np.concatenate(list(self.iter_predict(X)))
        return self._labels_of(self.decision_function(X))

    def _labels_of(self, values: FloatArray) -> Any:
        """The classes that a decision function is for."""
        return self.classes_[
            values.argmax(axis=1) if values.ndim == 2 else (values > 0).astype(int)
        ]

    def iter_predict(self, rows: RowBlocks) -> Iterator[Any]:
        """Predict the most probable classes, a block of samples at a time.

        Parameters
        ----------
        rows : RowBlocks
            See `softreg_fast.blocks.open_blocks`.

        Returns
        -------
        iterator of ndarray of shape (n_samples_in_block,)
        """
        blocks = self._blocks_of(rows)
        return (self._labels_of(self._decide(*self._known_input(X))) for X, _, _ in blocks)

    def iter_predict_proba(self, rows: RowBlocks) -> Iterator[FloatArray]:
        """Class probabilities, a block of samples at a time.

        Parameters
        ----------
        rows : RowBlocks
            See `softreg_fast.blocks.open_blocks`.

        Returns
        -------
        iterator of ndarray of shape (n_samples_in_block, n_classes)
        """
        blocks = self._blocks_of(rows)
        return (self._probabilities_of(*self._known_input(X)) for X, _, _ in blocks)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean accuracy.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
        y : array-like of shape (n_samples,), default=None
            True labels. None if X is RowBlocks, which hold them.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. None if X is RowBlocks, which may hold them.

        Returns
        -------
        float
        """
        if not isinstance(X, RowBlocks):
            refuse_lazy(X=X, y=y, sample_weight=sample_weight)
            accuracy: float = super().score(X, y, sample_weight)
            return accuracy
        refuse_beside_blocks(y=y, sample_weight=sample_weight)
        n_right = total = 0.0
        for features, labels, weights in self._blocks_of(X, needs_labels=True):
            is_right = self._labels_of(self._decide(*self._known_input(features))) == labels
            n_right += float(np.sum(is_right if weights is None else weights[is_right]))
            total += float(len(labels) if weights is None else weights.sum())
        return n_right / total

    def _blocks_of(
        self, rows: RowBlocks, *, needs_labels: bool = False
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Features, labels and weights of blocks that the model can predict."""
        check_is_fitted(self)
        check_n_threads("n_threads", self.n_threads)
        if not isinstance(rows, RowBlocks):
            raise TypeError(
                f"rows is a {type(rows).__name__}: it must be RowBlocks; see "
                "softreg_fast.blocks.open_blocks"
            )
        blocks = blocks_of_known_features(self, rows, needs_labels=needs_labels)
        return ((block.features, block.labels, block.weights) for block in blocks)

    def _known_input(self, features: Any) -> tuple[Any, FloatArray, FloatArray]:
        """Features that are known to be right, and the model in the dtype to calculate in."""
        coef, intercept = self._coefficients()
        dtype = np.result_type(features.dtype, coef)
        return features, coef.T.astype(dtype), intercept.astype(dtype)

    def predict_proba(self, X: Any) -> FloatArray:
        """Class probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self._probabilities_of(*self._check_input(X))

    def _probabilities_of(self, features: Any, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """See `predict_proba`."""
        probabilities, _, _, all_finite = predict(
            features, weights, bias, self.activation_, keep_steps=False, n_threads=self.n_threads
        )
        if not all_finite:
            self._refuse_unbounded(features, probabilities)
        return probabilities

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Logarithms of the class probabilities, finite where those underflow.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        values = self.decision_function(X)
        if values.ndim == 1:
            values = np.stack([np.zeros_like(values), values], axis=1)
        with np.errstate(invalid="ignore"):
            logarithms = cast(FloatArray, log_softmax(values, axis=1))
        self._refuse_overflow(logarithms)
        return logarithms

    def to_sklearn(self) -> Any:
        """A fitted `sklearn.linear_model.LogisticRegression` with the same probabilities.

        For tools that know scikit-learn's own estimators, such as converters to ONNX and PMML.

        Returns
        -------
        sklearn.linear_model.LogisticRegression or sklearn.pipeline.Pipeline
            With `categorical_features`, a pipeline that begins with `OneHotEncoder`.

        Raises
        ------
        ValueError
            The loss isn't convex in the logits.
        """
        from .export import to_logistic_regression

        check_is_fitted(self)
        return to_logistic_regression(self, *self._penalty_of_model())

    def _penalty_of_model(self) -> tuple[float, float]:
        """`C` and `l1_ratio` of what was fitted."""
        raise NotImplementedError
