"""An OpenFeature hook: notes which version the flag gave and for whom, so that the middleware needs no extractor."""

from __future__ import annotations

from typing import Any

from openfeature.hook import Hook, HookContext, HookHints

from canary_client.request import note


class VersionHook(Hook):
    """Notes value and targeting key of each evaluation of one flag. `api.add_hooks([VersionHook("analyzer")])`.

    Where the flag service doesn't answer, the code default is what the learner gets, and what is noted.
    """

    def __init__(self, flag: str) -> None:
        """Note the evaluations of this flag; others say nothing of the version."""
        self._flag = flag

    def finally_after(self, hook_context: HookContext, details: Any, hints: HookHints) -> None:  # noqa: ARG002
        """Note what was given."""
        if hook_context.flag_key == self._flag and isinstance(details.value, str):
            learner = hook_context.evaluation_context.targeting_key
            note(version=details.value, **({"learner": learner} if learner else {}))
