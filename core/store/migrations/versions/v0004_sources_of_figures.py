"""Sources of figures are remembered: who pushes, what is asked of Prometheus."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("flag", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.Column("heard", sa.Float(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "flag", "name", name=op.f("pk_source")),
    )
    op.create_table(
        "source_query",
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("flag", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("figure", sa.String(length=60), nullable=False),
        sa.Column("settled", sa.Float(), nullable=True),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.Column("heard", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "flag", "version", "figure", name=op.f("pk_source_query")),
    )


def downgrade() -> None:
    op.drop_table("source_query")
    op.drop_table("source")
