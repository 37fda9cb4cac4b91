"""What a fitted classifier tells analysts: standard errors, effects, and how well it fits."""

import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._typing import FloatArray
from ..blocks.rows import RowBlocks
from ..data.checks import check_number
from ..data.problem import Problem
from ..data.table import Table
from ..inference.curvature import Curvature, find_curvature
from ..inference.fit_statistics import FitStatistics, fit_statistics_of
from ..inference.marginal_effects import MarginalEffects, find_marginal_effects
from ..inference.standard_errors import Estimate, estimate
from ..inference.summary import Summary, summarise
from ..objective.loss import CONVEX_ACTIVATIONS, LOSSES
from .base import SoftmaxModel
from .on_blocks import make_known_problem, refuse_beside_blocks
from .parameters import Parameters, check_parameters
from .validation import refuse_lazy

_DOUBLE = np.dtype(np.float64)


class AnalysedModel(SoftmaxModel):
    """Methods of a classifier that take the rows it was fitted to."""

    C: float
    l1_ratio: float
    fit_intercept: bool

    def _check_parameters(self) -> Parameters:
        return check_parameters(vars(self))

    def summary(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, confidence: float = 0.95
    ) -> Summary:
        """Standard errors of the coefficients.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
            Training data, as given to `fit`.
        y : array-like of shape (n_samples,), default=None
            Class labels, as given to `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, as given to `fit`. They count as numbers of samples.
        confidence : float, default=0.95
            Confidence level of the intervals, in (0, 1).

        Returns
        -------
        softreg_fast.inference.summary.Summary
            Coefficients, standard errors, z values, p values and confidence intervals. Printing it
            shows a table, and so do notebooks; `to_pandas` and `to_html` give it in these forms.
            Its `odds_ratios` gives odds ratios, and its `predict_proba` the probabilities of other
            samples, both with confidence intervals. Without regularization, coefficients are
            differences to the first class, as in statsmodels' `MNLogit`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed, or if standard errors do not exist: with the nonconvex
            activation, an L1 penalty, separated classes without regularization, singular second
            derivatives, or a model that is not at the optimum of these samples.

        Notes
        -----
        With an L2 penalty the standard errors are those about the regularized optimum, a sandwich
        of second derivatives and squared gradients. They do not include the bias of the penalty.
        """
        _, found = self._estimate("summary", X, y, sample_weight, confidence)
        return summarise(found, float(confidence), copy.copy(self)._features_to_predict)

    def marginal_effects(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, confidence: float = 0.95
    ) -> MarginalEffects:
        """Average marginal effects of the features on the probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
            Training data, as given to `fit`. The effects are averages over these samples.
        y : array-like of shape (n_samples,), default=None
            Class labels, as given to `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, as given to `fit`. They count as numbers of samples.
        confidence : float, default=0.95
            Confidence level of the intervals, in (0, 1).

        Returns
        -------
        softreg_fast.inference.marginal_effects.MarginalEffects
            Effects, standard errors, z values, p values and confidence intervals, each of shape
            (n_classes, n_coefficients). Printing it shows a table for each class; `to_pandas` and
            `to_html` give it in these forms.

        Raises
        ------
        TypeError, ValueError
            See `summary`.

        Notes
        -----
        The effect of a feature is the average of the derivative of a class's probability by it, as
        ``get_margeff(at="overall")`` of statsmodels' `MNLogit` and `Logit`. A column of zeros and
        ones is a feature like others. With `categorical_features`, the effect of a category is the
        average change of the probability if all samples were of the category, instead of the first
        one of the column. Standard errors are by the delta method, the samples taken as fixed.
        Averages weigh samples as `fit` does, with `class_weight` too. With an L2 penalty, effects
        and standard errors are those of the regularized optimum; see `summary`.
        """
        problem, found = self._estimate("marginal_effects", X, y, sample_weight, confidence)
        return find_marginal_effects(problem, found, float(confidence), self.n_threads)

    def fit_statistics(self, X: Any, y: Any = None, sample_weight: Any = None) -> FitStatistics:
        """How well the model fits: log-likelihood, AIC, BIC, McFadden's R2, likelihood-ratio test.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
            Training data, as given to `fit`.
        y : array-like of shape (n_samples,), default=None
            Class labels, as given to `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, as given to `fit`. They count as numbers of samples.

        Returns
        -------
        softreg_fast.inference.fit_statistics.FitStatistics
            The test is against the model without features.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed, or if the model is not at the maximum of the likelihood
            of these samples: with a finite `C`, a `class_weight`, the nonconvex activation, or
            separated classes, where there is no maximum.

        See Also
        --------
        softreg_fast.likelihood_ratio_test : Compares two nested models.

        Notes
        -----
        Features may depend on each other, as all categories of a column and the intercept do: the
        number of parameters is the rank of the information matrix.
        """
        return fit_statistics_of(self._likelihood("fit_statistics", X, y, sample_weight)[1])

    def _features_to_predict(self, X: Any) -> Any:
        """Features of other rows, known to be finite."""
        features, _, _ = self._check_input(X)
        return features if isinstance(features, Table) else self._check_features("X", features)

    def _estimate(
        self, method: str, X: Any, y: Any, sample_weight: Any, confidence: Any
    ) -> tuple[Problem, Estimate]:
        """Training rows, and the covariance of the coefficients."""
        check_is_fitted(self)
        check_number("confidence", confidence, above=0.0, below=1.0)
        problem, weights, bias = self._training_problem(method, X, y, sample_weight)
        return problem, estimate(
            problem,
            weights,
            bias,
            fit_intercept=bool(self.fit_intercept),
            classes=self.classes_.tolist(),
            names=[str(name) for name in self.get_coefficient_names()],
            n_threads=self.n_threads,
        )

    def _likelihood(
        self, method: str, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Problem, Curvature]:
        """Training rows, and the likelihood and its derivatives."""
        check_is_fitted(self)
        for name, is_refused, wanted, reason in [
            ("C", np.isfinite(self.C), "inf", "a penalized model doesn't maximize the likelihood"),
            (
                "class_weight",
                self.class_weight is not None,
                "None",
                "a likelihood in which classes weigh differently is not that of the samples",
            ),
        ]:
            if is_refused:
                value = getattr(self, name)
                raise ValueError(
                    f"{method} requires {name}={wanted}, got {name}={value!r}: {reason}"
                )
        problem, weights, bias = self._training_problem(method, X, y, sample_weight)
        return problem, find_curvature(
            problem,
            weights,
            bias,
            fit_intercept=bool(self.fit_intercept),
            purpose="likelihood ratios",
            n_threads=self.n_threads,
        )

    def _training_problem(
        self, method: str, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Problem, FloatArray, FloatArray]:
        """Rows that the model was fitted to, and the model."""
        parameters = self._check_parameters()
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
                raise ValueError(f"{method} requires {name}={wanted}, got {name}={value!r}")
        coef, intercept = self._coefficients()
        problem: Problem
        if isinstance(X, RowBlocks):
            refuse_beside_blocks(y=y, sample_weight=sample_weight)
            problem = make_known_problem(self, X).in_double()
        else:
            refuse_lazy(X=X, y=y, sample_weight=sample_weight)
            features, y = self._take_more(X, y)
            problem = self._known_problem(
                features, y, sample_weight, self.classes_, self.activation_, _DOUBLE
            )
        problem = parameters.penalty.of(problem)
        return problem, coef.T.astype(_DOUBLE), intercept.astype(_DOUBLE)
