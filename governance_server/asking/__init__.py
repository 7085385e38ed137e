"""Answering questions in words: what the asker may read is searched and queried, and nothing is said that it does not support.

Everything is read as the asker, by the same governed retrieval and SQL as anybody reads; a model that writes is a guest that may
only suggest. Knows nothing of gRPC and of stores.
"""
