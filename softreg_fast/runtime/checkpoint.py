"""Files from which a fit that was stopped goes on.

A file begins with a line that says what it is, and one of JSON that says what problem it belongs
to. Then there are records, each with its length and a checksum: the arrays that are kept under a
key. A record is added at the end, so that whatever has been written stays readable when the process
is killed; one that was cut short by that is dropped.
"""

import contextlib
import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SECONDS_BETWEEN_WRITES = 10.0
_FIRST_LINE = b"softreg_fast checkpoint, version 1\n"
_RECORD = struct.Struct("<QI")  # length and checksum of what follows
_REMEDY = "delete the file, or give another path"
# Fields of works that don't change what comes of them.
_WITHOUT_EFFECT = {"kept"}

Arrays = Sequence[npt.NDArray[Any]]


class Checkpoint:
    """What is known of a fit, in a file.

    Parameters
    ----------
    path : path-like
        Made if it isn't there.
    description : mapping of str to str
        Of the problem.

    Raises
    ------
    ValueError
        There is another file, one of another problem, or a damaged one.
    """

    def __init__(self, path: Any, description: Mapping[str, str]) -> None:
        self._path = Path(path)
        self._places: dict[bytes, tuple[int, int]] = {}
        self._unwritten: dict[bytes, bytes] = {}
        self._written_at = time.monotonic()
        if self._path.exists():
            self._open(description)
        else:
            self._create(description)

    def _create(self, description: Mapping[str, str]) -> None:
        content = _FIRST_LINE + json.dumps(dict(description)).encode() + b"\n"
        beginning = self._path.with_name(self._path.name + ".new")
        with beginning.open("wb") as file:
            file.write(content)
            _flush(file)
        beginning.replace(self._path)
        self._size = len(content)

    def _open(self, description: Mapping[str, str]) -> None:
        with self._path.open("rb") as file:
            if file.readline() != _FIRST_LINE:
                raise ValueError(
                    f"checkpoint={str(self._path)!r} is no checkpoint of this version of "
                    f"softreg_fast: {_REMEDY}"
                )
            self._check_description(file.readline(), description)
            n_bytes = self._path.stat().st_size
            place = file.tell()
            while place < n_bytes:
                start = file.read(_RECORD.size)
                if len(start) < _RECORD.size:
                    break
                length, checksum = _RECORD.unpack(start)
                stop = place + _RECORD.size + length
                if stop > n_bytes:
                    break
                payload = file.read(length)
                if zlib.crc32(payload) != checksum:
                    if stop == n_bytes:
                        break
                    raise ValueError(
                        f"checkpoint={str(self._path)!r} is damaged at byte {place}: {_REMEDY}"
                    )
                self._places[payload[:16]] = place + _RECORD.size + 16, length - 16
                place = stop
        self._size = place
        os.truncate(self._path, place)

    def _check_description(self, line: bytes, description: Mapping[str, str]) -> None:
        try:
            found = dict(json.loads(line))
        except ValueError as error:
            raise ValueError(
                f"checkpoint={str(self._path)!r} is damaged at its beginning: {_REMEDY}"
            ) from error
        for name, value in description.items():
            if found.get(name) != value:
                raise ValueError(
                    f"checkpoint={str(self._path)!r} is of another problem: its {name} is "
                    f"{found.get(name)}, and that of this one {value}; {_REMEDY}"
                )

    def get(self, key: bytes) -> list[npt.NDArray[Any]] | None:
        """The arrays that were kept last under a key."""
        payload = self._unwritten.get(key)
        if payload is None:
            if key not in self._places:
                return None
            place, length = self._places[key]
            with self._path.open("rb") as file:
                file.seek(place)
                payload = file.read(length)
        return _decode(payload)

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._written_at >= SECONDS_BETWEEN_WRITES

    def keep(self, key: bytes, arrays: Arrays) -> None:
        """Keep arrays under a key, in memory until it is time to write."""
        self._unwritten[key] = _encode(arrays)
        if self.is_due:
            self.write()

    def keep_once(self, name: str, number: int) -> int:
        """A number that was kept under a name, or else this one, which is written at once."""
        key = key_of(name)
        kept = self.get(key)
        if kept is not None:
            return int(kept[0])
        self._unwritten[key] = _encode([np.array(number)])
        self.write()
        return number

    def write(self) -> None:
        """Write what isn't written yet."""
        with self._path.open("r+b") as file:
            file.seek(self._size)
            for key, payload in self._unwritten.items():
                content = key + payload
                file.write(_RECORD.pack(len(content), zlib.crc32(content)) + content)
                self._places[key] = self._size + _RECORD.size + 16, len(payload)
                self._size += _RECORD.size + len(content)
            _flush(file)
        self._unwritten.clear()
        self._written_at = time.monotonic()

    def remove(self) -> None:
        """Remove the file: the fit has ended."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _encode(arrays: Arrays) -> bytes:
    arrays = [np.asarray(array) for array in arrays]
    kinds = json.dumps([[array.dtype.str, array.shape] for array in arrays]).encode()
    parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
    return struct.pack("<Q", len(kinds)) + kinds + b"".join(parts)


def _decode(payload: bytes) -> list[npt.NDArray[Any]]:
    (length,) = struct.unpack_from("<Q", payload)
    place = 8 + length
    arrays = []
    for dtype, shape in json.loads(payload[8:place]):
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(payload, np.dtype(dtype), count, place).reshape(shape)
        arrays.append(array.copy())
        place += array.nbytes
    return arrays


def key_of(*values: Any) -> bytes:
    """Sixteen bytes that tell values apart.

    Numbers, strings, arrays, functions, and dataclasses and tuples of these.
    """
    digest = hashlib.blake2b(digest_size=16)
    _add(digest, values)
    return digest.digest()


def _add(digest: Any, value: Any) -> None:
    digest.update(type(value).__qualname__.encode() + b":")
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple | list):
        for part in value:
            _add(digest, part)
    elif is_dataclass(value):
        for each in fields(value):
            if each.name not in _WITHOUT_EFFECT:
                digest.update(each.name.encode())
                _add(digest, getattr(value, each.name))
    elif callable(value):
        digest.update(f"{value.__module__}.{value.__qualname__}".encode())
    else:
        digest.update(repr(value).encode())
    digest.update(b";")
