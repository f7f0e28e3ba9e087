"""What counts as evidence, and the verdict that follows from it."""
