"""The first tables."""

from __future__ import annotations

from alembic import op

from core.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    head = metadata.tables["event_head"]
    op.bulk_insert(head, [{"id": 1, "count": 0, "hash": "0" * 64}])
