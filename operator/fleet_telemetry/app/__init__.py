"""A process: its options, the parts of each role, and its life from start to stop."""
