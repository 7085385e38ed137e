"""Personal data in text and in columns: patterns, checksums, telephone rules; what is found is a `Finding` with its position.

Shared by the publisher's check of tables and by the scan of documents. Pure: knows nothing of policy, contracts or
the wire. Unknown names of people are not found: that needs a model, and none is bundled.
"""

from mesh_core.pii.findings import Finding
from mesh_core.pii.text import find_personal_data

__all__ = ["Finding", "find_personal_data"]
