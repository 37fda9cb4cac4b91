"""``python -m bench NAME [options]``."""

import argparse
import sys
from importlib import import_module

# By name: the module, which has `add_arguments` and `run`, and what it measures.
BENCHMARKS = {
    "compare": ("compare.main", "two checkouts against each other"),
}


def main():
    """Run what is named, or list the names."""
    names = sys.argv[1:2]
    if not names or names[0] in ("-h", "--help"):
        print("python -m bench NAME [options]; python -m bench NAME --help lists its options\n")
        for name, (_, summary) in BENCHMARKS.items():
            print(f"  {name:<18}{summary}")
        return
    if names[0] not in BENCHMARKS:
        sys.exit(f"{names[0]!r} is not a benchmark; it must be one of {', '.join(BENCHMARKS)}")
    module = import_module(f"bench.{BENCHMARKS[names[0]][0]}")
    parser = argparse.ArgumentParser(prog=f"python -m bench {names[0]}", description=module.__doc__)
    module.add_arguments(parser)
    module.run(parser.parse_args(sys.argv[2:]))


if __name__ == "__main__":
    main()
