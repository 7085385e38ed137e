"""The closed expression language: one tree, and what reads, checks, renders and compiles it."""
