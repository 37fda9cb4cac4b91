"""The table of columns: what a model's features are, as it is kept beside the model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import UserError

NUMBER, CATEGORY, BOOLEAN = "number", "category", "boolean"
_FORMAT = 1


@dataclass(frozen=True)
class Column:
    """A column that is a feature.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "boolean"}
        Booleans are the categories "false" and "true", however they are written.
    categories : tuple of str or None
        In order; None, the last one, is that of missing values, if there were any.
    fill : float or None
        What stands for a missing number.
    scale : float or None
        The standard deviation of the numbers.
    center : float or None
        What is subtracted from the numbers before they are divided by `scale`; None if neither is
        done, as in all models that are kept.
    reference : str or None
        A further category, which has no coefficient: those of the others are compared with it.
    """

    name: str
    kind: str
    categories: tuple[str | None, ...] = ()
    fill: float | None = None
    scale: float | None = None
    center: float | None = None
    reference: str | None = None

    @property
    def what_missing_values_are(self) -> str:
        """What the model takes for a missing value, for users."""
        if self.kind == NUMBER:
            return f"for which {self.fill:g} is taken"
        if None in self.categories:
            return "a category of their own"
        if self.reference is not None:
            return f"which count as {self.reference!r}"
        return "which contribute nothing"

    @property
    def coefficient_names(self) -> list[str]:
        """Of the coefficients of a class that belong to the column."""
        if self.kind == NUMBER:
            return [self.name]
        return [f"{self.name}_{'nan' if each is None else each}" for each in self.categories]


@dataclass(frozen=True)
class ColumnTable:
    """What a model's features are, and what it predicts.

    Attributes
    ----------
    columns : tuple of Column
        In the order of the features.
    target : str
        The name of the column with the labels.
    target_kind : {"integer", "number", "boolean", "text"}
    missing : tuple of str
        Texts that stand for a missing value.
    n_sparse : int or None
        Of svmlight files, which have no columns: the number of features.
    first_index : {0, 1} or None
        Of svmlight files: the index of the first feature. None if it isn't known.
    """

    columns: tuple[Column, ...]
    target: str
    target_kind: str
    missing: tuple[str, ...] = ()
    n_sparse: int | None = None
    first_index: int | None = None

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [column.name for column in self.columns]

    @property
    def numbers(self) -> list[Column]:
        """The columns of numbers."""
        return [column for column in self.columns if column.kind == NUMBER]

    @property
    def categorical(self) -> list[Column]:
        """The columns of categories and booleans."""
        return [column for column in self.columns if column.kind != NUMBER]

    @property
    def has_references(self) -> bool:
        """Whether categories are compared with one of them."""
        return any(column.reference is not None for column in self.columns)

    @property
    def coefficient_names(self) -> list[str]:
        """Of all coefficients of a class."""
        return [name for column in self.columns for name in column.coefficient_names]

    def standardized(self, means: Mapping[str, float]) -> "ColumnTable":
        """The same, but numbers become those of mean 0 and standard deviation 1."""
        columns = [
            replace(each, center=means[each.name]) if each.kind == NUMBER else each
            for each in self.columns
        ]
        return replace(self, columns=tuple(columns))

    def as_learned(self, model: Any) -> "ColumnTable":
        """The same, but with the categories that a model looks up, in its order.

        These are sorted as texts, and lack what only rows without a label have.
        """
        if not hasattr(model, "categories_"):
            return self
        categories = iter(model.categories_)
        columns = [
            each if each.kind == NUMBER else replace(each, categories=_texts_of(next(categories)))
            for each in self.columns
        ]
        return replace(self, columns=tuple(columns))

    def with_missing(self, texts: Sequence[str]) -> "ColumnTable":
        """The same with further texts that stand for a missing value."""
        return replace(self, missing=(*self.missing, *texts))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, of lists, dicts, texts and numbers."""
        document: dict[str, Any] = json.loads(json.dumps({"format": _FORMAT, **asdict(self)}))
        return document


def _texts_of(categories: Any) -> tuple[str | None, ...]:
    """Categories of a model; None is that of missing values."""
    return tuple(each if isinstance(each, str) else None for each in categories.tolist())


def from_json(document: Mapping[str, Any]) -> ColumnTable:
    """The table that `ColumnTable.to_json` has described.

    Raises
    ------
    UserError
        It is of a newer version, or damaged.
    """
    try:
        if document["format"] > _FORMAT:
            raise UserError(
                "the model is of a newer version of softreg-fast: update this one "
                "(pip install -U softreg-fast)"
            )
        columns = tuple(
            Column(**{**column, "categories": tuple(column["categories"])})
            for column in document["columns"]
        )
        kept = {name: value for name, value in document.items() if name != "format"}
        table = ColumnTable(**{**kept, "columns": columns, "missing": tuple(document["missing"])})
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"the table of columns in the model is damaged: {error}") from error
    if type(document["format"]) is not int or not _is_whole(table):
        raise UserError("the table of columns in the model is damaged: it holds other values")
    return table


def _is_whole(table: ColumnTable) -> bool:
    """Whether all is what it must be."""
    texts = [table.target, table.target_kind, *table.missing, *table.names]
    integers = [each for each in (table.n_sparse, table.first_index) if each is not None]
    return (
        all(isinstance(each, str) for each in texts)
        and all(type(each) is int for each in integers)
        and len(set(table.names)) == len(table.names)
        and all(map(_is_whole_column, table.columns))
    )


def _is_whole_column(column: Column) -> bool:
    numbers = [each for each in (column.scale, column.center) if each is not None]
    if column.kind == NUMBER:
        return all(type(each) is float for each in [*numbers, column.fill])
    categories = [*column.categories, column.reference]
    return (
        column.kind in (CATEGORY, BOOLEAN)
        and all(each is None or isinstance(each, str) for each in categories)
        and len(set(column.categories)) == len(column.categories)
        and None not in column.categories[:-1]
    )
