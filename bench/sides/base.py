"""What a side of a benchmark has to give."""

from dataclasses import dataclass
from importlib.util import find_spec


def reason_without(module):
    """Why nothing that needs a module can be run, or None if it is installed."""
    is_installed = find_spec(module.split(".")[0]) is not None
    return None if is_installed else f"{module} is not installed"


@dataclass(frozen=True)
class Check:
    """That a side did the work of another.

    Attributes
    ----------
    what : str
    value, bound : float
        The work is equal if the value is at most the bound.
    """

    what: str
    value: float
    bound: float


class Side:
    """An implementation that is timed: `prepare` is not, `run` is.

    Attributes
    ----------
    name : str
        In tables.
    module : str or None
        What must be installed besides the package's own requirements.
    """

    name = ""
    module = None

    def reason_against(self, case):
        """Why the side does not run on a case, or None."""
        return None if self.module is None else reason_without(self.module)

    def prepare(self, case):
        """Load and convert the data, and compile."""
        raise NotImplementedError

    def run(self):
        """Do the work; its result is kept for `check`."""
        raise NotImplementedError

    def check(self, other):
        """Whether the last run did the work of another side's."""
        raise NotImplementedError
