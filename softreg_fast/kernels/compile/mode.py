"""Whether kernels are compiled, decided once.

Numba's switch can be turned at any time, by `numba.config.DISABLE_JIT` or by an environment that
Numba reads again. Kernels made before and after that don't fit together, so they all follow what
the switch was when this package was imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from numba import config

WITHOUT_JIT = bool(config.DISABLE_JIT)


@contextmanager
def jit_as_at_import() -> Iterator[None]:
    """Numba's switch is what it was at import while this context lasts.

    Numba compiles functions of its own and of its extensions when kernels use them, and looks at
    the switch then.
    """
    config.reload_config()  # done by the compiler otherwise, after the switch has been set
    before = config.DISABLE_JIT
    held = int(WITHOUT_JIT)
    config.DISABLE_JIT = held
    try:
        yield
    finally:
        if held == config.DISABLE_JIT:  # else somebody has turned it meanwhile
            config.DISABLE_JIT = before
