"""The container: a zip archive of a JSON document and arrays, written in one step."""

import io
import json
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from .errors import ModelFileError
from .replacing import replacing

DOCUMENT = "model.json"
_FOLDER = "arrays/"
_MAGIC = b"PK\x03\x04"
_MAX_MEMBERS = 100_000
_KINDS_OF_NUMBERS = "biuf"
_KINDS_OF_STRINGS = "US"

Array = npt.NDArray[Any]


def name_of_array(number: int) -> str:
    """The member that holds an array."""
    return f"{_FOLDER}{number}.npy"


def is_storable(dtype: np.dtype) -> bool:
    """Whether arrays of a dtype can be members."""
    if dtype.fields is not None or dtype.subdtype is not None:
        return False
    if dtype.kind in _KINDS_OF_NUMBERS:
        return dtype.itemsize <= 8
    return dtype.kind in _KINDS_OF_STRINGS and dtype.itemsize > 0


def write(path: Path, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file, or leave the one that is there.

    Parameters
    ----------
    path : Path
    document : mapping
        JSON.
    arrays : mapping of str to ndarray
        By the names of their members.

    Raises
    ------
    OSError
        The file can't be written.
    ValueError
        The path is there, and isn't a file.
    """
    with replacing(path) as unfinished, unfinished.open("xb") as file:
        _write_members(file, document, arrays)
        file.flush()
        os.fsync(file.fileno())


def _write_members(
    file: BinaryIO, document: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(document, allow_nan=False, indent=1)
        archive.writestr(_member(DOCUMENT), text.encode("ascii"))
        for name, array in arrays.items():
            content = io.BytesIO()
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            npy.write_array(content, little, version=(1, 0), allow_pickle=False)
            archive.writestr(_member(name), content.getbuffer())


def _member(name: str) -> zipfile.ZipInfo:
    """What a member is called; always of the same date, so that equal models are equal files."""
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o644 << 16  # of what `unzip` makes of it
    return member


class Archive:
    """The members of a file.

    Parameters
    ----------
    file : binary file
        Open for reading.

    Raises
    ------
    ModelFileError
        The file is none that `write` has written.
    """

    def __init__(self, file: BinaryIO) -> None:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ModelFileError("it is not a zip archive")
        n_bytes = file.seek(0, os.SEEK_END)
        try:
            self._archive = zipfile.ZipFile(file)
        except Exception as error:  # of headers that contradict each other, whatever it is
            raise ModelFileError(f"its zip archive is damaged: {error}") from error
        members = self._archive.infolist()
        self._members = {member.filename: member for member in members}
        if len(members) > _MAX_MEMBERS or len(self._members) != len(members):
            raise ModelFileError("it has too many members, or two of one name")
        if DOCUMENT not in self._members:
            raise ModelFileError(f"it is a zip archive without {DOCUMENT}, so it is no model")
        for member in members:
            is_stored = member.compress_type == zipfile.ZIP_STORED
            if not is_stored or member.compress_size != member.file_size:
                raise ModelFileError(f"{member.filename!r} is compressed: it must be stored")
        # Members that overlap would take more memory than the file is long.
        if sum(member.file_size for member in members) > n_bytes:
            raise ModelFileError("its members are longer than the file")

    def _read(self, name: str) -> bytes:
        if name not in self._members:
            raise ModelFileError(f"it lacks {name!r}")
        try:
            return self._archive.read(self._members[name])
        except Exception as error:  # as above
            raise ModelFileError(f"{name!r} is damaged: {error}") from error

    def read_document(self) -> dict[str, Any]:
        """The JSON document."""
        try:
            document = json.loads(self._read(DOCUMENT).decode("ascii"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"{DOCUMENT!r} is not a JSON document: {error}") from error
        if not isinstance(document, dict):
            raise ModelFileError(f"{DOCUMENT!r} is not a JSON object")
        return document

    def read_array(self, name: str) -> Array:
        """An array, which can be written to."""
        if not name.startswith(_FOLDER):
            raise ModelFileError(f"{name!r} is not the name of an array")
        content = io.BytesIO(self._read(name))
        try:
            if npy.read_magic(content) != (1, 0):
                raise ValueError("its format is not version 1.0")
            shape, is_fortran, dtype = npy.read_array_header_1_0(content)
        except Exception as error:  # whatever the text of the header raises
            raise ModelFileError(f"{name!r} is not an array: {error}") from error
        if not is_storable(dtype):
            raise ModelFileError(f"{name!r} has the dtype {dtype}, which is not allowed")
        data = content.getbuffer()[content.tell() :]
        size = dtype.itemsize
        for length in shape:
            size *= length
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        try:
            if size != len(data):
                raise ValueError(f"it takes {size} bytes, and there are {len(data)}")
            array = np.ndarray(shape, dtype, data, order=order)
        except Exception as error:  # of numbers that no array has
            raise ModelFileError(f"{name!r} can't have the shape {shape}: {error}") from error
        if not _has_values(array):
            raise ModelFileError(f"{name!r} has bytes that are nothing of the dtype {dtype}")
        return array.astype(dtype.newbyteorder("="), order="K", copy=True)


def _has_values(array: Array) -> bool:
    """Whether all bytes are ones that NumPy would have written."""
    if array.size == 0 or array.dtype.kind not in "bU":
        return True
    flat = array.ravel(order="K")
    if array.dtype.kind == "b":
        return bool(flat.view(np.uint8).max() <= 1)
    code_points = flat.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(code_points.max() <= sys.maxunicode)


def _refuse(constant: str) -> Any:
    raise ModelFileError(f"{DOCUMENT!r} has the number {constant}, which JSON doesn't have")
