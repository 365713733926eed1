"""Tables. What they mean is said here; how they are changed is in the modules that own them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

_big = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER key

# One row: the plan's clock (store.clock).
clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("anchor_wall", Float, nullable=False),
    Column("anchor_plan", Float, nullable=False),
    Column("speed", Float, nullable=False),
)

# One row a deployment; owned by delivery. `revision` is the compare-and-set counter.
deployment = Table(
    "deployment",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("flag", String(200), nullable=False, index=True),
    Column("plan", Text, nullable=False),  # YAML, as the user gave it
    Column("baseline", String(200), nullable=False),  # this and the next two: all that the traffic switch needs
    Column("candidate", String(200), nullable=False),
    Column("salt", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("status", JSON, nullable=False),  # the rest of delivery.model.Status
)

# Append-only and hash-chained (store.eventlog). `head` has one row: count and hash of the last event.
event = Table(
    "event",
    metadata,
    Column("seq", _big, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),  # plan time
    Column("wall", Float, nullable=False),  # wall time
    Column("deployment", String(64), nullable=False, index=True),
    Column("kind", String(60), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", Text, nullable=False),  # canonical JSON, hashed as it stands
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
head = Table(
    "event_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("count", _big, nullable=False),
    Column("hash", String(64), nullable=False),
)

# The metrics log: sums (store.sample.Sample); rows of one span, version, segment and region add up.
sample = Table(
    "sample",
    metadata,
    Column("seq", _big, primary_key=True, autoincrement=True),
    Column("flag", String(200), nullable=False),
    Column("start", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("version", String(200), nullable=False),
    Column("segment", String(200), nullable=False),
    Column("region", String(200), nullable=False),
    Column("requests", _big, nullable=False),
    Column("errors", _big, nullable=False),
    Column("fallbacks", _big, nullable=False),
    Column("probes", _big, nullable=False),
    Column("probes_ok", _big, nullable=False),
    Column("compared", _big, nullable=False),
    Column("disagreed", _big, nullable=False),
    Column("slow", _big, nullable=True),
    Column("latency", LargeBinary, nullable=False),
    Column("gauges", JSON(none_as_null=True), nullable=True),
    Index("ix_sample_flag_start", "flag", "start"),
    Index("ix_sample_flag_seq", "flag", "seq"),
)
# One row a flag: rises with each compaction of its samples, whereupon what was read of them must be read anew.
compaction = Table(
    "compaction",
    metadata,
    Column("flag", String(200), primary_key=True),
    Column("generation", _big, nullable=False),
)
# Ids that senders chose (hashed), so that a repeat is ignored; dropped when older than any sender's retries.
received = Table(
    "received",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("wall", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
# Where figures come from (metrics.sources): one row a sender that pushes, or a Prometheus that is asked. Wall times.
source = Table(
    "source",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("flag", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("asked", Float, nullable=False),  # last batch, or last poll
    Column("heard", Float, nullable=True),  # last one that brought something
    Column("problem", Text, nullable=False),
    Column("facts", JSON, nullable=False),  # of this kind of source
)
# Of a source that is asked: how far each query has been settled, and its last answer.
source_query = Table(
    "source_query",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("flag", String(200), primary_key=True),
    Column("version", String(200), primary_key=True),
    Column("figure", String(60), primary_key=True),
    Column("settled", Float, nullable=True),  # plan time: spans up to here are done with
    Column("asked", Float, nullable=False),
    Column("heard", Float, nullable=True),  # last answer with a value
    Column("state", String(30), nullable=False),
    Column("said", Text, nullable=False),
    Column("value", Float, nullable=True),
    Column("query", Text, nullable=False),
)
# Business figures per learner while a phase runs (keyed hashes, no ids), folded into sums when it ends.
learner_total = Table(
    "learner_total",
    metadata,
    Column("deployment", String(64), primary_key=True),
    Column("phase_started", Float, primary_key=True),
    Column("version", String(200), primary_key=True),
    Column("learner", String(32), primary_key=True),
    Column("requests", _big, nullable=False),
    Column("revenue", Float, nullable=False),
    Column("cost", Float, nullable=False),
    sqlite_with_rowid=False,  # kept in the order of the key: sums over a phase take a seventh of the time
)
business_sums = Table(
    "business_sums",
    metadata,
    Column("deployment", String(64), primary_key=True),
    Column("phase_started", Float, primary_key=True),
    Column("version", String(200), primary_key=True),
    Column("learners", _big, nullable=False),
    Column("sums", JSON, nullable=False),
)

# What was judged at each checkpoint.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("deployment", String(64), ForeignKey("deployment.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("late_s", Float, nullable=False),
    Column("verdict", JSON, nullable=False),
)

# The monitor's latest word on each deployment: what pages show, so that all of them show the same.
latest_verdict = Table(
    "latest_verdict",
    metadata,
    Column("deployment", String(64), ForeignKey("deployment.id"), primary_key=True),
    Column("at", Float, nullable=False),
    Column("verdict", JSON, nullable=False),
)

# Who may act: one row a role ("monitor"). `token` rises at each change of holder and fences off the one before.
lease = Table(
    "lease",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("token", _big, nullable=False),
    Column("expires", Float, nullable=False),  # wall time
    Column("beat", Float, nullable=False),  # wall time of the last tick
    Column("late_s", Float, nullable=False),  # how late that tick began
    Column("tick_s", Float, nullable=False),  # how long it took
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("deployment", String(64), ForeignKey("deployment.id"), nullable=False, index=True),
    Column("opened", Float, nullable=False),  # plan time
    Column("closed", Float, nullable=True),
    Column("cause", String(60), nullable=False),
    Column("summary", Text, nullable=False),
    Column("by_monitor", Boolean, nullable=False),
)

# One row for each time that cohorts were found; owned by learners. Assignments lie beside it in Parquet.
cohort_run = Table(
    "cohort_run",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", Float, nullable=False, index=True),  # plan time
    Column("source", Text, nullable=False),  # without passwords
    Column("simulated", Text, nullable=False),  # what is made up about the learners; "" for real ones
    Column("learners", _big, nullable=False),
    Column("events", _big, nullable=False),
    Column("options", JSON, nullable=False),
    Column("model", Text, nullable=False),  # learners.CohortModel as JSON
    Column("rejected", JSON, nullable=False),
    Column("seconds", JSON, nullable=False),
)

# Tokens of programs, as hashes; owned by identity.
api_token = Table(
    "api_token",
    metadata,
    Column("id", String(16), primary_key=True),  # stands in the token, too
    Column("name", String(40), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("owner", String(320), nullable=False),  # an address; "" where it is nobody's
    Column("created_by", String(400), nullable=False),
    Column("created", Float, nullable=False),  # this and the following: wall time
    Column("expires", Float, nullable=False),
    Column("revoked", Float, nullable=True),
    Column("used", Float, nullable=True),
)

# What people decided at gates (delivery.gate). Rows are added and withdrawn, never changed otherwise.
sign_off = Table(
    "sign_off",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("deployment", String(64), ForeignKey("deployment.id"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("gate", String(64), nullable=False),
    Column("seat", String(40), nullable=False),
    Column("person", String(320), nullable=False),
    Column("decision", String(10), nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", Float, nullable=False),  # plan time
    Column("withdrawn", Float, nullable=True),
)

# Who is called about incidents, and who has acknowledged them; owned by oncall. All times are wall times.
oncall_call = Table(
    "oncall_call",
    metadata,
    Column("id", String(64), primary_key=True),  # of incident, step and person: the same call is noted once
    Column("incident", String(64), nullable=False, index=True),  # "" for a message about an event
    Column("deployment", String(64), nullable=False),
    Column("step", _big, nullable=False),
    Column("level", String(20), nullable=False),
    Column("person", String(200), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("sent", Float, nullable=True),
    Column("error", Text, nullable=False),
)
oncall_ack = Table(
    "oncall_ack",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("person", String(320), nullable=False),
    Column("at", Float, nullable=False),
    Column("how", String(20), nullable=False),
)
oncall_link = Table(
    "oncall_link",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("incident", String(64), nullable=False),
    Column("person", String(320), nullable=False),
    Column("expires", Float, nullable=False),
    Column("used", Float, nullable=True),
)
# How far the event log has been told of, by name of who tells.
oncall_cursor = Table(
    "oncall_cursor",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("seq", _big, nullable=False),
)
