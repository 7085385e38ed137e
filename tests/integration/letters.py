"""A collection of letters about persons, for tests of what becomes of its passages."""

from __future__ import annotations

__all__ = ["CONTRACT"]

CONTRACT = """
kind: DataContract
apiVersion: v3.2.0
id: crm.letters
name: Letters
version: 1.0.0
status: active
schema:
  - name: pages
    physicalType: collection
    tags: [pii.email]
    properties:
      - {name: document, logicalType: string, required: true}
      - {name: text, logicalType: string, required: true}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 256, distanceMetric: cosine}}
"""
