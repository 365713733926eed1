"""Is this installation well? One small check for each part that can fail, and how to mend it."""

from core.doctor import calling, machinery, people, storage, surroundings  # noqa: F401  -- each adds its checks as it is imported
from core.doctor.check import CHECKS, Finding, Grade, Installation, check, examine

__all__ = ["CHECKS", "Finding", "Grade", "Installation", "check", "examine"]
