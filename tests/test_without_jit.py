"""Kernels run as Python, which is how their lines are covered, whatever the CPU.

Nothing is compiled then, so that any CPU can be named: which lines a kernel takes depends on the
width of vectors and the number of registers, and these are the same on every machine.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from conftest import HANG_GUARD

ROOT = Path(__file__).parent.parent
SETTINGS = "--rcfile=tests/kernels.coveragerc"
CPU = {
    "NUMBA_CPU_NAME": "skylake-avx512",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+avx512f,+avx512vl",
}
# Tests that reach the lines of kernels, on inputs as small as can be.
SUITES = {
    "sums over rows": ("test_accumulator.py", "reference or same_sums or failure_of_a_thread"),
    "epochs": (
        "test_kernels.py",
        "step_by_step or stopping_and_resuming or several_rounds or divergence "
        "or failure_of_a_thread "
        "or first_lowest or saturation or without_probabilities or fewer_rows or left_out",
    ),
    "shapes": (
        "test_jit.py",
        "width_of_vectors or number_of_registers or products_fit or in_place or known_beforehand "
        "or types_of_arrays",
    ),
    "layouts": ("test_kernels.py", "all_dtypes or columns_equal or shuffled_epochs or one_column"),
    "predictions": ("test_kernels.py", "predictions or extreme_logits or exponential or logarithm"),
    "descent": (
        "test_proximal.py",
        "equal_reference or same_bits or goes_back or rounds or divergence or failure_of_a_thread "
        "or without_progress",
    ),
    "sparse descent": (
        "test_sparse.py",
        "equal_reference or same_bits or goes_back or anew or failure_of_a_thread or or_weights",
    ),
    "sparse passes": ("test_sparse_passes.py", "reference or same_sums or weightless"),
    "sparse predictions": ("test_sparse_prediction.py", "reference or same_bits or overflow"),
    "second derivatives": ("test_squares.py", "reference or same_bits or leads_lower"),
    "columns": ("test_columns.py", "numpy or reference or minimise"),
    "conjugate gradients": (
        "test_truncated_newton.py",
        "reference or same_step or change_no_bit or no_step",
    ),
    "tables": ("test_table.py", "reference or same_sums or overflow"),
    "blocks": ("test_blocks.py", "reference or same_sums"),
    "columns of tables": ("test_block_sources.py", "put_side_by_side"),
    "dual ascent": ("test_dual_ascent.py", "reference"),
    "coordinates": ("test_l1.py", "coordinate_descent"),
    "helping threads": ("test_robustness.py", "threads_help"),
    "claims": ("test_robustness.py", "TestClaims or TestClaimedMap"),
}
pytestmark = pytest.mark.full


def _run(*arguments, data_file):
    environment = os.environ | CPU | {"NUMBA_DISABLE_JIT": "1", "COVERAGE_FILE": str(data_file)}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # of a run that this one is part of
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=HANG_GUARD,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run_suite(tmp_path_factory):
    """Runs a suite unless it has run; gives the process and the file of lines that it reached."""
    folder = tmp_path_factory.mktemp("coverage")

    @cache
    def run(suite):
        file_name, selection = SUITES[suite]
        data_file = folder / f"coverage_{suite}".replace(" ", "_")
        process = _run(
            "run", SETTINGS, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not soak",
            f"tests/{file_name}", "-k", selection, data_file=data_file,
        )  # fmt: skip
        return process, data_file

    return run


@pytest.mark.parametrize("suite", SUITES)
def test_kernels_equal_reference_without_the_jit(run_suite, suite):
    process, _ = run_suite(suite)
    assert process.returncode == 0, process.stdout + process.stderr


def test_every_line_of_kernels_is_reached(run_suite, tmp_path):
    data_file = tmp_path / "coverage"
    files = [str(run_suite(suite)[1]) for suite in SUITES]
    combined = _run("combine", SETTINGS, "--keep", *files, data_file=data_file)
    assert combined.returncode == 0, combined.stdout + combined.stderr
    report = _run("report", SETTINGS, "--fail-under=100", data_file=data_file)
    assert report.returncode == 0, report.stdout + report.stderr
