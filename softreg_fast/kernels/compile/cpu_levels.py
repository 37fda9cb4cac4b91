"""Levels of x86-64 processors, which code that is made ahead of time is made for.

The levels and their features are those of the System V ABI's supplement for x86-64; names of
features are LLVM's.
"""

from .numba_adapter import Target

_LEVEL_3 = (
    "avx", "avx2", "bmi", "bmi2", "cx16", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sahf", "sse3",
    "sse4.1", "sse4.2", "ssse3",
)  # fmt: skip
_LEVEL_4 = *_LEVEL_3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"
# The widest first.
LEVELS = {"x86-64-v4": _LEVEL_4, "x86-64-v3": _LEVEL_3}


def features_of(level: str) -> str:
    """A level's features as LLVM takes them."""
    return ",".join(f"+{feature}" for feature in LEVELS[level])


def missing_features(level: str, target: Target) -> list[str]:
    """What a level has and a processor has not."""
    found = {name[1:] for name in target.features.split(",") if name.startswith("+")}
    return [feature for feature in LEVELS[level] if feature not in found]


def levels_of(target: Target) -> list[Target]:
    """What code may have been made for that runs on a processor too, the widest first."""
    if not target.triple.startswith("x86_64"):
        return []
    return [
        Target(target.triple, level, features_of(level))
        for level in LEVELS
        if not missing_features(level, target)
    ]
