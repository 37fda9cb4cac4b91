"""One harness for all benchmarks of softreg_fast: ``python -m bench``."""
