"""From a file and the name of a column to a model."""

import math
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ..blocks.tables import TableFile
from ..estimators.classifier import SoftmaxClassifier
from ..estimators.classifier_cv import SoftmaxClassifierCV
from ..estimators.parameters import check_parameters
from .assessing import Assessment, assess_by_folds, assess_held_out
from .console import Console, name_of, name_some
from .errors import UserError
from .explaining import scales_of, summary_of
from .learning_rows import Labels, LearningRows, MemoryRows, free_bytes, read_rows, read_weights
from .tables.choosing import Decision, decide
from .tables.columns import ColumnTable
from .tables.files import KeptTable, ReadingOptions, batches_of, open_table
from .tables.index_columns import is_identifier, is_unnamed
from .tables.labels import LabelReader
from .tables.profile import add_batch, profile_columns
from .tables.text import hint_of_delimiter
from .tables.values import MISSING

_MOST_KEPT = 2 << 30  # bytes of a table that are kept from the first pass to the second


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


@dataclass(frozen=True)
class Trained:
    """A model and what is known of it.

    Attributes
    ----------
    model : SoftmaxClassifier
    assessment : Assessment or None
    C : float
    temperature : float or None
    summary : dict or None
        Standard errors.
    """

    model: SoftmaxClassifier
    assessment: Assessment | None
    C: float
    temperature: float | None
    summary: dict[str, Any] | None


def prepare(training: Training, console: Console) -> Prepared:
    """Read a table: what its columns are, and its rows.

    Raises
    ------
    UserError, ValueError, OSError
        It can't be read, or has no such columns, or none that is a feature.
    """
    table = KeptTable(
        open_table(training.data, training.reading), min(_MOST_KEPT, free_bytes() // 4)
    )
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
            reader.add(batch.column(batch.schema.get_field_index(training.target)))
            add_batch(profiles, batch, missing, training.reading.decimal)
    if not reader.n_rows:
        raise UserError(f"{training.data} has no rows below its header: there is nothing to learn")
    classes, codes, kind = reader.finish()
    decisions = decide(
        profiles,
        kept,
        categorical,
        str(training.data),
        has_references=training.C is not None and math.isinf(training.C),
    )
    columns = ColumnTable(
        tuple(each.column for each in decisions if each.column is not None),
        training.target,
        kind,
        missing,
    )
    if not columns.columns:
        reasons = "; ".join(f"{each.name!r}: {each.text}" for each in decisions[:5])
        raise UserError(
            f"{training.data} has no column that is a feature: {reasons or 'there is no other'}"
        )
    are_labelled = codes >= 0
    weights = None
    if training.weight is not None:
        weights = read_weights(table, training.weight, missing)[are_labelled]
    labels = Labels(
        classes, codes[are_labelled], None if are_labelled.all() else are_labelled, weights
    )
    means = None
    read_as = columns
    if training.standardizes:
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
    shown = ", ".join(map(repr, names[:8]))
    hint = f"it has {shown}{', ...' if len(names) > 8 else ''}"
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


def train(training: Training, prepared: Prepared, console: Console) -> Trained:
    """Assess and fit a model."""
    rows, seed = prepared.rows, training.seed
    looks_up = (
        rows.are_in_memory
        and bool(prepared.table.categorical)
        and not prepared.table.has_references
    )
    C = training.C
    if C is None:
        with console.stage("choosing C by cross-validation"):
            C = _choose_strength(training, rows, looks_up=looks_up)
    assert C is not None
    strength = C

    def new_model() -> SoftmaxClassifier:
        return training.new_model(strength, looks_up=looks_up)

    assessment = None
    with warnings.catch_warnings():
        # What matters is said of the last fit.
        warnings.simplefilter("ignore", UserWarning)
        if training.n_folds is not None:
            with console.stage(f"cross-validation of {training.n_folds} folds"):
                assessment = assess_by_folds(rows, new_model, training.n_folds, seed)
        elif training.validation:
            with console.stage("learning, to score held-out rows"):
                assessment = assess_held_out(rows, new_model, training.validation, seed)
            if assessment is None:
                console.note("there are too few rows to hold some out: give --cv K to score")
    model = new_model()
    with console.stage("learning from all rows"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows.fit(model)
    for each in caught:
        if issubclass(each.category, UserWarning):
            console.note(str(each.message))
    summary = _summarise(model, rows, console) if math.isinf(C) else None
    if prepared.means is not None:
        _undo_standardization(model, prepared.table, prepared.means)
    elif not math.isinf(C):
        _note_small_numbers(prepared, C, console)
    temperature = None
    if training.calibrates and assessment is not None:
        temperature = assessment.temperature()
        model.coef_ = model.coef_ / temperature
        model.intercept_ = model.intercept_ / temperature
    return Trained(model, assessment, C, temperature, summary)


def _undo_standardization(model: Any, table: ColumnTable, means: dict[str, float]) -> None:
    """Have a model of standardized numbers be one of the numbers themselves."""
    scales = scales_of(model, table)
    centers = np.array(
        [means.get(column.name, 0.0) for column in table.columns for _ in column.coefficient_names]
    )
    model.coef_ = model.coef_ / scales
    intercept = model.intercept_ - model.coef_ @ centers
    model.intercept_ = intercept - intercept.mean() * (len(intercept) > 1)


def _note_small_numbers(prepared: Prepared, C: float, console: Console) -> None:
    """Name numbers that vary so little that the penalty hardly lets them contribute."""
    # The curvature of the loss, at most a quarter for each row, is below that of the penalty.
    least = math.sqrt(4.0 / (C * len(prepared.rows.labels.codes)))
    small = [each for each in prepared.table.numbers if 0.0 < (each.scale or 0.0) < least]
    if small:
        console.note(
            f"with C={C:g} the penalty hardly lets {name_some([each.name for each in small])} "
            "contribute, since it varies so little: give --standardize, or a larger --C"
        )


def _choose_strength(training: Training, rows: LearningRows, *, looks_up: bool) -> float:
    """The best C by cross-validation."""
    known: dict[str, Any] = {"categorical_features": "from_dtype"} if looks_up else {}
    given = {name: value for name, value in training.parameters.items() if name != "l1_ratio"}
    search = SoftmaxClassifierCV(
        cv=training.n_folds or 5,
        l1_ratios=[training.parameters["l1_ratio"]],
        refit=False,
        **given,
        **known,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rows.fit(search)
    return float(np.ravel(search.C_)[0])


def _summarise(model: Any, rows: LearningRows, console: Console) -> dict[str, Any] | None:
    """Standard errors, if there are any."""
    if not isinstance(rows, MemoryRows):
        return None
    labels = rows.labels
    try:
        y = labels.classes[labels.codes]
        return summary_of(model.summary(rows.features, y, labels.weights))
    except ValueError as error:
        console.note(f"no standard errors: {error}")
        return None


def describe_classes(labels: Labels) -> list[dict[str, Any]]:
    """Of each class its name, rows and share."""
    return [
        {"class": name_of(label), "rows": int(count), "share": float(share)}
        for label, count, share in zip(
            labels.classes.tolist(), labels.counts, labels.shares, strict=True
        )
    ]
