"""The kinds of network policy that the operator writes, one module a dialect."""
