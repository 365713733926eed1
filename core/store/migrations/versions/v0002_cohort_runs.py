"""Runs that found cohorts are remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cohort_run",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Text(), nullable=False),
        sa.Column("learners", _big, nullable=False),
        sa.Column("events", _big, nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("rejected", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_run")),
    )
    op.create_index(op.f("ix_cohort_run_at"), "cohort_run", ["at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_cohort_run_at"), table_name="cohort_run")
    op.drop_table("cohort_run")
