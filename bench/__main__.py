"""``python -m bench NAME [options]``."""

import sys
from importlib import import_module

from . import instructions
from .options import parser_for

# By name: the module, which has `add_arguments` and `run`, and what it does.
BENCHMARKS = {
    "compare": ("compare.main", "two checkouts against each other; fails if one is slower"),
    "regressor": ("benchmarks.regressor", "SoftmaxRegressor, plain NumPy and the notebook's form"),
    "peers": ("benchmarks.peers", "the same mini-batch steps in other libraries"),
    "classifier": ("benchmarks.classifier", "default fits, and LogisticRegression's"),
    "optimum": ("benchmarks.optimum", "time of exact solvers to within 1e-6 of the optimum"),
    "sparse": ("benchmarks.sparse", "time of exact solvers on sparse rows to the optimum"),
    "l1": ("benchmarks.l1", "time of L1-penalised fits to the optimum"),
    "groups": ("benchmarks.groups", "time of fits with a group lasso to the optimum"),
    "categories": ("benchmarks.categories", "categorical columns as they are, and one-hot ones"),
    "many-classes": ("benchmarks.many_classes", "1,000 classes, and PyTorch's L-BFGS"),
    "drop-in": ("benchmarks.drop_in", "the same calls of scikit-learn's classes and of ours"),
    "cross-validation": ("benchmarks.cross_validation", "time to choose among 20 penalties"),
    "sgd": ("benchmarks.sgd", "epochs and the way to a test loss, and SGDClassifier's"),
    "epochs": ("benchmarks.epochs", "epochs of the classifier against the bare kernels"),
    "predict": ("benchmarks.predict", "predictions of one row and of many"),
    "startup": ("benchmarks.startup", "import and first fits in a fresh process"),
    "field": ("benchmarks.field", "the default number of threads where machines are busy"),
    "memory": ("benchmarks.memory", "peak memory beside the features; fails if they are copied"),
    "roofline": ("benchmarks.roofline", "fractions of the machine's ceilings"),
    "threads": ("benchmarks.threads", "what threads gain"),
    "sizes": ("benchmarks.sizes", "time and memory against size"),
    "variants": ("benchmarks.variants", "other orders of features in memory, and of rows"),
    "interrupt": ("benchmarks.interrupt", "what answering Ctrl-C costs, and how soon it is"),
    "confident": ("benchmarks.confident", "time per row of confident models"),
    "choices": ("benchmarks.choices", "newton or lbfgs, and what auto takes"),
    "dual-ascent": ("benchmarks.dual_ascent", "sparse rows with and without dual ascent at first"),
    "checks": ("benchmarks.checks", "what a fit does before its solver"),
    "cluster": ("benchmarks.cluster", "rows on a Dask cluster, and what more workers would bring"),
    "train": ("benchmarks.train", "the command line on a large CSV file: reading, fit and memory"),
    "blocks": ("benchmarks.blocks", "rows that are read in blocks: throughput and memory"),
}
TOOLS = {
    "tables": ("tables", "write Markdown tables of records to bench/README.md"),
    "pictures": ("pictures", "draw records"),
}
COMMANDS = BENCHMARKS | TOOLS


def main(arguments):
    """Run what is named, or list the names; gives the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("python -m bench NAME [options]; python -m bench NAME --help lists its options\n")
        for name, (_, summary) in COMMANDS.items():
            print(f"  {name:<18}{summary}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        sys.exit(f"{name!r} is not a benchmark; it must be one of {', '.join(COMMANDS)}")
    module = import_module(f"bench.{COMMANDS[name][0]}")
    options = parser_for(name, module).parse_args(arguments[1:])
    instructions.run_with(getattr(options, "isa", None))
    record = module.run(options)
    return 0 if record is None else _finish(record, options)


def _finish(record, options):
    """Print the tables, write the record, and say what has failed."""
    from .tables import render

    print(f"\n{render(record.finite())}")
    if options.json:
        record.write(options.json)
    for failure in record.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
