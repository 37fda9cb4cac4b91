"""From a file to rows to learn from: which columns are features, and what the labels are."""

import math
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ..blocks.tables import TableFile
from ..estimators.classifier import SoftmaxClassifier
from ..estimators.parameters import check_parameters
from .console import Console, name_some
from .errors import UserError
from .learning_rows import Labels, LearningRows
from .reading_rows import read_rows, read_weights
from .tables.choosing import Decision, decide
from .tables.columns import ColumnTable
from .tables.files import ReadingOptions, batches_of, open_table
from .tables.index_columns import is_identifier, is_unnamed
from .tables.kept_table import KeptTable
from .tables.labels import LabelReader
from .tables.profile import add_batch, number_rows, profile_columns
from .tables.text import hint_of_delimiter
from .tables.values import MISSING

# Bytes of a table that are kept in memory from the first pass to the second; more in a file.
_MOST_KEPT = 128 << 20


@dataclass(frozen=True)
class Training:
    """What to learn from, and how.

    Attributes
    ----------
    data : Path
    target : str or None
        None for files of svmlight, which have labels of their own.
    reading : ReadingOptions
    missing : tuple of str
        Texts that stand for a missing value, besides the usual ones.
    weight : str or None
    identifiers, dropped, kept, categorical : tuple of str
        Columns that identify rows, are no features, are features whatever they hold, and are
        categories.
    C : float or None
        None is the best of ten by cross-validation.
    parameters : dict
        Of `SoftmaxClassifier`.
    validation : float
        Share of the rows to hold out.
    n_folds : int or None
        Of a cross-validation, in place of held-out rows.
    calibrates, standardizes : bool
    seed : int
    in_blocks : bool or None
        None is only if the rows take too much memory.
    """

    data: Path
    target: str | None
    reading: ReadingOptions
    missing: tuple[str, ...]
    weight: str | None
    identifiers: tuple[str, ...]
    dropped: tuple[str, ...]
    kept: tuple[str, ...]
    categorical: tuple[str, ...]
    C: float | None
    parameters: dict[str, Any]
    validation: float
    n_folds: int | None
    calibrates: bool
    standardizes: bool
    seed: int
    in_blocks: bool | None

    @property
    def is_unpenalized(self) -> bool:
        """Whether there is no regularization."""
        return self.C is not None and math.isinf(self.C)

    def new_model(self, C: float, *, looks_up: bool) -> SoftmaxClassifier:
        """A classifier that isn't fitted."""
        known: dict[str, Any] = {"categorical_features": "from_dtype"} if looks_up else {}
        return SoftmaxClassifier(C=C, random_state=self.seed, **self.parameters, **known)

    def check(self) -> None:
        """Raise ValueError if a parameter is not allowed, before anything is read."""
        check_parameters(vars(self.new_model(1.0 if self.C is None else self.C, looks_up=False)))
        if self.calibrates and self.n_folds is None and not self.validation:
            raise UserError("--calibrate needs held-out rows: give --validation above 0, or --cv K")
        if self.C is None and self.parameters["solver"] == "sgd":
            raise UserError(
                "--C auto needs an exact solver: give --solver auto, or a number as --C"
            )


@dataclass(frozen=True)
class Prepared:
    """Rows to learn from, and what was found of them.

    Attributes
    ----------
    rows : LearningRows
    table : ColumnTable
    columns : list of dict
        What became of each column: ``name``, ``role`` and ``text``.
    n_rows, n_unlabelled : int
        In the file, and without a label.
    means : dict of str to float, or None
        Of the columns of numbers, by which these are standardized in `rows`; None if they aren't.
    """

    rows: LearningRows
    table: ColumnTable
    columns: list[dict[str, str]]
    n_rows: int
    n_unlabelled: int
    means: dict[str, float] | None = None


def prepare(training: Training, console: Console) -> Prepared:
    """Read a table: what its columns are, and its rows.

    Raises
    ------
    UserError, ValueError, OSError
        It can't be read, or has no such columns, or none that is a feature.
    """
    table = KeptTable(open_table(training.data, training.reading), _MOST_KEPT)
    assert training.target is not None
    _check_names(training, table)
    roles: dict[str | None, str] = {training.target: "target", training.weight: "weight"}
    roles |= dict.fromkeys(training.identifiers, "id")
    roles |= dict.fromkeys(training.dropped, "dropped")
    names = [name for name in table.schema.names if name not in roles]
    missing = (*MISSING, *training.missing)
    index = _index_of_pandas(table)
    kept, categorical = set(training.kept), set(training.categorical)
    identifiers = {name for name in names if is_unnamed(name) or is_identifier(name)}
    profiles = profile_columns(
        table.schema, [name for name in names if name not in index or name in kept],
        identifiers, kept | categorical, categorical,
    )  # fmt: skip
    reader = LabelReader(training.target, table.schema.field(training.target).type, missing)
    wanted = [name for name in table.schema.names if name in profiles or name in roles]
    wanted = [name for name in wanted if roles.get(name) not in ("dropped", "id")]
    with console.stage(f"reading {training.data}"):
        for batch in batches_of(table, wanted):
            own = reader.add(batch.column(batch.schema.get_field_index(training.target)))
            labelled = batch if own.all() else batch.filter(own)
            add_batch(profiles, labelled, missing, training.reading.decimal)
    if not reader.n_rows:
        raise UserError(f"{training.data} has no rows below its header: there is nothing to learn")
    classes, codes, kind = reader.finish()
    are_labelled = codes >= 0
    number_rows(profiles, np.flatnonzero(are_labelled))
    decisions = decide(
        profiles,
        kept,
        categorical,
        str(training.data),
        has_references=training.is_unpenalized,
    )
    columns = ColumnTable(
        tuple(each.column for each in decisions if each.column is not None),
        training.target,
        kind,
        missing,
    )
    if not columns.coefficient_names:
        reasons = "; ".join(f"{each.name!r}: {each.text}" for each in decisions[:5])
        raise UserError(
            f"{training.data} has no column that is a feature: {reasons or 'there is no other'}"
        )
    weights = None
    if training.weight is not None:
        weights = read_weights(table, training.weight, missing, training.reading.decimal)
        weights = weights[are_labelled]
    labels = Labels(
        classes, codes[are_labelled], None if are_labelled.all() else are_labelled, weights
    )
    means = None
    read_as = columns
    # Without a penalty it changes nothing.
    if training.standardizes and not training.is_unpenalized:
        means = {column.name: profiles[column.name].numbers.mean for column in columns.numbers}
        read_as = columns.standardized(means)
    with console.stage("preparing the rows"):
        rows = read_rows(
            table, read_as, labels, training.reading.decimal, in_blocks=training.in_blocks
        )
    described = _describe_columns(table, roles, decisions)
    return Prepared(rows, columns, described, reader.n_rows, reader.n_missing, means)


def _index_of_pandas(table: TableFile) -> set[str]:
    described = table.schema.pandas_metadata or {}
    return {name for name in described.get("index_columns", []) if isinstance(name, str)}


def _check_names(training: Training, table: TableFile) -> None:
    """Raise UserError if there is no such column, or one has two roles."""
    names = table.schema.names
    place = str(training.data)
    for option, given in (
        ("--target", (training.target,)),
        ("--weight", (training.weight,)),
        ("--id", training.identifiers),
        ("--drop", training.dropped),
        ("--keep", training.kept),
        ("--categorical", training.categorical),
    ):
        for name in given:
            if name is None:
                continue
            if name not in names:
                raise UserError(f"{option} {name!r} is no column of {place}: {_hint(name, names)}")
            if option != "--target" and name == training.target:
                raise UserError(f"{option} {name!r} is the target: it can't be both")
            if option in ("--keep", "--categorical") and name in (
                training.weight, *training.identifiers, *training.dropped,
            ):  # fmt: skip
                raise UserError(
                    f"{option} {name!r} is also given as --weight, --id or --drop: it can't be both"
                )


def _hint(name: str, names: list[str]) -> str:
    lowered = {each.lower().strip(): each for each in names}
    close = get_close_matches(name.lower().strip(), lowered, 2)
    if close:
        return f"did you mean {' or '.join(repr(lowered[each]) for each in close)}?"
    of_delimiter = hint_of_delimiter(names)
    if of_delimiter:
        return of_delimiter.removeprefix("; ")
    hint = f"it has {name_some(names)}"
    if all(_is_number(each) for each in names[:-1]):
        hint += "; its first line seems to be values, not names: add a line of names"
    return hint


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _describe_columns(
    table: TableFile, roles: dict[str | None, str], decisions: list[Decision]
) -> list[dict[str, str]]:
    of_names = {each.name: each for each in decisions}
    found = []
    for name in table.schema.names:
        if name in roles:
            role, text = roles[name], ""
            if role in ("id", "dropped"):
                role, text = "left out", "--id" if role == "id" else "--drop"
        elif name in of_names:
            role = "feature" if of_names[name].is_feature else "left out"
            text = of_names[name].text
        else:
            role, text = "left out", "it is the index of the data frame"
        found.append({"name": name, "role": role, "text": text})
    return found
