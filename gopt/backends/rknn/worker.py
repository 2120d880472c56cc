"""The toolkit's side: `python worker.py JOB.json`, run by the interpreter of the toolkit's own environment.

Imports nothing of gopt (that environment has another numpy and another onnx) and stays within Python 3.9. What happens
is written to the events file, a JSON object a line, before and after each phase, so that the last line tells where a
crash came from. The toolkit itself prints to standard output and standard error, which the parent keeps as the log.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """The toolkit said no; the message is what it said, as far as it said anything."""


class Events:
    """The file that tells the parent what happens."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", buffering=1)  # noqa: SIM115 (open as long as the process lives)

    def tell(self, **event: Any) -> None:
        """Write one event."""
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def phase(self, name: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run one phase; a number other than 0 that it returns is a failure.

        Raises:
            Failed: it failed, whatever way the toolkit chose to say so.
        """
        # The log is the parent's only clue about where native code died, so it must hold all that was said before.
        self.tell(phase=name, state="begin", offset=said())
        start = time.time()
        try:
            result = call(*args, **options)
        except SystemExit as end:
            raise Failed(f"{name}: the toolkit ended the process ({end.code})") from None
        except BaseException as error:
            raise Failed(f"{name}: {type(error).__name__}: {error}") from None
        if isinstance(result, int) and result != 0:
            raise Failed(f"{name}: the toolkit returned {result}")
        self.tell(phase=name, state="end", seconds=round(time.time() - start, 3), offset=said())
        return result


def said() -> int:
    """How long the log is by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        return os.fstat(1).st_size
    except OSError:
        return 0


def limit(memory: int | None) -> None:
    """Bound memory, and leave no core file after a crash."""
    import resource

    wanted = [(resource.RLIMIT_CORE, 0)] + ([] if memory is None else [(resource.RLIMIT_DATA, memory)])
    for which, value in wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (value, value))


def load_arrays(path: str) -> list[Any]:
    """Inputs in order; the parent wrote them as input_0, input_1, ..."""
    import numpy

    with numpy.load(path, allow_pickle=False) as data:
        return [data[f"input_{place}"] for place in range(len(data.files))]


def save_arrays(path: str, arrays: list[Any]) -> None:
    """Results in order, as output_0, output_1, ..."""
    import numpy

    named: dict[str, Any] = {f"output_{place}": numpy.asarray(a) for place, a in enumerate(arrays)}
    numpy.savez(path, **named)


def make(job: dict[str, Any]) -> Any:
    """The toolkit's object; its import is what takes the time."""
    imported = stand_in_for_torch() if job.get("no_torch") and "torch" not in sys.modules else None
    from rknn.api import RKNN

    if imported is not None:
        imported()

    return RKNN(verbose=True)


def stand_in_for_torch() -> Any:
    """See `torchless.py`, which lies beside this file."""
    sys.path.insert(0, HERE)
    try:
        import torchless
    finally:
        sys.path.remove(HERE)
    return torchless.pretend_torch()


def with_plain_names(path: str) -> str:
    """A copy of a model whose values have names that the toolkit can take apart: it joins and splits them."""
    import re

    import onnx

    model = onnx.load(path)
    graph = model.graph
    names: dict[str, str] = {"": ""}

    def plain(name: str) -> str:
        if name not in names:
            found = re.sub(r"[^A-Za-z0-9_./:;-]", "_", name)[:80]
            while found in names.values():
                found += "_"
            names[name] = found
        return names[name]

    for node in graph.node:
        node.input[:] = [plain(name) for name in node.input]
        node.output[:] = [plain(name) for name in node.output]
    for info in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        info.name = plain(info.name)
    place = os.path.join(os.getcwd(), "plain.onnx")
    onnx.save(model, place)
    return place


def convert(job: dict[str, Any], events: Events) -> None:
    """Configure, load, build, export; then run the simulator on inputs that were given."""
    rknn = events.phase("import", make, job)
    events.phase("config", rknn.config, **job["config"])
    model = with_plain_names(job["model"]) if job["plain_names"] else job["model"]
    events.phase("load", rknn.load_onnx, model=model, **job["load"])
    events.phase("build", rknn.build, **job["build"])
    if job["output"]:
        events.phase("export", rknn.export_rknn, job["output"])
    if job["inputs"]:
        events.phase("runtime", rknn.init_runtime)
    for given in job["inputs"]:
        arrays = load_arrays(given["arrays"])
        # The toolkit looks at the layout of tensors of 4 dims alone, but wants a word for each.
        layouts = ["nchw"] * len(arrays) if any(a.ndim == 4 for a in arrays) else None
        results = events.phase("inference", rknn.inference, inputs=arrays, data_format=layouts)
        if results is None:
            raise Failed("inference: the simulator returned nothing")
        save_arrays(given["results"], results)
    if job.get("analysis"):
        wanted = job["analysis"]
        events.phase("analysis", rknn.accuracy_analysis, inputs=wanted["inputs"], output_dir=wanted["folder"])


def images(job: dict[str, Any], events: Events) -> None:
    """Read pictures as the toolkit does."""
    save_arrays(job["results"], events.phase("images", lambda: [_image(**given) for given in job["images"]]))


def _image(file: str, shape: list[int], bgr: bool) -> Any:
    import cv2
    import numpy

    _, channels, height, width = shape
    image = cv2.imread(file, cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{file}: no picture")
    image = cv2.resize(image, (width, height))
    if channels == 1:
        return image.reshape(shape)
    return numpy.ascontiguousarray((image if bgr else image[..., ::-1]).transpose(2, 0, 1)).reshape(shape)


def survey(job: dict[str, Any], events: Events) -> None:
    """Convert many small models, each in a forked process: the import of the toolkit is paid for once."""
    events.phase("import", make, job)
    for case in job["cases"]:
        child = os.fork()
        if child == 0:
            _one_case(job, case)
        events.tell(case=case["name"], state="ended", status=_await(child, job["seconds"]))


def _one_case(job: dict[str, Any], case: dict[str, str]) -> None:
    """Convert one model and end the process; the exit status says whether that went well."""
    log = os.open(case["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        rknn = make(job)
        rknn.config(**job["config"])
        build = {**job["build"], **({"dataset": case["dataset"]} if case.get("dataset") else {})}
        if rknn.load_onnx(model=case["model"]) == 0 and rknn.build(**build) == 0:
            status = 0
    except BaseException as error:
        print(f"E {type(error).__name__}: {error}")
    said()
    os._exit(status)


def _await(child: int, seconds: float) -> int | None:
    """The status of a forked process: negative for a signal, None if its time was up."""
    end = time.time() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if time.time() > end:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return None
        time.sleep(0.02)


def probe(job: dict[str, Any], events: Events) -> None:
    """Tell what is installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in job["packages"]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    events.tell(phase="versions", state="found", versions=found)
    events.phase("import", make, job)


def main() -> None:
    """Do the job; the exit status is 0 if it went well."""
    # The files beside this one are no modules for the toolkit to find, whatever they are called.
    sys.path[:] = [place for place in sys.path if place != HERE]
    with open(sys.argv[1]) as file:
        job = json.load(file)
    events = Events(job["events"])
    limit(job.get("memory"))
    tasks = {"convert": convert, "probe": probe, "survey": survey, "images": images}
    try:
        tasks[job["do"]](job, events)
    except Failed as error:
        said()
        events.tell(state="failed", message=str(error))
        # The toolkit's own threads and exit handlers crash now and then; what there is to say has been said.
        os._exit(1)
    said()
    events.tell(state="done")
    os._exit(0)


if __name__ == "__main__":
    main()
