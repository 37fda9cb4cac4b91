"""The kernel tests again with the JIT switched off, which is how kernels' lines are covered."""

import os
import subprocess
import sys
from pathlib import Path

# Of descents, those that run kernels for some epochs; others take minutes without the JIT.
KERNEL_TESTS = (
    "test_kernels or test_accumulator or equal_reference or same_bits or goes_back or divergence "
    "or rounds or stops_after or breaks_off or begins_anew or compiled_newton"
)
ROOT = Path(__file__).parent.parent


def _run(*arguments, data_file):
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "COVERAGE_FILE": str(data_file)}
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def test_kernel_tests_pass_and_reach_every_line(tmp_path):
    data_file = tmp_path / "coverage"
    tests = _run(
        "run", "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/test_kernels.py", "tests/test_accumulator.py", "tests/test_proximal.py",
        "tests/test_sparse.py", "tests/test_squares.py", "tests/test_l1.py",
        "-k", KERNEL_TESTS, data_file=data_file,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout
    report = _run("report", "--fail-under=100", data_file=data_file)
    assert report.returncode == 0, report.stdout
