"""How a product is switched on and off: reading, setting and reverting."""
