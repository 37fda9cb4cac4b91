"""The data of a fit: checked arrays, encoded labels, splits of the rows."""
