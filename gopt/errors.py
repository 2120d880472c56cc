"""Every exception that gopt raises on purpose, and the exit code that the command line gives it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses of the `gopt` command."""

    OK = 0
    USAGE = 2
    BAD_INPUT = 3
    VERIFICATION = 4
    ILLEGAL_FOR_TARGET = 5
    RESOURCE_LIMIT = 6
    MISSING_COMPONENT = 7


class GoptError(Exception):
    """Base of all errors of gopt; `str(error)` is one line for a person."""

    exit_code = ExitCode.BAD_INPUT


class ModelError(GoptError):
    """The model (or another input file) is malformed, hostile or not there."""


class UsageError(GoptError):
    """What was asked for does not exist or contradicts itself: an unknown pass, option, name or value."""

    exit_code = ExitCode.USAGE


class GraphError(GoptError):
    """An edit would break an invariant of the IR, or a check found one broken."""


class PassError(GoptError):
    """A pass failed or broke its contract; the message names it.

    Attributes:
        guilty: name of the rule or pass that a run can leave out to get past this; empty if that is not known.
    """

    exit_code = ExitCode.RESOURCE_LIMIT

    def __init__(self, message: str, guilty: str = "") -> None:
        super().__init__(message)
        self.guilty = guilty


class RewriteLoopError(PassError):
    """Rules undo each other's work for ever; the message names the rules in the cycle."""


class VerificationError(GoptError):
    """The rewritten model does not compute what the original does."""

    exit_code = ExitCode.VERIFICATION


class TargetError(GoptError):
    """The model cannot be made legal for what it is meant for; the message names every op in the way."""

    exit_code = ExitCode.ILLEGAL_FOR_TARGET


class ResourceError(GoptError):
    """A limit on time, memory or size was reached."""

    exit_code = ExitCode.RESOURCE_LIMIT


class MissingComponentError(GoptError):
    """A package that the request needs is not installed; the message holds the command that installs it."""

    exit_code = ExitCode.MISSING_COMPONENT
