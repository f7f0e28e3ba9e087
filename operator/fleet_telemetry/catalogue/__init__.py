"""What is known of vendors' products: the data, and how it is read."""
