"""The generated pages of ``docs/reference`` and the record of defaults."""
