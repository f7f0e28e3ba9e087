"""Real products, run on loopback as their vendors ship them, for ``make test-vendors``.

Fakes show how the operator takes what a product may answer. This shows what the product does
answer, and what it really sends.
"""
