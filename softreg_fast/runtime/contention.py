"""Whether other work has lately had the CPUs that threads were to use.

A thread that shares its CPU with other work brings little, and takes from that work, which may be
another process that does the same. So for a while the calling thread goes on alone: longer each
time that threads let in again find it so again.
"""

import time

_SHORTEST, _LONGEST = 0.1, 1.6  # seconds
_MOST_SAVED = 0.005  # seconds


class Contention:
    """What is known of the machine; all fits of a process share it.

    Attributes
    ----------
    allowance : int
        What threads of a new team may lose to other work; see `kernels/threads/claims.py`.
    """

    def __init__(self) -> None:
        self.allowance = 0
        self._saved = 0.0
        self._until = -_LONGEST
        self._pause = 0.0

    def is_on(self) -> bool:
        """Whether threads are to be left out for now."""
        return time.monotonic() < self._until

    def judge(self, seconds_saved: float) -> None:
        """Say what threads have saved lately, or cost: a negative number.

        What they have saved they may cost again: now and then other work holds one up.
        """
        self._saved = min(self._saved + seconds_saved, _MOST_SAVED)
        if self._saved < 0.0:
            self._saved = 0.0
            self.found()

    def found(self) -> None:
        """Say that a thread has found other work on its CPU, or that threads brought nothing."""
        now = time.monotonic()
        is_again = now < self._until + _LONGEST
        self._pause = min(2.0 * self._pause, _LONGEST) if is_again else _SHORTEST
        self._until = now + self._pause


contention = Contention()
