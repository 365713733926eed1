"""What is remembered: deployments, events, samples, leases. The other rooms use the names listed here."""

from core.store import histogram, migrations, schema
from core.store.archive import Manifest, read_archive
from core.store.backup import backup_name, make_backup
from core.store.business import add_learner_totals, business_sums, fold_learner_totals, learners_of_both
from core.store.chain import Verification, verify_log
from core.store.clock import Clock
from core.store.compaction import RULES, Compaction, Rule, compact, compaction_generation
from core.store.engine import open_engine
from core.store.errors import BackupError, Fenced, LogFileError, StoreUnavailable, Trouble
from core.store.eventlog import Event, Head, events, head_of
from core.store.files import replace_file
from core.store.lease import Lease, acquire_lease, beat, current_lease, hold_fence, release_lease
from core.store.reserve import give_up_reserve, keep_reserve
from core.store.restore import Restored, restore_backup
from core.store.sample import BusinessSums, LearnerTotals, Sample
from core.store.samples import (
    Accepted,
    SampleFrame,
    add_samples,
    latency_of,
    load_samples,
    quantile_of,
    remember_batch,
)
from core.store.scratch import scratch_database
from core.store.secretfile import secret_text
from core.store.store import Store, Tx
from core.store.transfer import export_log, import_log, read_log

__all__ = [
    "RULES",
    "Accepted",
    "BackupError",
    "BusinessSums",
    "Clock",
    "Compaction",
    "Event",
    "Fenced",
    "Head",
    "LearnerTotals",
    "Lease",
    "LogFileError",
    "Manifest",
    "Restored",
    "Rule",
    "Sample",
    "SampleFrame",
    "Store",
    "StoreUnavailable",
    "Trouble",
    "Tx",
    "Verification",
    "acquire_lease",
    "add_learner_totals",
    "add_samples",
    "backup_name",
    "beat",
    "business_sums",
    "compact",
    "compaction_generation",
    "current_lease",
    "events",
    "export_log",
    "fold_learner_totals",
    "give_up_reserve",
    "head_of",
    "histogram",
    "hold_fence",
    "import_log",
    "keep_reserve",
    "latency_of",
    "learners_of_both",
    "load_samples",
    "make_backup",
    "migrations",
    "open_engine",
    "quantile_of",
    "read_archive",
    "read_log",
    "release_lease",
    "remember_batch",
    "replace_file",
    "restore_backup",
    "schema",
    "scratch_database",
    "secret_text",
    "verify_log",
]
