"""Models as SQL."""

from collections.abc import Sequence
from typing import Any

from ..data.checks import check_choice
from .linear_model import Feature, LinearModel, Scalar, read_model

_DIALECTS = ("sqlite", "duckdb")
_MOST_ARGUMENTS = 50  # SQLite has a limit of 100 of a function


def to_sql(
    model: Any,
    table: str | Sequence[str],
    dialect: str = "sqlite",
    *,
    features: Sequence[str] | None = None,
    keep: Sequence[str] = (),
) -> str:
    """A model as a SELECT statement, which gives a row of probabilities for each of a table.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        Fitted.
    table : str or sequence of str
        Name of the table, or names of its schema and of the table.
    dialect : {"sqlite", "duckdb"}, default="sqlite"
        SQLite must be 3.35 or newer, and have mathematical functions (``SELECT exp(1)``).
    features : sequence of str, default=None
        Names of the table's columns that are the features. None means the features' own names, or
        "x0", "x1" and so on if they have none.
    keep : sequence of str, default=()
        Names of the table's columns that the result has too, first. The order of rows isn't
        defined, so a key should be among them.

    Returns
    -------
    str
        The result has the columns `keep`; one named ``p_<label>`` for each class, with a number
        after it if another one has that name; and ``label``, the most probable class, named
        ``label_predicted`` if `keep` has that name.

        All of them are NULL where a number is NULL, NaN or infinite, or in SQLite a text. A
        category that `fit` has not seen contributes nothing; nor does NULL, unless there were
        missing values in `fit`.

    Raises
    ------
    TypeError, ValueError
        The model can't be exported, or an argument is not allowed.

    Notes
    -----
    All names and labels are quoted. SQLite limits statements to 1,000,000 bytes and results to
    2,000 columns by default.
    """
    check_choice("dialect", dialect, _DIALECTS)
    known = read_model(model).of_all_classes()
    names = [feature.name for feature in known.features] if features is None else features
    if len(names) != len(known.features):
        raise ValueError(
            f"features has {len(names)} names: it must have {len(known.features)}, one for each "
            "feature of the model"
        )
    _check_distinct("features", names)
    _check_distinct("keep", keep)
    if not isinstance(table, str | list | tuple) or table in ([], ()):
        raise TypeError(f"table={table!r} is not allowed: it must be a name, or a list of names")
    parts = [table] if isinstance(table, str) else list(table)
    source = ".".join(_quoted("table", part) for part in parts)
    prefix = "softreg_"
    while parts[-1].casefold().startswith(prefix):  # or the table would hide behind a step
        prefix += "_"
    return _Statement(known, dialect, prefix).text(
        source,
        [f"t.{_quoted('features', name)}" for name in names],
        [_quoted("keep", name) for name in keep],
        [_quoted("label", name) for name in _output_names(known.classes, keep)],
    )


def _check_distinct(name: str, values: Sequence[str]) -> None:
    """Raise an error for names that SQL, which ignores case, takes for one."""
    if isinstance(values, str):
        raise TypeError(f"{name}={values!r} is not allowed: it must be a list of names")
    seen: dict[str, str] = {}
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{name} has {value!r}: names of columns must be strings")
        other = seen.get(value.casefold())
        seen[value.casefold()] = value
        if other is not None:
            raise ValueError(
                f"{name} has {other!r} and {value!r}, which are one name in SQL: give other names "
                "to the columns of the table"
            )


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has {text!r}, which is no text in SQL") from error
    if "\0" in text:
        raise ValueError(f"{name} has {text!r}: SQL allows no zero character")


def _quoted(name: str, identifier: Any) -> str:
    if not isinstance(identifier, str) or not identifier:
        raise TypeError(f"{name} has {identifier!r}: names in SQL must be strings, not empty")
    _check_text(name, identifier)
    return '"' + identifier.replace('"', '""') + '"'


def _literal(value: Scalar, *, has_booleans: bool) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        # SQLite takes TRUE for 1 only where no column is called so.
        return str(value).upper() if has_booleans else str(int(value))
    if isinstance(value, str):
        _check_text("model", value)
        return "'" + value.replace("'", "''") + "'"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """A literal of a double: without an exponent, DuckDB has decimals."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _balanced(terms: Sequence[str]) -> str:
    """A sum; SQLite allows no chain of a thousand."""
    if len(terms) <= 8:
        return " + ".join(terms)
    middle = len(terms) // 2
    return f"({_balanced(terms[:middle])}) + ({_balanced(terms[middle:])})"


def _output_names(classes: Sequence[Scalar], keep: Sequence[str]) -> list[str]:
    """Of the columns of probabilities, and of the label; SQL ignores case."""
    taken = {name.casefold() for name in keep}
    of_label = "label"
    while of_label in taken:
        of_label += "_predicted"
    taken.add(of_label)
    names = []
    for number, label in enumerate(classes):
        name = f"p_{label}"
        while name.casefold() in taken:
            name = f"{name}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return [*names, of_label]


class _Statement:
    """Makes the statement, as steps of which each is a table of its own."""

    def __init__(self, known: LinearModel, dialect: str, prefix: str) -> None:
        self._prefix = prefix
        self._known = known
        self._is_duckdb = dialect == "duckdb"
        self._largest_of = "greatest" if self._is_duckdb else "max"

    def text(
        self, source: str, columns: Sequence[str], keep: Sequence[str], outputs: Sequence[str]
    ) -> str:
        """The statement."""
        known = self._known
        n_classes = len(known.classes)
        kept = [f"k{place}" for place in range(len(keep))]
        checked = [
            f"{self._checked(feature, column)} AS x{place}"
            for place, (feature, column) in enumerate(zip(known.features, columns, strict=True))
        ]
        kept_first = [f"t.{name} AS {own}" for name, own in zip(keep, kept, strict=True)]
        steps = [("checked", [*kept_first, *checked])]
        steps.append(("logits", [*kept, *map(self._logit, range(n_classes))]))
        if known.is_logistic:
            activated = [
                f"CASE WHEN z{k} < 0 THEN exp(z{k}) / (1e0 + exp(z{k})) "
                f"ELSE 1e0 / (1e0 + exp(-z{k})) END AS z{k}"
                for k in range(n_classes)
            ]
            steps.append(("activated", [*kept, *activated]))
        values = [f"z{k}" for k in range(n_classes)]
        largest = f"{self._largest(values)} AS largest"
        steps.append(("shifted", [*kept, *values, largest]))
        cases = " ".join(
            f"WHEN z{k} = largest THEN {self._literal(label)}"
            for k, label in enumerate(known.classes)
        )
        powers = [f"exp(z{k} - largest) AS e{k}" for k in range(n_classes)]
        steps.append(("powers", [*kept, *powers, f"CASE {cases} END AS own"]))
        powers = [f"e{k}" for k in range(n_classes)]
        steps.append(("totals", [*kept, *powers, "own", f"{_balanced(powers)} AS total"]))
        probabilities = [f"e{k} / total AS {name}" for k, name in enumerate(outputs[:-1])]
        label = f"CASE WHEN total IS NOT NULL THEN own END AS {outputs[-1]}"
        again = [f"{own} AS {name}" for name, own in zip(keep, kept, strict=True)]
        origins = [f"{source} AS t", *(f"{self._prefix}{name}" for name, _ in steps)]
        # Materialized, because SQLite would put the text of each step into the next one.
        before = ",\n".join(
            f"{self._prefix}{name} AS MATERIALIZED (\n"
            f"  SELECT\n    {_listed(columns)}\n  FROM {origin}\n)"
            for (name, columns), origin in zip(steps, origins[:-1], strict=True)
        )
        final = _listed([*again, *probabilities, label])
        return f"WITH {before}\nSELECT\n    {final}\nFROM {origins[-1]}"

    def _literal(self, value: Scalar) -> str:
        return _literal(value, has_booleans=self._is_duckdb)

    def _checked(self, feature: Feature, column: str) -> str:
        """A number, or NULL; or the number of a category, or -1."""
        if feature.categories is None:
            if self._is_duckdb:
                double = f"CAST({column} AS DOUBLE)"
                return f"CASE WHEN isfinite({double}) THEN {double} END"
            is_number = f"typeof({column}) IN ('integer', 'real') AND abs({column}) < 9e999"
            return f"CASE WHEN {is_number} THEN CAST({column} AS REAL) END"
        binary = "" if self._is_duckdb else " COLLATE BINARY"
        cases = []
        for place, category in enumerate(feature.categories):
            if category is None:
                cases.append(f"WHEN {column} IS NULL THEN {place}")
                continue
            collation = binary if isinstance(category, str) else ""
            cases.append(f"WHEN {column} = {self._literal(category)}{collation} THEN {place}")
        return f"CASE {' '.join(cases)} ELSE -1 END" if cases else "-1"

    def _logit(self, k: int) -> str:
        """The linear function of a class."""
        terms = [_number(self._known.intercepts[k].item())]
        for place, feature in enumerate(self._known.features):
            own = feature.coefficients[..., k].tolist()
            if feature.categories is None:
                terms.append(f"{_number(own)} * x{place}")
            elif own:
                cases = " ".join(
                    f"WHEN {number} THEN {_number(each)}" for number, each in enumerate(own)
                )
                terms.append(f"CASE x{place} {cases} ELSE 0e0 END")
        return f"{_balanced(terms)} AS z{k}"

    def _largest(self, values: Sequence[str]) -> str:
        """The largest of some values."""
        if len(values) == 1:
            return values[0]
        size = -(-len(values) // _MOST_ARGUMENTS)
        if size == 1:
            return f"{self._largest_of}({', '.join(values)})"
        parts = [
            self._largest(values[start : start + size]) for start in range(0, len(values), size)
        ]
        return self._largest(parts)


def _listed(columns: Sequence[str]) -> str:
    return ",\n    ".join(columns)
