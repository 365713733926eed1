"""The first tables, and triggers that keep the event log append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSAL = "the event log is append-only"


def upgrade() -> None:
    op.create_table(
        "business_sums",
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("phase_started", sa.Float(), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("learners", _BIG, nullable=False),
        sa.Column("sums", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "phase_started", "version", name=op.f("pk_business_sums")),
    )
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("anchor_wall", sa.Float(), nullable=False),
        sa.Column("anchor_plan", sa.Float(), nullable=False),
        sa.Column("speed", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "compaction",
        sa.Column("flag", sa.String(length=200), nullable=False),
        sa.Column("generation", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("flag", name=op.f("pk_compaction")),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("flag", sa.String(length=200), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("baseline", sa.String(length=200), nullable=False),
        sa.Column("candidate", sa.String(length=200), nullable=False),
        sa.Column("salt", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
    )
    op.create_index(op.f("ix_deployment_flag"), "deployment", ["flag"], unique=False)
    op.create_table(
        "event",
        sa.Column("seq", _BIG, autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("wall", sa.Float(), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_deployment"), "event", ["deployment"], unique=False)
    op.create_table(
        "event_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("count", _BIG, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_head")),
    )
    op.create_table(
        "learner_total",
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("phase_started", sa.Float(), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("learner", sa.String(length=32), nullable=False),
        sa.Column("requests", _BIG, nullable=False),
        sa.Column("revenue", sa.Float(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "phase_started", "version", "learner", name=op.f("pk_learner_total")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("token", _BIG, nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column("beat", sa.Float(), nullable=False),
        sa.Column("late_s", sa.Float(), nullable=False),
        sa.Column("tick_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "received",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("wall", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_received_wall"), "received", ["wall"], unique=False)
    op.create_table(
        "sample",
        sa.Column("seq", _BIG, autoincrement=True, nullable=False),
        sa.Column("flag", sa.String(length=200), nullable=False),
        sa.Column("start", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("segment", sa.String(length=200), nullable=False),
        sa.Column("region", sa.String(length=200), nullable=False),
        sa.Column("requests", _BIG, nullable=False),
        sa.Column("errors", _BIG, nullable=False),
        sa.Column("fallbacks", _BIG, nullable=False),
        sa.Column("probes", _BIG, nullable=False),
        sa.Column("probes_ok", _BIG, nullable=False),
        sa.Column("compared", _BIG, nullable=False),
        sa.Column("disagreed", _BIG, nullable=False),
        sa.Column("slow", _BIG, nullable=True),
        sa.Column("latency", sa.LargeBinary(), nullable=False),
        sa.Column("gauges", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sample")),
    )
    op.create_index("ix_sample_flag_seq", "sample", ["flag", "seq"], unique=False)
    op.create_index("ix_sample_flag_start", "sample", ["flag", "start"], unique=False)
    op.create_table(
        "checkpoint",
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("late_s", sa.Float(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.id"], name=op.f("fk_checkpoint_deployment")),
        sa.PrimaryKeyConstraint("deployment", "attempt", "phase", "number", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("opened", sa.Float(), nullable=False),
        sa.Column("closed", sa.Float(), nullable=True),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("by_monitor", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.id"], name=op.f("fk_incident_deployment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_index(op.f("ix_incident_deployment"), "incident", ["deployment"], unique=False)
    op.create_table(
        "latest_verdict",
        sa.Column("deployment", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.id"], name=op.f("fk_latest_verdict_deployment")),
        sa.PrimaryKeyConstraint("deployment", name=op.f("pk_latest_verdict")),
    )
    head = sa.table("event_head", sa.column("id"), sa.column("count"), sa.column("hash"))
    op.execute(head.insert().values(id=1, count=0, hash="0" * 64))
    for statement in _TRIGGERS[op.get_context().dialect.name]:
        op.execute(statement)


_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER event_no_{change} BEFORE {change} ON event BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for change in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change()",
    ],
}
