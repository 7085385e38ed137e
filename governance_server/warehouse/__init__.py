"""The server-owned warehouse: delivered files, their verification and the Delta log.

Knows nothing of gRPC, policy or the journal.
"""
