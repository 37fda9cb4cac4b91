"""What a pass over rows on a cluster takes, as a model calculates it."""

import math
from dataclasses import dataclass

# Of a network, in bytes and seconds.
BANDWIDTH, LATENCY = 1.25e9, 2e-4


@dataclass(frozen=True)
class PassModel:
    """What a pass over rows on a cluster takes.

    The client and the scheduler, each of which is one process, take time for each group of blocks.
    Then each worker needs time for its rows. Then sums are sent: to the client, or to tasks if they
    are large. Blocks are on any worker, so hardly any are added where they are.

    Attributes
    ----------
    seconds_per_row : float
        Of a thread.
    seconds_per_task : float
        Of the scheduler and the client.
    seconds_per_pass : float
        Of a pass over next to nothing.
    bytes_of_sums, bytes_of_row : int
        Of the sums of a block; of a row.
    """

    seconds_per_row: float
    seconds_per_task: float
    seconds_per_pass: float
    bytes_of_sums: int
    bytes_of_row: int

    def parts(self, n_rows, n_blocks, n_workers):
        """Seconds of a pass, by what takes them."""
        from softreg_fast.dask import placing, rows

        bytes_of_worker = n_rows / n_workers * self.bytes_of_row
        n_groups = min(
            n_blocks, n_workers * math.ceil(bytes_of_worker / placing.bytes_of_a_group(n_workers))
        )
        n_bytes = n_blocks * self.bytes_of_sums
        n_tasks, n_sent = n_groups, n_bytes
        if n_bytes > rows._BYTES_OF_SUMS:
            n_sums = math.ceil(n_bytes / rows._BYTES_OF_SUMS)
            n_tasks += n_groups * min(n_sums, n_blocks // n_groups) + n_sums
            n_sent = 2 * rows._BYTES_OF_SUMS  # to a task, and what they add to another one
        return {
            "rows": n_rows / n_workers * self.seconds_per_row,
            "tasks": (n_tasks - 1) * self.seconds_per_task,
            "sums": LATENCY + n_sent / BANDWIDTH if n_workers > 1 else 0.0,
            "a pass": self.seconds_per_pass,
        }

    def seconds(self, n_rows, n_blocks, n_workers):
        """Of a pass."""
        return sum(self.parts(n_rows, n_blocks, n_workers).values())
