"""How well an unpenalised model fits: its likelihood, and what is made of it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, xlogy

from .curvature import Curvature


@dataclass(frozen=True)
class FitStatistics:
    """The likelihood of a model at its optimum; ``print`` shows a table.

    Attributes
    ----------
    n_samples : float
        The sum of the samples' weights.
    log_likelihood : float
    null_log_likelihood : float
        Of the model without features: of intercepts alone, or of equal probabilities if the model
        has no intercept.
    n_parameters : int
        Coefficients and intercepts that are free: the rank of the information.
    df_model : int
        Those that the model without features lacks: degrees of freedom of the test.
    df_resid : float
        `n_samples` less `n_parameters`.
    aic : float
        ``2 * n_parameters - 2 * log_likelihood`` (Akaike, A new look at the statistical model
        identification, 1974).
    bic : float
        ``log(n_samples) * n_parameters - 2 * log_likelihood`` (Schwarz, Estimating the dimension of
        a model, 1978).
    mcfadden_r2 : float
        ``1 - log_likelihood / null_log_likelihood`` (McFadden, Conditional logit analysis of
        qualitative choice behavior, 1974).
    likelihood_ratio : float
        ``2 * (log_likelihood - null_log_likelihood)``, of the test against the model without
        features.
    p_value : float
        Of that, by the chi-squared distribution.
    """

    n_samples: float
    log_likelihood: float
    null_log_likelihood: float
    n_parameters: int
    df_model: int
    df_resid: float
    aic: float
    bic: float
    mcfadden_r2: float
    likelihood_ratio: float
    p_value: float

    def __str__(self) -> str:
        width = max(len(name) for name in vars(self)) + 2
        return "\n".join(f"{name:<{width}}{value:>12.6g}" for name, value in vars(self).items())


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A test of a model against one that is nested in it; ``print`` shows a table.

    Attributes
    ----------
    statistic : float
        ``2 * (log_likelihood - nested_log_likelihood)``, at least 0.
    df : int
        Free coefficients that the nested model lacks.
    p_value : float
        Of the statistic, by the chi-squared distribution with `df` degrees of freedom (Wilks, The
        large-sample distribution of the likelihood ratio for testing composite hypotheses, 1938).
    log_likelihood, nested_log_likelihood : float
    """

    statistic: float
    df: int
    p_value: float
    log_likelihood: float
    nested_log_likelihood: float

    __str__ = FitStatistics.__str__


def fit_statistics_of(curvature: Curvature) -> FitStatistics:
    """The statistics of a model without a penalty.

    Parameters
    ----------
    curvature : Curvature
        Of the loss at the optimum.
    """
    class_weights = curvature.class_weights
    n_samples = float(class_weights.sum())
    n_classes = len(class_weights)
    likelihood = -curvature.moments.loss
    n_parameters = df_model = curvature.spectrum.rank
    if curvature.coordinates.fit_intercept:
        null = float(xlogy(class_weights, class_weights / n_samples).sum())
        df_model -= n_classes - 1
    else:
        null = -n_samples * float(np.log(n_classes))
    # Rounding may leave less than nothing.
    ratio = max(0.0, 2.0 * (likelihood - null))
    return FitStatistics(
        n_samples=n_samples,
        log_likelihood=likelihood,
        null_log_likelihood=null,
        n_parameters=n_parameters,
        df_model=df_model,
        df_resid=n_samples - n_parameters,
        aic=2.0 * n_parameters - 2.0 * likelihood,
        bic=float(np.log(n_samples)) * n_parameters - 2.0 * likelihood,
        mcfadden_r2=1.0 - likelihood / null,
        likelihood_ratio=ratio,
        p_value=p_value_of(ratio, df_model),
    )


def p_value_of(statistic: float, df: int) -> float:
    """Of a chi-squared statistic; 1 without degrees of freedom."""
    return float(chdtrc(df, statistic)) if df > 0 else 1.0
