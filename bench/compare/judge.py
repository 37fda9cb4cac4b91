"""Whether two sides did equal work, and whether one is slower."""

from dataclasses import dataclass

import numpy as np

from ..metrics import difference


@dataclass(frozen=True)
class Verdict:
    """What is said of a workload.

    Attributes
    ----------
    seconds : dict of str to list of float
        By side, the median of each round.
    difference : float
        Largest difference of outcomes between any two processes.
    is_equal, is_slower : bool
    """

    seconds: dict
    difference: float
    is_equal: bool
    is_slower: bool

    def median(self, side):
        """Of a side's rounds."""
        return float(np.median(self.seconds[side]))

    @property
    def ratio(self):
        """Median over rounds of head's time over base's."""
        return float(np.median(np.divide(self.seconds["head"], self.seconds["base"])))


def judge(results, tolerance, relative_bound, absolute_bound):
    """Compare the rounds of a workload.

    Parameters
    ----------
    results : dict of str to list of dict
        By side, each round's `seconds` and `outcome`.
    tolerance : float
        Of outcomes, as a share of the largest number.
    relative_bound, absolute_bound : float
        Head is slower if it exceeds both: base's time by this factor, and by so many seconds.

    Returns
    -------
    Verdict
    """
    seconds = {
        side: [float(np.median(each["seconds"])) for each in rounds]
        for side, rounds in results.items()
    }
    outcomes = [each["outcome"] for rounds in results.values() for each in rounds]
    largest = max(difference(each, outcomes[0]) for each in outcomes)
    verdict = Verdict(seconds, largest, largest <= tolerance, False)
    excess = verdict.median("head") - verdict.median("base")
    is_slower = verdict.ratio > relative_bound and excess > absolute_bound
    return Verdict(seconds, largest, verdict.is_equal, is_slower)
