"""What maintainers run: it writes the files that are generated."""
