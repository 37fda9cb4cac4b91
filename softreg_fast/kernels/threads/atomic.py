"""Operations that threads use to share work: the names that kernels import.

`array` is a one-dimensional int64 array that several threads share.

================================  ================================================================
``compare_exchange(array, index,  write an element if it is what was expected; gives whether it was
expected, n)``
``load_shared(array, index)``     read an element; what its writer did before is seen
``store_shared(array, index, n)`` write an element; what was done before is seen by its readers
``pause()``                       spend a moment
``current_cpu()``                 the number of the CPU that the thread is on; -1 if unknown
``leave_cpu(array, start)``       go on on another CPU than this one, of those whose bits are set in
                                  the `N_CPU_WORDS` elements from `start` on; on Linux alone
``sleep_briefly()``               sleep for 0.1 ms, or as briefly as the system can
``read_clock()``                  ticks of a clock that no change of the date moves, of a nanosecond
                                  but on Windows; always the same where there is no such clock
================================  ================================================================
"""

from types import ModuleType

from ..compile.mode import WITHOUT_JIT

_implementation: ModuleType
if WITHOUT_JIT:
    from . import atomic_python as _implementation
else:
    from . import atomic_llvm as _implementation

compare_exchange = _implementation.compare_exchange
current_cpu = _implementation.current_cpu
leave_cpu = _implementation.leave_cpu
load_shared = _implementation.load_shared
pause = _implementation.pause
read_clock = _implementation.read_clock
sleep_briefly = _implementation.sleep_briefly
store_shared = _implementation.store_shared
