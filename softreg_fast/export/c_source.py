"""Models as C."""

import re
import string
from collections.abc import Iterable
from typing import Any

from .. import __version__
from .linear_model import LinearModel, Scalar, read_model

_TEXT = """/* Softmax regression, fitted by softreg_fast {version}. C99; link with -lm. */

#include <math.h>
#include <stddef.h>

#define {NAME}_N_FEATURES {n_features}
#define {NAME}_N_CLASSES {n_classes}

/* Labels and names of features as UTF-8. */
const char *const {name}_classes[{NAME}_N_CLASSES] = {{{classes}}};
const char *const {name}_features[{NAME}_N_FEATURES] = {{{features}}};
{categories}
static const double {name}_intercepts[{n_columns}] = {{{intercepts}}};
static const double {name}_coefficients[{n_coefficients}][{n_columns}] = {{
    {coefficients}
}};
/* Of each feature: its number of categories, or -1 if it is a number. */
static const long {name}_sizes[{NAME}_N_FEATURES] = {{{sizes}}};

/* What the softmax is taken of. */
static void {name}_values(const double *x, double *values)
{{
    double sums[{n_columns}], check = 0.0; /* NaN where a sum isn't finite */
    size_t first = 0;
    for (int k = 0; k < {n_columns}; k++)
        sums[k] = {name}_intercepts[k];
    for (int j = 0; j < {NAME}_N_FEATURES; j++) {{
        const long size = {name}_sizes[j];
        if (size < 0) {{
            for (int k = 0; k < {n_columns}; k++)
                sums[k] += {name}_coefficients[first][k] * x[j];
            first += 1;
            continue;
        }}
        if (x[j] >= 0.0 && x[j] < (double)size && x[j] == floor(x[j])) {{
            const size_t place = first + (size_t)x[j];
            for (int k = 0; k < {n_columns}; k++)
                sums[k] += {name}_coefficients[place][k];
        }}
        first += (size_t)size;
    }}
    for (int k = 0; k < {n_columns}; k++)
        check += 0.0 * sums[k];
    values[0] = check; /* of the first of two classes that share a column */
    for (int k = 0; k < {n_columns}; k++)
        values[k + {NAME}_N_CLASSES - {n_columns}] = {activated} + check;
}}

/* Probabilities p[0..{NAME}_N_CLASSES) of a row x[0..{NAME}_N_FEATURES). All are NaN if a number is
   NaN or infinite, or too large. A categorical feature is the number of its category, from 0; any
   other number is of none, and contributes nothing. */
void {name}_predict_proba(const double *x, double *p)
{{
    double largest, total = 0.0;
    {name}_values(x, p);
    largest = p[0];
    for (int k = 1; k < {NAME}_N_CLASSES; k++)
        largest = p[k] > largest ? p[k] : largest;
    for (int k = 0; k < {NAME}_N_CLASSES; k++) {{
        p[k] = exp(p[k] - largest);
        total += p[k];
    }}
    for (int k = 0; k < {NAME}_N_CLASSES; k++)
        p[k] /= total;
}}

/* Number of the most probable class, from 0; -1 where the probabilities are NaN. */
int {name}_predict(const double *x)
{{
    double values[{NAME}_N_CLASSES];
    int best = 0;
    {name}_values(x, values);
    for (int k = 1; k < {NAME}_N_CLASSES; k++)
        best = values[k] > values[best] ? k : best;
    return isnan(values[0]) ? -1 : best;
}}
"""
_PLAIN = string.ascii_letters + string.digits + " _-.,:;=+()"
_ACTIVATED = "(sums[k] < 0.0 ? exp(sums[k]) / (1.0 + exp(sums[k])) : 1.0 / (1.0 + exp(-sums[k])))"


def to_c(model: Any, prefix: str = "softreg") -> str:
    """A model as a C99 source file.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        Fitted.
    prefix : str, default="softreg"
        What all its names begin with.

    Returns
    -------
    str
        ASCII. It defines ``void softreg_predict_proba(const double *x, double *p)``, which fills in
        the probabilities of a row; ``int softreg_predict(const double *x)``, which gives the number
        of the class; ``softreg_classes`` and ``softreg_features``, which are strings; and
        ``SOFTREG_N_CLASSES`` and ``SOFTREG_N_FEATURES``. Coefficients are hexadecimal, so that they
        have the same bits.

        In `x`, a categorical feature j is the number of its category in
        ``softreg_categories_<j>``, from 0. Another number contributes nothing. Where another
        feature is NaN or infinite, all probabilities are NaN, and the number of the class is -1.
        Options that give up these numbers, such as ``-ffast-math``, are not for this file.

    Raises
    ------
    TypeError, ValueError
        The model can't be exported, or the prefix is no name.
    """
    if not isinstance(prefix, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", prefix):
        raise ValueError(f"prefix={prefix!r} is not allowed: it must be a name in C")
    known = read_model(model)
    return _TEXT.format(
        version=__version__,
        name=prefix,
        NAME=prefix.upper(),
        n_features=len(known.features),
        n_classes=len(known.classes),
        n_columns=known.n_columns,
        classes=_strings(known.classes),
        features=_strings(feature.name for feature in known.features),
        categories=_categories(known, prefix),
        intercepts=_numbers(known.intercepts.tolist()),
        n_coefficients=sum(
            1 if feature.categories is None else len(feature.categories)
            for feature in known.features
        ),
        coefficients=",\n    ".join(
            f"{{{_numbers(own)}}}"
            for feature in known.features
            for own in feature.coefficients.reshape(-1, known.n_columns).tolist()
        ),
        sizes=", ".join(
            "-1" if feature.categories is None else str(len(feature.categories))
            for feature in known.features
        ),
        activated=_ACTIVATED if known.is_logistic else "sums[k]",
    )


def _numbers(values: list[float]) -> str:
    return ", ".join(value.hex() for value in values)


def _strings(values: Iterable[Scalar]) -> str:
    return ", ".join(map(_string, values))


def _string(value: Scalar) -> str:
    """A literal; octal escapes end after three digits, whatever follows."""
    characters = [
        chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}"
        for byte in str(value).encode("utf-8", "surrogatepass")
    ]
    return '"' + "".join(characters) + '"'


def _categories(known: LinearModel, prefix: str) -> str:
    lines = []
    for place, feature in enumerate(known.features):
        if feature.categories:
            values = ["(missing)" if each is None else each for each in feature.categories]
            lines.append(
                f"const char *const {prefix}_categories_{place}[{len(values)}] = "
                f"{{{_strings(values)}}};\n"
            )
    return "".join(lines)
