"""Access to the API server, and the cache of the objects in it."""
