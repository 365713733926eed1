"""What can come of a query, as types: everything but a figure is "no data", and says in words what to mend."""

from __future__ import annotations

from enum import StrEnum


class QueryState(StrEnum):
    """What came of a query."""

    OK = "ok"
    NO_VALUES = "no values"
    NOT_A_NUMBER = "not a number"
    WRONG_SHAPE = "wrong shape"
    BAD_QUERY = "bad query"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not asked"

    @property
    def is_final(self) -> bool:
        """Whether asking again for the same span can't bring more: the span is done with."""
        return self in {QueryState.OK, QueryState.NO_VALUES, QueryState.NOT_A_NUMBER}


class NoData(Exception):
    """No figure came of a query; the text says why and what to mend."""

    state = QueryState.NO_VALUES


class NoValues(NoData):
    """Nothing matches, or nothing was scraped in the span."""


class NotANumber(NoData):
    """NaN or infinity: 0/0, as in a ratio without requests."""

    state = QueryState.NOT_A_NUMBER


class WrongShape(NoData):
    """An answer, but not one number (for each segment and region)."""

    state = QueryState.WRONG_SHAPE


class BadQuery(NoData):
    """Prometheus can't read or run the query."""

    state = QueryState.BAD_QUERY


class Denied(NoData):
    """Prometheus, or what stands before it, wants other credentials."""

    state = QueryState.DENIED


class Unreachable(NoData):
    """No answer in time, or one that says "not now"."""

    state = QueryState.UNREACHABLE
