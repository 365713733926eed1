"""Small records as the standards describe them, made for these tests."""

from typing import Any

Record = dict[str, Any]


def statement(number: int = 1, **changes: Any) -> Record:
    """Return an xAPI 1.0.3 statement: an answered question with a scaled score."""
    return {
        "id": f"3f2b8c1e-0000-4000-8000-{number:012d}",
        "actor": {
            "objectType": "Agent",
            "name": "Ada",
            "account": {"homePage": "https://lms.example.org", "name": "ada"},
        },
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered"}},
        "object": {
            "objectType": "Activity",
            "id": "https://lms.example.org/items/fractions-3",
            "definition": {"type": "http://adlnet.gov/expapi/activities/cmi.interaction", "interactionType": "choice"},
        },
        "result": {"score": {"scaled": 0.75, "raw": 3, "min": 0, "max": 4}, "success": True},
        "context": {
            "registration": "6d0f2f5c-0000-4000-8000-000000000001",
            "contextActivities": {"grouping": [{"id": "https://lms.example.org/courses/maths"}]},
        },
        "timestamp": "2025-10-01T12:00:00.000Z",
        "stored": "2025-10-01T12:00:01.000Z",
        "version": "1.0.3",
    } | changes


CALIPER = "http://purl.imsglobal.org/ctx/caliper/v1p1"


def graded(number: int = 1, **changes: Any) -> Record:
    """Return a Caliper 1.1 GradeEvent."""
    return {
        "@context": CALIPER,
        "id": f"urn:uuid:7a1d3c4e-0000-4000-8000-{number:012d}",
        "type": "GradeEvent",
        "actor": {"id": "https://lms.example.org/users/554433", "type": "Person"},
        "action": "Graded",
        "object": {
            "id": "https://lms.example.org/courses/7/assess/1/users/554433/attempts/1",
            "type": "Attempt",
            "assignee": {"id": "https://lms.example.org/users/554433", "type": "Person"},
            "assignable": {"id": "https://lms.example.org/courses/7/assess/1", "type": "Assessment"},
            "count": 1,
        },
        "eventTime": "2025-10-01T12:00:00.000Z",
        "generated": {
            "id": "https://lms.example.org/courses/7/assess/1/users/554433/results/1",
            "type": "Score",
            "maxScore": 20.0,
            "scoreGiven": 15.0,
        },
        "group": {"id": "https://lms.example.org/courses/7", "type": "CourseSection", "courseNumber": "CPS 435-01"},
        "session": {"id": "https://lms.example.org/sessions/1f6442a4", "type": "Session"},
    } | changes


def envelope(*events: Record) -> Record:
    """Return a Caliper envelope."""
    return {
        "sensor": "https://lms.example.org/sensors/1",
        "sendTime": "2025-10-01T12:05:00.000Z",
        "dataVersion": CALIPER,
        "data": list(events),
    }


def checked(**changes: Any) -> Record:
    """Return an edX tracking log's problem_check of the server."""
    return {
        "username": "ada",
        "event_type": "problem_check",
        "event_source": "server",
        "name": "problem_check",
        "time": "2025-10-01T12:00:00.123456+00:00",
        "context": {
            "user_id": 42,
            "course_id": "course-v1:ExampleX+Maths101+2025",
            "org_id": "ExampleX",
            "module": {
                "display_name": "Fractions",
                "usage_key": "block-v1:ExampleX+Maths101+2025+type@problem+block@a1",
            },
        },
        "event": {
            "problem_id": "block-v1:ExampleX+Maths101+2025+type@problem+block@a1",
            "grade": 3,
            "max_grade": 4,
            "attempts": 1,
            "success": "incorrect",
        },
        "session": "0a1b2c",
        "page": "x_module",
        "host": "courses.example.org",
    } | changes
