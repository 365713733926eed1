"""Who is called about incidents, who has acknowledged them, links in messages, and how far events were told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "oncall_call",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("step", _big, nullable=False),
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("sent", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oncall_call")),
    )
    op.create_index(op.f("ix_oncall_call_incident"), "oncall_call", ["incident"], unique=False)
    op.create_index(op.f("ix_oncall_call_state"), "oncall_call", ["state"], unique=False)
    op.create_table(
        "oncall_ack",
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=320), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("how", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_oncall_ack")),
    )
    op.create_table(
        "oncall_link",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=320), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column("used", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oncall_link")),
    )
    op.create_table(
        "oncall_cursor",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("seq", _big, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_oncall_cursor")),
    )


def downgrade() -> None:
    for table in ("oncall_cursor", "oncall_link", "oncall_ack", "oncall_call"):
        op.drop_table(table)
