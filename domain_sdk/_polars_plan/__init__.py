"""The one home of polars' unstable plan API: column lineage of a lazy frame, and predicates as our closed expression.

Imports polars only when a submodule is imported; nothing outside this package may touch `NodeTraverser`.
"""
