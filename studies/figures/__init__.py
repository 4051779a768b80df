"""The figures of a study, as PNG files."""
