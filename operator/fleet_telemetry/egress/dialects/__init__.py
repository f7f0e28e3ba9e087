"""Network policies of each kind, from one order."""
