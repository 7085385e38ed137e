"""Benchmarks: the bars of the design, each measured on a real server beside its peer. `python -m benchmarks` runs them."""
