"""Fields of custom resources that are switches: reading them, and setting them."""
