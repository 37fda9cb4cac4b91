"""Which columns of a table are features, and what becomes of the others."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import UserError
from .columns import BOOLEAN, CATEGORY, NUMBER, Column
from .index_columns import FEWEST_IN_SEQUENCE, is_unnamed
from .profile import ColumnProfile
from .text import HINT_OF_COMMAS, shortened
from .values import DECIMAL_COMMA, order_of

_BOOLEANS = ({"true", "false"}, {"true"}, {"false"})
# Of a column of texts that are numbers but for some: more different ones are no categories.
_MOST_NUMBERS_AS_CATEGORIES = 20
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


@dataclass(frozen=True)
class Decision:
    """What becomes of a column.

    Attributes
    ----------
    name : str
    column : Column or None
        None if it is left out.
    text : str
        What users read.
    """

    name: str
    column: Column | None
    text: str

    @property
    def is_feature(self) -> bool:
        """Whether it is a feature."""
        return self.column is not None


def decide(
    profiles: Mapping[str, ColumnProfile],
    kept: set[str],
    categorical: set[str],
    place: str,
    *,
    has_references: bool = False,
) -> list[Decision]:
    """What becomes of each column.

    Parameters
    ----------
    profiles : mapping
        Of the columns that may be features, by their names.
    kept : set of str
        Columns that the user wants, whatever they hold.
    categorical : set of str
        Columns that the user wants as categories.
    place : str
        The file, for errors.
    has_references : bool, default=False
        Whether the most frequent category of each column has no coefficient.

    Raises
    ------
    UserError
        A column holds numbers and texts, or infinite numbers, or can't be kept.
    """
    found = [
        _decide(profile, name in kept or name in categorical, name in categorical, place)
        for name, profile in profiles.items()
    ]
    if not has_references:
        return found
    return [_with_reference(each, profiles[each.name].counts) for each in found]


def _with_reference(decision: Decision, counts: Mapping[str, int]) -> Decision:
    """The same, but the most frequent category is what others are compared with."""
    column = decision.column
    if column is None or column.kind == NUMBER:
        return decision
    reference = max(sorted(counts), key=lambda text: counts[text])
    reference = reference.lower() if column.kind == BOOLEAN else reference
    others = tuple(each for each in column.categories if each != reference)
    text = f"{decision.text}; compared with {shortened(reference, 20)}"
    return Decision(column.name, replace(column, categories=others, reference=reference), text)


def _decide(profile: ColumnProfile, is_kept: bool, is_categorical: bool, place: str) -> Decision:
    name = profile.name
    if not is_categorical:
        _refuse_mixed(profile, place)
    reason = _reason_against(profile)
    if reason and (not is_kept or profile.kind == "other" or not profile.n_found):
        if is_kept:
            raise UserError(f"the column {name!r} of {place} can't be kept: {reason}")
        return Decision(name, None, reason)
    if profile.are_numbers and not is_categorical:
        return _number(profile, place)
    return _category(profile, place)


def _reason_against(profile: ColumnProfile) -> str | None:
    """Why a column is no feature unless the user wants it."""
    numbers = profile.numbers
    if profile.kind == "other":
        return f"columns of type {profile.type_name} are no features"
    if not profile.n_found:
        return "all values are missing"
    if profile.are_dates:
        return "dates are no features; make numbers of them, such as the month or the age"
    if profile.are_numbers:
        if numbers.lowest == numbers.highest:
            return f"all numbers are {numbers.lowest:g}"
        if numbers.are_integers and is_unnamed(profile.name):
            return "it is unnamed, as an index is"
        if numbers.are_consecutive and numbers.count >= FEWEST_IN_SEQUENCE:
            return "it numbers the rows, as an index does"
        if profile.is_identifier and numbers.are_integers and numbers.are_distinct:
            return "it identifies the rows: all numbers are different"
        return None
    if len(profile.counts) == 1 and not profile.n_missing:
        return f"all values are {shortened(next(iter(profile.counts)))}"
    if not profile.are_counted:
        return f"it has more than {profile.most_distinct:,} different texts"
    if 2 * len(profile.counts) > max(profile.n_found, 2):
        return f"it has {len(profile.counts):,} different texts in {profile.n_found:,} rows"
    return None


def _number(profile: ColumnProfile, place: str) -> Decision:
    numbers = profile.numbers
    if numbers.first_infinite is not None:
        raise UserError(
            f"the column {profile.name!r} of {place} is infinite in row "
            f"{numbers.first_infinite + 1}: correct it, or give --na inf --na=-inf to have it "
            "taken for missing"
        )
    if not math.isfinite(numbers.scale):
        raise UserError(
            f"the column {profile.name!r} of {place} has numbers from {numbers.lowest:g} to "
            f"{numbers.highest:g}, whose squares are too large: divide them by a power of ten, or "
            f"--drop {profile.name!r}"
        )
    fill = numbers.sample.median()
    text = "number"
    if profile.n_missing:
        text += f"; {profile.n_missing:,} missing, filled with the median {fill:g}"
    column = Column(profile.name, NUMBER, fill=fill, scale=numbers.scale)
    return Decision(profile.name, column, text)


def _refuse_mixed(profile: ColumnProfile, place: str) -> None:
    """Raise UserError if a column holds numbers but for some texts."""
    n_texts = profile.n_found - profile.n_numbers
    texts = list(profile.counts)
    if profile.wrong is None:
        return
    row, text = profile.wrong
    with_commas = [each for each in texts if "," in each and profile.decimal == "."]
    if with_commas and all(_THOUSANDS.fullmatch(each) for each in with_commas):
        raise UserError(
            f"the column {profile.name!r} of {place} has commas in numbers, such as {text!r}: "
            f"{HINT_OF_COMMAS}"
        )
    if sum(bool(DECIMAL_COMMA.fullmatch(each)) for each in with_commas) > len(texts) // 2:
        raise UserError(
            f"the column {profile.name!r} of {place} has decimal commas, such as {text!r}: give "
            '--decimal ","'
        )
    are_few = profile.are_counted and len(texts) <= _MOST_NUMBERS_AS_CATEGORIES
    if n_texts <= profile.n_numbers and not are_few:
        raise UserError(
            f"the column {profile.name!r} of {place} holds {profile.n_numbers:,} numbers and "
            f"{n_texts:,} texts, such as {shortened(text)} in row {row + 1}: correct it, give "
            f"--na {shortened(text)} if that means missing, or --drop {profile.name!r}"
        )


def _category(profile: ColumnProfile, place: str) -> Decision:
    name, counts = profile.name, profile.counts
    if not profile.are_counted:
        raise UserError(
            f"the column {name!r} of {place} has more than {profile.most_distinct:,} categories: "
            "join rare ones, or leave it out"
        )
    lowered = {text.lower() for text in counts}
    is_boolean = lowered in _BOOLEANS
    values: list[str | None] = [*(sorted(lowered) if is_boolean else sorted(counts, key=order_of))]
    text = "boolean" if is_boolean else f"{len(values):,} categories"
    if profile.n_missing:
        values.append(None)
        text += f"; {profile.n_missing:,} missing, a category of its own"
    kind = BOOLEAN if is_boolean else CATEGORY
    return Decision(name, Column(name, kind, categories=tuple(values)), text)
