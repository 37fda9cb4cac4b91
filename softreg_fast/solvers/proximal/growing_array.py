"""Arrays that grow at their ends."""

from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_AT_FIRST = 1 << 27


class GrowingArray:
    """An array that numbers are added to the end of.

    Parameters
    ----------
    dtype : dtype
    n_expected : int
        Numbers that there may be: there is room for so many at first, or for the most that is
        asked for at once. Memory is taken as they are written.
    """

    def __init__(self, dtype: np.dtype, n_expected: int) -> None:
        self._array = np.empty(min(n_expected, _MOST_AT_FIRST), dtype)
        self.used = 0

    @property
    def array(self) -> npt.NDArray[Any]:
        """What there is."""
        return self._array[: self.used]

    def extend(self, n_more: int) -> npt.NDArray[Any]:
        """The added part, to be written."""
        start, self.used = self.used, self.used + n_more
        if self.used > len(self._array):
            larger = np.empty(max(self.used, 2 * start), self._array.dtype)
            larger[:start] = self._array[:start]
            self._array = larger
        return self._array[start : self.used]
