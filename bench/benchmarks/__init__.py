"""One module for each name; each has `add_arguments` and `run`, which gives a record."""
