"""The process that runs models: `python -m gopt.verify.worker FOLDER MEMORY`.

It reads one request a line (JSON) from standard input and answers each with one line. What native code prints goes to
standard error. When the pipe closes it removes its folder and ends, whatever it was doing.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from ..errors import UsageError
from .dumping import Dumping
from .job import Job
from .sessions import Unverified

Task = Callable[[dict[str, Any]], dict[str, Any]]


def main() -> None:
    """Serve requests until the pipe closes."""
    folder, memory = Path(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # native code and libraries may print to standard output
    limit_resources(memory)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, folder), daemon=True).start()

    def report(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    report({"event": "started"})
    job = Job(folder / "data", report)
    dumping = Dumping(job)
    tasks = {"prepare": job.prepare, "check": job.check, "sizes": dumping.sizes, "dump": dumping.write}
    while True:
        request = json.loads(requests.get())
        _serve(tasks[request["do"]], request, answers)


def _listen(requests: queue.Queue[str], folder: Path) -> None:
    """Pass on lines; the end of them is the end of the process, even in the middle of a run."""
    for line in sys.stdin:
        requests.put(line)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _serve(task: Task, request: dict[str, Any], answers: TextIO) -> None:
    try:
        answer = {"ok": True, **task(request)}
    except Unverified as error:
        answer = {"ok": False, "kind": "unverified", "message": str(error)}
    except UsageError as error:
        answer = {"ok": False, "kind": "usage", "message": str(error)}
    except MemoryError:
        answer = {"ok": False, "kind": "memory", "message": "out of memory"}
    except Exception as error:  # a mistake of ours: told as such, with its place on standard error
        traceback.print_exc()
        answer = {"ok": False, "kind": "internal", "message": f"{type(error).__name__}: {error}"}
    print(json.dumps({"event": "answer", **answer}), file=answers, flush=True)


def limit_resources(memory: int) -> None:
    """Bound the data that this process may allocate, and let a crash leave no core file. Does nothing on Windows."""
    try:
        import resource
    except ImportError:
        return
    # Mapped files do not count as data, and neither do the reserved parts of allocator arenas; only Linux knows that.
    kind = resource.RLIMIT_DATA if os.uname().sysname == "Linux" else resource.RLIMIT_AS
    for which, value in ((kind, memory), (resource.RLIMIT_CORE, 0)):
        try:
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
        except (ValueError, OSError):  # a limit that the system does not let us set is not set
            continue


if __name__ == "__main__":
    main()
