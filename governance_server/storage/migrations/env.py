"""Alembic's entry: runs the migrations on the connection that `storage.schema` hands over, or writes them out as SQL."""

from __future__ import annotations

from alembic import context

if context.is_offline_mode():
    context.configure(dialect_name="sqlite", literal_binds=True)
else:
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True, transaction_per_migration=False)
context.run_migrations()
