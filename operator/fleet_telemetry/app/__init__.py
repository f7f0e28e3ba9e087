"""One process: its options, how it is built, and how it runs."""
