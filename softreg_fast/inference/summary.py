"""Coefficients, odds ratios and probabilities, and how sure they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._typing import FloatArray
from .class_tables import ClassTables, columns_of_estimates, limits_of
from .probability_intervals import ProbabilityIntervals, find_probability_intervals
from .standard_errors import Estimate, wald_statistics

FeaturesOf = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Summary(ClassTables):
    """Coefficients and how sure they are; ``print`` shows a table.

    All arrays are of shape (n_rows, n_features + 1), the intercept first, where there is one. A row
    is a class compared with the first one without a penalty, else a class; or, of two classes, the
    second.

    Attributes
    ----------
    classes : tuple
        What the rows are of.
    reference : object or None
        The class they are compared with.
    names : tuple of str
        Of the columns.
    coef, std_err : ndarrays
    z : ndarray
        The first over the second.
    p_value : ndarray
        Of a coefficient of zero, two-sided, by the normal distribution.
    lower, upper : ndarrays
        Limits of a confidence interval.
    confidence : float
    kind : {"information", "sandwich"}
        Where the standard errors are from.
    """

    classes: tuple[Any, ...]
    reference: Any
    names: tuple[str, ...]
    coef: FloatArray
    std_err: FloatArray
    z: FloatArray
    p_value: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float
    kind: str
    _estimate: Estimate = field(repr=False)
    _features_of: FeaturesOf = field(repr=False)

    def _titles(self) -> list[str]:
        if self.reference is None:
            return [f"class {label}" for label in self.classes]
        return [f"class {label} against {self.reference}" for label in self.classes]

    def _columns(self) -> list[tuple[str, str, FloatArray]]:
        return [("coef", "coef", self.coef), *columns_of_estimates(self)]

    def _note(self) -> str:
        return f"standard errors: {self.kind}"

    def odds_ratios(self, reference: Any = None) -> "OddsRatios":
        """Odds ratios and their confidence intervals.

        Parameters
        ----------
        reference : object, default=None
            Label of the class that the others are compared with. None means the first one.

        Returns
        -------
        OddsRatios

        Raises
        ------
        ValueError
            `reference` is none of the classes.

        Notes
        -----
        The interval is that of the difference of two classes' coefficients, whose limits are
        exponentiated. Without a penalty, it is the usual Wald interval of the odds ratio. With an
        L2 penalty, it is an interval of the odds ratio that the penalised objective has at its
        optimum in the population: the penalty has drawn it towards 1, and the interval does not
        make up for that. It need not hold the odds ratio of the unpenalised model with the
        confidence that it is given for.
        """
        estimate = self._estimate
        classes = list(estimate.classes)
        if reference is not None and not (np.ndim(reference) == 0 and reference in classes):
            raise ValueError(
                f"reference={reference!r} is not allowed: it must be None or one of the classes "
                f"{classes!r}"
            )
        place = 0 if reference is None else classes.index(reference)
        if estimate.n_columns == 1:
            combinations = np.array([[1.0 - 2.0 * place]])
        else:
            combinations = np.delete(np.eye(len(classes)), place, axis=0)
            combinations[:, place] = -1.0
        coefficients, errors = estimate.combine(combinations)
        first = int(estimate.coordinates.fit_intercept)
        coefficients, errors = coefficients[:, first:], errors[:, first:]
        z, p_values, lower, upper = wald_statistics(coefficients, errors, self.confidence)
        with np.errstate(over="ignore", under="ignore"):
            return OddsRatios(
                tuple(classes[:place] + classes[place + 1 :]),
                classes[place],
                estimate.names,
                np.exp(coefficients),
                np.exp(lower),
                np.exp(upper),
                z,
                p_values,
                self.confidence,
                self.kind,
            )

    def predict_proba(self, X: Any) -> ProbabilityIntervals:
        """Class probabilities and their confidence intervals.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of the features of `fit`; rows in blocks are not supported.

        Returns
        -------
        ProbabilityIntervals
            Probabilities, standard errors and limits of confidence intervals, each of shape
            (n_samples, n_classes).

        Raises
        ------
        TypeError, ValueError
            If `X` is not what the model predicts, or if a variance overflows.

        Notes
        -----
        Standard errors are by the delta method. An interval is that of the logit of a probability,
        ``log(p / (1 - p))``, whose limits are transformed back, so that they are between 0 and 1
        (Xu and Long, Confidence intervals for predicted outcomes in regression models for
        categorical outcomes, The Stata Journal 5, 2005). For two classes it is the usual interval
        of the linear predictor (Agresti, Categorical data analysis, 2013, chapter 5). It is an
        interval of each probability alone. With an L2 penalty, it is one of the probability that
        the penalised objective has at its optimum in the population.
        """
        features = self._features_of(X)
        return find_probability_intervals(self._estimate, features, self.confidence)


@dataclass(frozen=True, eq=False)
class OddsRatios(ClassTables):
    """Factors of the odds of a class against another one, for a feature that is larger by one.

    All arrays are of shape (n_classes - 1, n_features); the intercept has no odds ratio.

    Attributes
    ----------
    classes : tuple
        What the rows are of.
    reference : object
        The class they are compared with.
    names : tuple of str
        Of the features.
    odds_ratio : ndarray
        Exponentials of the differences of coefficients; infinite where they overflow.
    lower, upper : ndarrays
        Limits of a confidence interval.
    z, p_value : ndarrays
        Of an odds ratio of 1, two-sided, by the normal distribution.
    confidence : float
    kind : {"information", "sandwich"}
        Where the standard errors are from.
    """

    classes: tuple[Any, ...]
    reference: Any
    names: tuple[str, ...]
    odds_ratio: FloatArray
    lower: FloatArray
    upper: FloatArray
    z: FloatArray
    p_value: FloatArray
    confidence: float
    kind: str

    def _titles(self) -> list[str]:
        return [f"class {label} against {self.reference}" for label in self.classes]

    def _columns(self) -> list[tuple[str, str, FloatArray]]:
        low, high = limits_of(self.confidence)
        return [
            ("odds ratio", "odds_ratio", self.odds_ratio),
            (low, "lower", self.lower),
            (high, "upper", self.upper),
            ("z", "z", self.z),
            ("p", "p_value", self.p_value),
        ]

    def _note(self) -> str:
        return f"standard errors: {self.kind}"


def summarise(estimate: Estimate, confidence: float, features_of: FeaturesOf) -> Summary:
    """Standard errors of a model at its optimum.

    Parameters
    ----------
    estimate : Estimate
    confidence : float
        Of the intervals, above 0 and below 1.
    features_of : callable
        Checks features that users give, and gives them as arrays or sparse matrices.
    """
    classes, n_columns = estimate.classes, estimate.n_columns
    reference = None
    combinations = np.eye(n_columns)
    if n_columns == 1 or not estimate.is_penalised:
        classes, reference = classes[1:], classes[0]
    if n_columns > 1 and not estimate.is_penalised:
        combinations = combinations[1:]
        combinations[:, 0] = -1.0
    coefficients, errors = estimate.combine(combinations)
    intercept = ("intercept",) if estimate.coordinates.fit_intercept else ()
    return Summary(
        classes,
        reference,
        intercept + estimate.names,
        coefficients,
        errors,
        *wald_statistics(coefficients, errors, confidence),
        confidence,
        estimate.kind,
        estimate,
        features_of,
    )
