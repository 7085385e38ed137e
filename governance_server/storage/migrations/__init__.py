"""Alembic's script folder; `storage.schema` runs it, no ini file is needed."""
