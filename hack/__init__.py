"""Programs for maintainers: they write generated files, and check words."""
