"""Results that are a table for each class, as text, HTML and data frames."""

import math
from abc import ABC, abstractmethod
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from .._extras import missing_package
from .._typing import FloatArray

_NARROWEST = 9
_SMALLEST_DIFFERENCE = 1e-7


def limits_of(confidence: float) -> tuple[str, str]:
    """Names of the limits of a confidence interval, such as "2.5 %"."""
    return f"{50.0 * (1.0 - confidence):.4g} %", f"{50.0 * (1.0 + confidence):.4g} %"


def columns_of_estimates(table: Any) -> list[tuple[str, str, FloatArray]]:
    """Columns of what has standard errors, z and p values and limits; see `ClassTables`."""
    low, high = limits_of(table.confidence)
    return [
        ("std err", "std_err", table.std_err),
        ("z", "z", table.z),
        ("p", "p_value", table.p_value),
        (low, "lower", table.lower),
        (high, "upper", table.upper),
    ]


def format_estimate(value: float) -> str:
    """A number with four digits; odds ratios near 1 with two of their difference to 1."""
    text = f"{value:.4g}"
    difference = abs(value - 1.0)
    if text != "1" or difference < _SMALLEST_DIFFERENCE:
        return text
    return f"{value:.{1 - math.floor(math.log10(difference))}f}"


class ClassTables(ABC):
    """A table for each of some classes, with a row for each feature.

    Attributes
    ----------
    classes : tuple
        What the tables are of.
    names : tuple of str
        Of the rows.
    """

    classes: tuple[Any, ...]
    names: tuple[str, ...]

    @abstractmethod
    def _titles(self) -> list[str]:
        """Of the tables."""

    @abstractmethod
    def _columns(self) -> list[tuple[str, str, FloatArray]]:
        """Of each column its head, its name in a data frame, and values by class and feature."""

    @abstractmethod
    def _note(self) -> str:
        """What stands below."""

    def __str__(self) -> str:
        width = max(_NARROWEST, *(len(name) for name in self.names)) + 2
        columns = self._columns()
        heads = " " * width + "".join(f"{head:>11}" for head, _, _ in columns)
        lines = []
        for place, title in enumerate(self._titles()):
            lines += [title, heads]
            for row, name in enumerate(self.names):
                values = "".join(
                    f"{format_estimate(each[place, row]):>11}" for _, _, each in columns
                )
                lines.append(f"{name:<{width}}{values}")
        lines.append(self._note())
        return "\n".join(lines)

    def to_html(self) -> str:
        """A table for each class.

        Returns
        -------
        str
            HTML; names are escaped.
        """
        columns = self._columns()
        heads = "".join(f"<th>{escape(head)}</th>" for head, _, _ in columns)
        parts = []
        for place, title in enumerate(self._titles()):
            rows = []
            for row, name in enumerate(self.names):
                cells = "".join(
                    f"<td>{format_estimate(each[place, row])}</td>" for _, _, each in columns
                )
                rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
            parts.append(
                f"<table>\n<caption>{escape(title)}</caption>\n"
                f"<thead><tr><th></th>{heads}</tr></thead>\n"
                "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"
            )
        parts.append(f"<p>{escape(self._note())}</p>")
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_pandas(self) -> Any:
        """A data frame.

        Returns
        -------
        pandas.DataFrame
            A row for each class and feature, in the levels "class" and "feature" of the index.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise missing_package("to_pandas", "pandas", "pandas") from error
        levels = [list(self.classes), list(self.names)]
        index = pandas.MultiIndex.from_product(levels, names=["class", "feature"])
        columns = {name: np.ravel(values) for _, name, values in self._columns()}
        return pandas.DataFrame(columns, index=index)
