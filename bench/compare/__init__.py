"""Two checkouts of the package against each other."""
