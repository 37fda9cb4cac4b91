"""Operations that threads use to wait for each other: the names that kernels import.

`array` is a one-dimensional int64 array that several threads share.

================================  ================================================================
``fetch_add(array, index, n)``    add to an element at once; gives what it was
``load_shared(array, index)``     read an element; what its writer did before is seen
``store_shared(array, index, n)`` write an element; what was done before is seen by its readers
``pause()``                       spend a moment
``let_others_run()``              offer the core to other threads
``read_clock()``                  milliseconds since some moment, which no change of the date moves;
                                  always the same where there is no such clock
================================  ================================================================
"""

from types import ModuleType

from ..compile.mode import WITHOUT_JIT

_implementation: ModuleType
if WITHOUT_JIT:
    from . import atomic_python as _implementation
else:
    from . import atomic_llvm as _implementation

fetch_add = _implementation.fetch_add
let_others_run = _implementation.let_others_run
load_shared = _implementation.load_shared
pause = _implementation.pause
read_clock = _implementation.read_clock
store_shared = _implementation.store_shared
