"""Everything that talks to the API server, and the mirror of what it says."""
