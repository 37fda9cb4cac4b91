"""Values of Python and NumPy as JSON: see the package's documentation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .archive import Archive, Array, is_storable, name_of_array
from .errors import ModelFileError

_SCALARS: dict[str, type[np.generic]] = {
    name: np.dtype(name).type
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    )
}  # fmt: skip
_FLOATS = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}
_N_KEYS = 624  # of MT19937
_MAX_BITS = 4096


class Writer:
    """Makes JSON of values, and keeps their arrays.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By the names of their members.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def encode(self, name: str, value: Any) -> Any:
        """JSON of a value.

        Parameters
        ----------
        name : str
            For errors.
        value : object

        Raises
        ------
        TypeError
            There is no JSON of it.
        """
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int and value.bit_length() <= _MAX_BITS:
            return value
        if type(value) is float:
            is_finite = np.isfinite(value)
            return value if is_finite else {"float": str(value)}
        if type(value) is list:
            return self._encode_all(name, value)
        if type(value) is tuple:
            return {"tuple": self._encode_all(name, value)}
        if type(value) is dict:
            pairs = [
                [self.encode(f"a key of {name}", key), self.encode(f"{name}[{key!r}]", each)]
                for key, each in value.items()
            ]
            return {"dict": pairs}
        return self._encode_numpy(name, value)

    def _encode_all(self, name: str, values: Any) -> list[Any]:
        return [self.encode(f"{name}[{place}]", each) for place, each in enumerate(values)]

    def _encode_numpy(self, name: str, value: Any) -> Any:
        if type(value) in (np.ndarray, np.memmap):
            return self._encode_array(name, np.asarray(value))
        if isinstance(value, np.dtype) and value.name in _SCALARS:
            return {"dtype": value.name}
        if isinstance(value, type):
            if value is float:
                return {"scalar_type": "float"}
            if value in _SCALARS.values():
                return {"scalar_type": np.dtype(value).name}
        if type(value) is np.str_:
            return {"scalar": str(value), "dtype": "str"}
        if isinstance(value, np.generic) and value.dtype.name in _SCALARS:
            return {"scalar": self.encode(name, value.item()), "dtype": value.dtype.name}
        if type(value) is np.random.RandomState:
            state = value.get_state(legacy=False)
            if isinstance(state, dict) and state["bit_generator"] == "MT19937":
                parts = {**state["state"], "has_gauss": state["has_gauss"], "gauss": state["gauss"]}
                return {"RandomState": self._encode_parts(name, parts)}
        if type(value) is np.random.Generator:
            given = value.bit_generator.state
            if given["bit_generator"] == "PCG64":
                pair = {each: given[each] for each in ("has_uint32", "uinteger")}
                return {"Generator": self._encode_parts(name, {**given["state"], **pair})}
        raise TypeError(
            f"{name}={value!r} can't be saved: a model file holds data, no code and no object of "
            f"type {type(value).__name__}"
        )

    def _encode_parts(self, name: str, parts: dict[str, Any]) -> dict[str, Any]:
        return {part: self.encode(f"{name}.{part}", value) for part, value in parts.items()}

    def _encode_array(self, name: str, array: Array) -> Any:
        if array.dtype == object and array.ndim == 1:
            return {"objects": self._encode_all(name, array.tolist())}
        if not is_storable(array.dtype):
            raise TypeError(
                f"{name} is an array of shape {array.shape} and dtype {array.dtype}, which can't "
                "be saved"
            )
        member = name_of_array(len(self.arrays))
        self.arrays[member] = array
        return {"array": member}


class Reader:
    """Makes values of JSON.

    Parameters
    ----------
    archive : Archive
        That holds their arrays.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def decode(self, name: str, value: Any) -> Any:
        """The value of JSON.

        Parameters
        ----------
        name : str
            For errors.
        value : object

        Raises
        ------
        ModelFileError
            It isn't one of those that the format has.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self.decode(name, each) for each in value]
        decoders: dict[tuple[str, ...], Callable[..., Any]] = {
            ("float",): _FLOATS.__getitem__,
            ("tuple",): lambda values: tuple(self._decode_list(name, values)),
            ("dict",): lambda pairs: dict(self._decode_list(name, pairs)),
            ("array",): self._archive.read_array,
            ("objects",): lambda values: self._decode_objects(name, values),
            ("dtype",): lambda kind: np.dtype(_SCALARS[kind]),
            ("dtype", "scalar"): lambda kind, scalar: self._decode_scalar(name, kind, scalar),
            ("scalar_type",): lambda kind: float if kind == "float" else _SCALARS[kind],
            ("RandomState",): lambda parts: self._decode_random_state(name, parts),
            ("Generator",): lambda parts: self._decode_generator(name, parts),
        }
        keys = tuple(sorted(value))
        try:
            return decoders[keys](*(value[key] for key in keys))
        except ModelFileError:
            raise
        except Exception as error:  # there are as many kinds as there are kinds of nonsense
            raise ModelFileError(f"{name} is not a value: {str(value)[:80]}") from error

    def _decode_list(self, name: str, values: Any) -> list[Any]:
        if not isinstance(values, list):
            raise ModelFileError(f"{name} is not a list of values: {str(values)[:80]}")
        return [self.decode(name, each) for each in values]

    def _decode_objects(self, name: str, values: Any) -> Array:
        decoded = self._decode_list(name, values)
        array = np.empty(len(decoded), object)
        for place, each in enumerate(decoded):
            hash(each)
            array[place] = each
        return array

    def _decode_scalar(self, name: str, kind: Any, value: Any) -> Any:
        value = self.decode(name, value)
        if kind == "str" and isinstance(value, str):
            return np.str_(value)
        if kind == "str" or not isinstance(value, bool | int | float):
            raise ModelFileError(f"{name} is not a scalar: {value!r}")
        return _SCALARS[kind](value)

    def _decode_random_state(self, name: str, parts: Any) -> np.random.RandomState:
        found = {part: self.decode(name, value) for part, value in parts.items()}
        key, position = found["key"], found["pos"]
        # NumPy would read memory wherever a wrong position says.
        if key.dtype != np.uint32 or key.shape != (_N_KEYS,) or not 0 <= position <= _N_KEYS:
            raise ModelFileError(f"{name} is not the state of a RandomState")
        source = np.random.RandomState()
        gauss = int(found["has_gauss"]), float(found["gauss"])
        source.set_state(("MT19937", key, int(position), *gauss))
        return source

    def _decode_generator(self, name: str, parts: Any) -> np.random.Generator:
        found = {part: int(self.decode(name, value)) for part, value in parts.items()}
        bits = np.random.PCG64()
        state: Any = {
            "bit_generator": "PCG64",
            "state": {part: found[part] for part in ("state", "inc")},
            "has_uint32": found["has_uint32"],
            "uinteger": found["uinteger"],
        }
        bits.state = state
        return np.random.Generator(bits)
