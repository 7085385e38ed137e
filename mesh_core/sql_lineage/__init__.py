"""Column lineage of a SQL query, read from its text and the schemas of its tables; what cannot be told is unknown, never guessed.

Any dialect that sqlglot reads. The names it exports are loaded with sqlglot; importing the package is cheap.
"""
