"""Upkeep of what was published: retention of versions, compaction, vacuum, and erasure of a data subject."""
