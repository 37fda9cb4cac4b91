"""Parameters of a constructor as `sklearn.base.clone` asks for them, without scikit-learn."""

import inspect
from typing import Any, ClassVar, Self

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class ConstructorParameters:
    """Gets and sets what the constructor takes."""

    # Of parameters whose attributes have other names.
    _ATTRIBUTES: ClassVar[dict[str, str]] = {}

    def _check_parameters(self) -> None:
        """Raise TypeError or ValueError for a parameter that is not allowed."""
        raise NotImplementedError

    @classmethod
    def _parameter_names(cls) -> list[str]:
        """What the constructor takes, and what it may hand on to that of the base class."""
        names: dict[str, None] = {}
        for each in cls.__mro__:
            if "__init__" not in vars(each):
                continue
            _, *parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
            names.update((own.name, None) for own in parameters if own.kind not in _OPEN)
            if not any(own.kind in _OPEN for own in parameters):
                break
        return list(names)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the constructor, by name.

        Parameters
        ----------
        deep : bool, default=True
            Of no effect: no parameter is an estimator.

        Returns
        -------
        dict
        """
        return {
            name: getattr(self, self._ATTRIBUTES.get(name, name))
            for name in self._parameter_names()
        }

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the constructor.

        Parameters
        ----------
        **params : dict
            New values, by name.

        Returns
        -------
        self : estimator

        Raises
        ------
        TypeError, ValueError
            If there is no such parameter, or a value is not allowed. The object is unchanged.
        """
        known = self._parameter_names()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"{name!r} is no parameter of {type(self).__name__}: it must be one of {known}"
                )
        before = vars(self).copy()
        try:
            for name, value in params.items():
                setattr(self, self._ATTRIBUTES.get(name, name), value)
            self._check_parameters()
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise
        return self
