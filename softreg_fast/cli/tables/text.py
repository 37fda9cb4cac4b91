"""Text files: how they are compressed, encoded and cut into columns, by the standard library."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...blocks.csv_text import DELIMITERS, delimiter_of
from ..errors import UserError

# By the first bytes; what names such files end in, and what opens them.
_COMPRESSIONS: dict[bytes, tuple[str, Any]] = {
    b"\x1f\x8b": (".gz", gzip.open),
    b"BZh": (".bz2", bz2.open),
    b"\xfd7zXZ\x00": (".xz", lzma.open),
}
_OF_PYARROW = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_ARCHIVE = b"PK\x03\x04"
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BLANK = "\ufeff\r\n"
_LONGEST_HEADER = 16 << 20


@dataclass(frozen=True)
class TextLayout:
    """How a text file holds a table.

    Attributes
    ----------
    path : Path
    encoding : str
        A name that Python knows.
    delimiter : str
        One character.
    names : tuple of str
        Of the columns, as they are in the file.
    n_blank : int
        Lines above that of the names.
    """

    path: Path
    encoding: str
    delimiter: str
    names: tuple[str, ...]
    n_blank: int


def describe_text(
    path: Path, encoding: str | None = None, delimiter: str | None = None
) -> TextLayout:
    """Find out how a text file holds a table.

    Parameters
    ----------
    path : Path
    encoding : str, default=None
        None is UTF-8, or UTF-16 if the file begins with its mark.
    delimiter : str, default=None
        None is what the line of names has most of: commas, semicolons, tabs or vertical bars.

    Raises
    ------
    OSError
        The file can't be read.
    UserError
        It is empty, or not what the arguments or its name say.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise UserError(f"--delimiter {delimiter!r} must be one character")
    if encoding is not None:
        try:
            io.TextIOWrapper(io.BytesIO(), encoding)  # takes no codecs but those of text
            encoding = codecs.lookup(encoding).name
        except LookupError as error:
            raise UserError(
                f"--encoding {encoding} is unknown: give one such as latin-1, cp1252 or utf-16"
            ) from error
    with _named(path), open_bytes(path) as file:
        head = file.read(1 << 16)
        encoding = encoding or _encoding_of(path, head)
        text = _first_lines(path, file, head, encoding)
    header = text.lstrip(_BLANK)
    n_blank = len(text[: len(text) - len(header)].lstrip("\ufeff").splitlines())
    if delimiter is None:
        delimiter = delimiter_of(path, header)
    rows = csv.reader(header.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    try:
        names = tuple(name.strip() for name in next(rows))
    except csv.Error as error:
        raise UserError(
            f"{path}, line {n_blank + 1}: the names of the columns can't be read: {error}; is a "
            "quote not closed?"
        ) from error
    return TextLayout(path, encoding, delimiter, names, n_blank)


HINT_OF_COMMAS = 'if they part thousands, take them out; if decimals, give --decimal ","'


def hint_of_delimiter(names: Sequence[str]) -> str:
    """What to say if a table seems to have one column because of a wrong delimiter."""
    if len(names) != 1:
        return ""
    other = max(DELIMITERS + " ", key=names[0].count)
    if not names[0].count(other):
        return ""
    shown = "a tab ($'\\t')" if other == "\t" else repr(other)
    return f"; its only column is {shortened(names[0])}: give --delimiter {shown} if that is wrong"


def shortened(text: str, longest: int = 60) -> str:
    """A text in quotes, cut if it is long."""
    return repr(text if len(text) <= longest else f"{text[:longest]}...")


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed if its first bytes say that it is compressed."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the path of a file")
    with path.open("rb") as file:
        start = file.read(6)
    suffix = path.suffix.lower()
    if start.startswith(_ARCHIVE):
        raise UserError(
            f"{path} is a zip archive, as workbooks (.xlsx) are: unpack it, or save the sheet "
            "as CSV"
        )
    for mark, (known, opens) in _COMPRESSIONS.items():
        if start.startswith(mark):
            with opens(path, "rb") as unpacked:
                yield unpacked
            return
        if suffix == known:
            raise UserError(
                f"{path} is not compressed, though its name ends in {known}: rename it, or "
                "compress it again"
            )
    packed = next((kind for mark, kind in _OF_PYARROW.items() if start.startswith(mark)), None)
    if packed is not None:
        with _arrow_stream(path, packed) as unpacked:
            yield unpacked
        return
    with path.open("rb") as file:
        yield file


def _arrow_stream(path: Path, compression: str) -> Any:
    from ...blocks.columns import import_pyarrow

    return import_pyarrow(f"reading {path}").input_stream(str(path), compression=compression)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name a file that is damaged."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path} is damaged or cut short: {error}; write it again") from error


def _encoding_of(path: Path, head: bytes) -> str:
    """The encoding that the first bytes of a file say."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        part = head[:4096]
        is_wide = part.count(0) > len(part) // 4
        guess = "utf-16-le" if part[1::2].count(0) > part[::2].count(0) else "utf-16-be"
        raise UserError(
            f"{path} looks like UTF-16 without a mark: give --encoding {guess}"
            if is_wide
            else f"{path} is no text, since it holds zero bytes: its name must say what it is, "
            "such as table.parquet"
        )
    return "utf-8"


def _first_lines(path: Path, file: BinaryIO, head: bytes, encoding: str) -> str:
    """Empty lines, and the first that isn't empty, in which quoted names may go on."""
    decoder = codecs.getincrementaldecoder(encoding)()
    text = ""
    while True:
        try:
            text += decoder.decode(head, final=not head)
        except UnicodeError as error:
            raise _undecodable(path, encoding) from error
        start = len(text) - len(text.lstrip(_BLANK))
        for end in re.compile(r"[\r\n]").finditer(text, start):
            if text.count('"', 0, end.start()) % 2 == 0:
                return text[: end.start()]
        if not head:
            break
        if len(text) > _LONGEST_HEADER:
            raise UserError(f"{path} has no end of its first line: is it a table?")
        head = file.read(1 << 16)
    if not text.lstrip(_BLANK).strip():
        raise UserError(f"{path} is empty: it must have a line of names of columns, and rows")
    return text


def _undecodable(path: Path, encoding: str) -> UserError:
    """What is raised for a file that isn't in an encoding."""
    where, found = str(path), ""
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeError as error:
                where = f"{path}, line {number}:"
                if isinstance(error, UnicodeDecodeError):
                    found = f"byte 0x{line[error.start]:02x} "
                break
    return UserError(
        f"{where} {found}is not {encoding.upper()}: give the file's encoding, such as "
        "--encoding latin-1 or --encoding cp1252"
    )


def find_wrong_row(layout: TextLayout) -> UserError | None:
    """The first row that can't be decoded or has another number of columns than the header."""
    n_names = len(layout.names)
    for line, row in read_rows(layout):
        if len(row) != n_names:
            return UserError(
                f"{layout.path}, line {line}: {len(row)} columns, but the header has {n_names}; "
                "correct the row, or quote what has a delimiter in it"
            )
    return None


def read_rows(layout: TextLayout) -> Iterator[tuple[int, list[str]]]:
    """The rows of a text file below its header, with the number of the line that each ends in.

    Raises
    ------
    UserError
        A row can't be read.
    """
    line = 0
    try:
        with _named(layout.path), open_bytes(layout.path) as file:
            # Python's "utf-8" keeps the mark at the start of a file.
            encoding = "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding
            text = io.TextIOWrapper(file, encoding, newline="")
            reader = csv.reader(text, delimiter=layout.delimiter, skipinitialspace=True)
            is_first = True
            for row in reader:
                line = reader.line_num
                if row and not is_first:
                    yield line, row
                is_first = is_first and not row
    except UnicodeError as error:
        raise _undecodable(layout.path, layout.encoding) from error
    except csv.Error as error:
        raise UserError(
            f"{layout.path}, after line {line}: {error}; is a quote not closed?"
        ) from error
