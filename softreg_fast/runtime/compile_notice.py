"""What is said where a call has to wait for the compiler."""

import os

from ..kernels.compile.disk_cache import place
from ..kernels.compile.toolchain import toolchain
from ..kernels.compile.watch import compiler_watch
from .status_line import write_message

# Who waits for less wonders about nothing.
_SECONDS = 2.0
_QUIET = "SOFTREG_FAST_QUIET"


def _notice() -> str:
    folder = place()
    begin, end = (
        "softreg_fast compiles its kernels, which may take a minute",
        f"{_QUIET}=1 hides this.",
    )
    if not toolchain.keeps_on_disk:
        return f"{begin} in every process with this version of Numba. {end}"
    if folder is None:
        return (
            f"{begin} in every process, because no folder to keep them in can be written: let "
            f"NUMBA_CACHE_DIR name one. {end}"
        )
    return (
        f"{begin}, once for each kind of problem; kept in {folder}. "
        f"`softreg-fast warm-up` does it ahead of time. {end}"
    )


def _tell() -> None:
    """Write the notice, unless the environment says not to."""
    if os.environ.get(_QUIET, "0") in ("", "0"):
        write_message(_notice())


def announce_compilation() -> None:
    """Have a line on standard error say once what a caller waits for."""
    compiler_watch.tell_once(_SECONDS, _tell)
