"""What is raised for files that are no models."""


class ModelFileError(ValueError):
    """A file is no model file, is damaged, or is of a newer version."""
