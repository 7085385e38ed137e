"""OpenLineage at the edge: the only package that imports openlineage, on first use."""
