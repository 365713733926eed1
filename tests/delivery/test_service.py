"""Acting on deployments: one transaction a change with its event, compare-and-set, switch read back, refusals."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.delivery import Action, Busy, Command, State, Unknown, drills, incidents
from core.store import Fenced, events, verify_log
from core.traffic import FlagService, SwitchError
from tests.delivery.acting import open_deliveries, open_store, plan

pytestmark = pytest.mark.usefixtures("database")


def person(action, reason="because", **kwargs):
    return Command(action, "cli:test", reason, **kwargs)


@pytest.fixture
def service(tmp_path):
    deliveries = open_deliveries(tmp_path)
    yield deliveries
    deliveries.store.close()


@pytest.fixture
def started(service):
    status = service.create(plan(), "cli:test", "try it")
    outcome = service.command(status.id, person(Action.START))
    assert outcome.refusal is None
    return outcome.status


def kinds(service):
    with service.store.read() as connection:
        return [event.kind for event in events(connection)]


def test_a_start_moves_traffic_is_read_back_and_logged(service, started):
    assert (started.state, started.share, started.needs_switch) == (State.RUNNING, 0.01, False)
    assert kinds(service) == ["deployment created", "phase started", "traffic switched"]
    assert service.switch.get("analyzer").share == 0.01
    assert verify_log(service.store).ok


def test_a_rollback_is_seen_by_every_evaluation_and_a_second_one_changes_nothing(service, started):
    reader = FlagService(service.store)
    outcome = service.command(started.id, person(Action.ADVANCE))
    assert outcome.status.share == 0.1
    assert any(reader.evaluate("analyzer", f"u{n}").value == "fast" for n in range(200))
    back = service.command(started.id, person(Action.ROLL_BACK, "it hurts"))
    assert back.switched
    assert back.status.state is State.ROLLED_BACK
    assert all(reader.evaluate("analyzer", f"u{n}").value == "original" for n in range(500))
    before = kinds(service)
    again = service.command(started.id, person(Action.ROLL_BACK))
    assert again.refusal is not None
    assert again.refusal.already
    assert kinds(service) == before
    with service.store.read() as connection:
        (drill,) = drills(connection)
    assert drill.reason == "it hurts"
    assert drill.switched_wall_s is not None
    assert 0 <= drill.switched_wall_s < 5
    reader.close()


def test_many_at_once_act_once(service, started):
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: service.command(started.id, person(Action.ROLL_BACK)), range(16)))
    assert sum(outcome.refusal is None for outcome in outcomes) == 1
    assert kinds(service).count("rolled back") == 1
    assert kinds(service).count("traffic switched") == 2


def test_a_look_that_is_out_of_date_is_refused(service, started):
    service.command(started.id, person(Action.HOLD))
    outcome = service.command(started.id, person(Action.ADVANCE), expected_revision=started.revision)
    assert outcome.refusal is not None
    assert "changed since you looked" in outcome.refusal.reason
    assert outcome.status.share == 0.01


def test_one_deployment_a_flag_at_a_time(service, started):
    with pytest.raises(Busy, match="finish, abort or roll it back first"):
        service.create(plan(), "cli:test")
    service.command(started.id, person(Action.ABORT))
    assert service.create(plan(), "cli:test").state is State.DRAFT


def test_a_retry_does_not_start_beside_a_later_deployment(service, started):
    service.command(started.id, person(Action.ROLL_BACK))
    later = service.create(plan(), "cli:test")
    refused = service.command(started.id, person(Action.RETRY))
    assert refused.refusal is not None
    assert later.id in refused.refusal.reason
    service.command(later.id, person(Action.ABORT))
    assert service.command(started.id, person(Action.RETRY)).refusal is None


def test_a_completed_deployment_is_not_rolled_back_beside_the_later_one_that_decides(service, started):
    for _ in range(3):
        service.command(started.id, person(Action.ADVANCE))
    assert service.status(started.id).state is State.COMPLETED
    later = service.create(plan(), "cli:test")
    service.command(later.id, person(Action.START))
    refused = service.command(started.id, person(Action.ROLL_BACK))
    assert refused.refusal is not None
    assert "roll that one back" in refused.refusal.reason
    service.command(later.id, person(Action.ABORT))
    assert service.command(started.id, person(Action.ROLL_BACK)).switched


def test_a_completed_deployment_is_rolled_back_beside_a_later_draft(service, started):
    for _ in range(3):
        service.command(started.id, person(Action.ADVANCE))
    draft = service.create(plan(), "cli:test")
    outcome = service.command(started.id, person(Action.ROLL_BACK, "it hurts"))
    assert outcome.refusal is None
    assert outcome.switched
    assert service.switch.get("analyzer").share == 0.0
    assert service.status(draft.id).state is State.DRAFT


def test_an_unknown_deployment(service):
    with pytest.raises(Unknown, match="no deployment 'x'"):
        service.command("x", person(Action.HOLD))


def test_a_fenced_caller_changes_nothing(service, started):
    def fence(tx):
        raise Fenced("the lease is gone")

    with pytest.raises(Fenced):
        service.command(started.id, person(Action.ROLL_BACK), fence=fence)
    assert service.status(started.id) == started


def test_incidents_open_when_the_monitor_rolls_back_and_close_when_a_person_retries(service, started):
    service.command(started.id, Command(Action.ROLL_BACK, "monitor", "error rate 5 %", by_person=False))
    with service.store.read() as connection:
        (incident,) = incidents(connection, open_only=True)
    assert incident.summary == "error rate 5 %"
    service.command(started.id, person(Action.RETRY))
    with service.store.read() as connection:
        assert incidents(connection, open_only=True) == []
        assert len(incidents(connection)) == 1


class StubbornSwitch:
    """A switch that refuses until told otherwise, as a load balancer that can't be reached does."""

    name, watched = "stubborn", True

    def __init__(self, real):
        self.real, self.refuses = real, True

    def set(self, flag, share, revision):
        if self.refuses:
            raise SwitchError("connection refused")
        self.real.set(flag, share, revision)

    def check(self, flag, share):
        pass

    def get(self, flag):
        return self.real.get(flag)

    def evaluate(self, flag, key):
        return self.real.evaluate(flag, key)


def test_a_switch_that_refuses_is_an_incident_and_is_tried_again(service, started):
    service.switch = StubbornSwitch(service.switch)
    outcome = service.command(started.id, person(Action.ADVANCE))
    assert not outcome.switched
    assert outcome.note
    assert not service.reconcile(started.id)
    assert kinds(service).count("switch failed") == 1
    service.switch.refuses = False
    assert service.reconcile(started.id)
    assert service.reconcile(started.id)
    assert kinds(service).count("traffic switched") == 2
    with service.store.read() as connection:
        assert incidents(connection, open_only=True) == []


def test_a_switch_never_read_back_lets_go_when_a_later_deployment_decides(service, started):
    service.switch = StubbornSwitch(service.switch)
    service.command(started.id, person(Action.ROLL_BACK))
    service.switch.refuses = False
    later = service.create(plan(), "cli:test")
    service.command(later.id, person(Action.START))
    assert service.status(started.id).needs_switch
    service.reconcile(started.id)
    assert not service.status(started.id).needs_switch
    assert "switch superseded" in kinds(service)
    assert service.switch.get("analyzer").share == 0.01


def test_what_is_stored_is_what_was(service, started, tmp_path):
    other = open_store(tmp_path)
    again = open_deliveries(tmp_path)
    assert again.status(started.id) == started
    assert again.current() == started
    other.close()
    again.store.close()
