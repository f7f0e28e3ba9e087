"""What would switch off the channels that send: changes, a patch, and what they do not reach."""
