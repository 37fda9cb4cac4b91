"""Numerical tests with kernels for other CPUs: other widths of vectors, more registers, no FMA.

Kernels for narrower vectors are compiled for the CPU that is named. Those for wider ones are
compiled for this CPU, and LLVM splits their vectors: another CPU's code couldn't run.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import HANG_GUARD

from softreg_fast.kernels.simd import cpu

OTHER_CPUS = {
    "haswell": ("+avx,+avx2,+fma", 256),
    "ivybridge": ("+avx", 256),
    "nehalem": ("", 128),
}
SUITES = [
    "test_accumulator.py", "test_classifier.py", "test_classifier_sgd.py",
    "test_cross_validation.py", "test_exact_solvers.py", "test_golden.py", "test_inference.py",
    "test_kernels.py", "test_l1.py", "test_lanes.py", "test_logistic_contract.py",
    "test_proximal.py", "test_regressor.py", "test_separation.py", "test_sparse.py",
    "test_squares.py",
]  # fmt: skip
# Of these the tier "full", which has kernels of more shapes.
WHOLE_SUITES = [
    "test_accumulator.py", "test_golden.py", "test_kernels.py", "test_proximal.py",
    "test_sparse.py",
]  # fmt: skip
IS_X86 = platform.machine() in ("x86_64", "AMD64")


def _assert_passes_as(cpu, suite):
    features, bits = OTHER_CPUS[cpu]
    environment = os.environ | {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
    _assert_passes(environment, "", bits, 16, suite)


def _assert_passes(environment, preparation, bits, registers, suite):
    code = (
        "import sys, pytest\n"
        "from softreg_fast.kernels.simd import cpu\n"
        f"{preparation}"
        f"assert cpu.vector_bits() == {bits}\n"
        f"assert cpu.vector_registers() == {registers}\n"
        "sys.exit(pytest.main(sys.argv[1:]))\n"
    )
    tier = ["-m", "not soak"] if suite in WHOLE_SUITES else []
    result = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *tier, suite],
        cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, check=False,
        timeout=HANG_GUARD,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.full
@pytest.mark.runs_if(IS_X86)
def test_golden_runs_are_those_of_a_cpu_with_narrow_vectors():
    _assert_passes_as("nehalem", "test_golden.py")


@pytest.mark.soak
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.runs_if(IS_X86 and cpu.vector_bits() >= bits))
        for name, (_, bits) in OTHER_CPUS.items()
    ],
)
def test_numerical_tests_pass_as_on_other_cpus(name, suite):
    _assert_passes_as(name, suite)


# Subprocesses of these tests have this CPU's kernels.
WIDE = """\
features = [*cpu._cpu_features(), "+avx512f", "+avx512vl"]
cpu._cpu_features = lambda: features
cpu.vector_bits.cache_clear()
cpu.vector_registers.cache_clear()
"""


@pytest.mark.soak
@pytest.mark.parametrize("suite", SUITES)
def test_numerical_tests_pass_with_512_bit_vectors(suite):
    _assert_passes(os.environ, WIDE, 512, 32, suite)
