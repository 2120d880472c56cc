"""The command `gopt`: click commands, a file each; they format, the work is done by `gopt.api` and the rooms below."""

from __future__ import annotations

import atexit
import errno
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import click

from ..errors import ExitCode, GoptError
from .text import one_line, safe

INTERRUPTED = 130
INTERNAL = 1
_OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; errors are one line on stderr.

    Args:
        argv: arguments without the program's name; those of the process by default.
    """
    from .root import cli

    arguments = None if argv is None else list(argv)
    try:
        _write_in_blocks()
        with _ended_in_order(), warnings.catch_warnings():
            if not _debug():  # numpy's remarks about a model's numbers are not for the terminal
                warnings.simplefilter("ignore")
            status = cli.main(arguments, prog_name="gopt", standalone_mode=False)
        _flush_at_exit()
        return status if isinstance(status, int) else int(ExitCode.OK)
    except BrokenPipeError:
        _discard_stdout()
        return INTERNAL
    except (Exception, KeyboardInterrupt) as error:
        status, message = explained(error)
        if _debug() and not isinstance(error, click.ClickException):
            import traceback

            traceback.print_exception(error)
        print(f"gopt: error: {safe(message, sys.stderr)}", file=sys.stderr)
        return status


def _write_in_blocks() -> None:
    """Let a table leave in one piece, also where PYTHONUNBUFFERED asks for a write per print."""
    stdout = sys.__stdout__
    if sys.stdout is stdout and isinstance(stdout, io.TextIOWrapper) and not stdout.isatty():
        stdout.reconfigure(write_through=False)


@cache
def _flush_at_exit() -> None:
    """Flush stdout when the process ends, not before: `main` may be one of many calls in a process.

    A reader that has gone, or a full disk, makes the exit status 1, without the interpreter's complaint.
    """
    atexit.register(_flush)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        os._exit(INTERNAL)
    except OSError as error:
        print(f"gopt: error: {error.strerror}", file=sys.stderr)
        _discard_stdout()
        os._exit(INTERNAL)


def _discard_stdout() -> None:
    """Whoever read us has gone; nor must the interpreter complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a request to end (SIGTERM) unwind as an exit does, so that nothing temporary stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def explained(error: BaseException) -> tuple[int, str]:
    """Exit status and message for an exception."""
    if isinstance(error, GoptError):
        # Messages about a pipeline show the text with a caret below: those alone may have several lines.
        return int(error.exit_code), one_line(error, keep_lines=error.exit_code is ExitCode.USAGE)
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        more = f" (see {context.command_path} --help)" if context is not None else ""
        return int(error.exit_code), one_line(error.format_message()) + more
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED, "interrupted"
    if isinstance(error, MemoryError):
        return int(ExitCode.RESOURCE_LIMIT), "out of memory"
    if isinstance(error, RecursionError):
        return int(ExitCode.BAD_INPUT), "the model is nested too deeply"
    if isinstance(error, OSError):
        status = ExitCode.RESOURCE_LIMIT if error.errno in _OUT_OF_SPACE else ExitCode.BAD_INPUT
        where = f"{error.filename}: " if error.filename else ""
        return int(status), one_line(f"{where}{error.strerror or error}")
    if isinstance(error, UnicodeError):
        return int(ExitCode.BAD_INPUT), one_line(f"a text is not valid Unicode: {error}")
    return INTERNAL, one_line(f"internal error: {type(error).__name__}: {error} (GOPT_DEBUG=1 shows where)")


def _debug() -> bool:
    return os.environ.get("GOPT_DEBUG", "") not in ("", "0")
