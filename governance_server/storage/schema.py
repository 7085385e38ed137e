"""The schema's version: which migration this release needs, and running the missing ones.

Owns the call into Alembic, which is imported only when a database is not at the packaged head.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from governance_server.storage.drivers import Driver
from governance_server.storage.errors import SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection as EngineConnection

__all__ = ["PACKAGED_HEAD", "SQLITE_SCRIPT", "alembic_config", "ensure_schema", "run_migrations", "sqlite_script"]

PACKAGED_HEAD = "0011"
"""The newest migration in `migrations/versions`; a test keeps the two equal."""


SQLITE_SCRIPT = Path(__file__).with_name("migrations") / "sqlite_schema.sql"
"""All migrations as SQL, for an empty SQLite file; made by `sqlite_script`, a test keeps the two equal."""


def ensure_schema(driver: Driver) -> None:
    """The database is at the packaged schema; it was migrated if it was older or empty.

    Raises:
        SchemaTooNew: A newer release has migrated it.
    """
    connection = driver.connect()
    try:
        version = driver.schema_version(connection)
    finally:
        connection.close()
    if version == PACKAGED_HEAD:
        return
    if version is not None and version > PACKAGED_HEAD:
        raise SchemaTooNew(f"the database is at schema {version}, this release knows {PACKAGED_HEAD}: run a newer release")
    driver.upgrade()


def alembic_config() -> Config:
    """Alembic's configuration, made in memory: no ini file exists."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def sqlite_script() -> str:
    """All packaged migrations as SQL statements for an empty SQLite database, parted by empty lines.

    A first start runs the stored text of it and saves itself the import of Alembic and SQLAlchemy, over half a second.
    """
    from io import StringIO

    from alembic import command

    config = alembic_config()
    config.output_buffer = StringIO()
    command.upgrade(config, "head", sql=True)
    return "\n".join(line.rstrip() for line in config.output_buffer.getvalue().strip().splitlines()) + "\n"


def run_migrations(connection: EngineConnection) -> None:
    """All packaged migrations are applied and committed on `connection`, in its one transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
