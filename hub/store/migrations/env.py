"""Alembic's entry: run the migrations on the connection that the caller hands over."""

from alembic import context

from hub.store.console import indexes as _indexes  # noqa: F401 - adds its indexes
from hub.store.people import tables as _people  # noqa: F401 - adds its tables
from hub.store.reconciliation import tables as _reconciliation  # noqa: F401 - adds its tables
from hub.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
