"""Seconds and memory of `gopt run` over a model with gigabytes of external data; and what is left if it is killed.

    python benchmarks/bench_memory.py [--gigabytes 2.3] [--kills 20] [--folder /tmp]

Makes a chain of MatMuls whose weights lie in a file beside the model, with a weight that nobody uses and one that is
there twice, and runs `gopt run` on it without and with verification. Highest resident sets are those of each process,
pages of mapped files counted; "own" is memory that no file backs. With `--kills` it then sends SIGKILL, SIGTERM and
SIGINT in turn at moments drawn by chance, and compares the old output, both files of it, byte for byte. Only Linux
tells all this (/proc).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

SIDE = 4096
NBYTES = SIDE * SIDE * 4
_LEFT = 10.0  # seconds within which all that a killed run started has to be gone


def make(path: Path, gigabytes: float) -> int:
    """Write the model; returns the bytes of its weights."""
    count = max(4, round(gigabytes * 1e9 / NBYTES))
    data = path.with_suffix(".data")
    rng = np.random.default_rng(0)
    with data.open("wb") as file:
        first = b""
        for index in range(count):
            last = index == count - 1
            array = rng.standard_normal((SIDE, SIDE), np.float32) / np.float32(SIDE**0.5)
            file.write(first if last else array.tobytes())  # the last one is the first once more
            first = first or array.tobytes()
    weights, nodes, value = [], [], "x"
    for index in range(count):
        tensor = TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, dims=[SIDE, SIDE])
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", data.name), ("offset", str(index * NBYTES)), ("length", str(NBYTES))):
            tensor.external_data.add(key=key, value=text)
        weights.append(tensor)
        if index == 1:  # is used by nobody
            continue
        nodes.append(helper.make_node("MatMul", [value, f"w{index}"], [f"m{index}"]))
        nodes.append(helper.make_node("Identity", [f"m{index}"], [f"i{index}"]))
        value = f"i{index}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", SIDE]) for n in ("x", value)]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return count * NBYTES


@dataclass
class Watched:
    """A command that ran.

    Attributes:
        output: what it printed.
        status: of its exit.
        seconds: wall time.
        busy: seconds of processors, of all its processes.
        peaks: highest resident set and own memory of each process, by what it runs, in MB.
    """

    output: str = ""
    status: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    peaks: dict[str, tuple[int, int]] = field(default_factory=dict)


def watch(command: Sequence[str]) -> Watched:
    """Run a command and look at it and all its descendants, a hundred times a second."""
    found = Watched()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            for pid in family(process.pid):
                name, resident, own = status(pid)
                if name:
                    known = found.peaks.get(name, (0, 0))
                    found.peaks[name] = max(known[0], resident), max(known[1], own)
            time.sleep(0.01)
        found.seconds = time.perf_counter() - start
        out.seek(0)
        found.output = out.read().decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found.busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found.status = process.returncode
    return found


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(p) for p in task.read_text().split()]
        except OSError:
            continue
    return [pid, *(p for child in children for p in family(child))]


def status(pid: int) -> tuple[str, int, int]:
    """What a process is, its highest resident set, and the memory that it has of its own, in MB; "" if it has gone."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return "", 0, 0
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    if "VmHWM" not in fields or not command:
        return "", 0, 0
    if b"\0gopt" not in command:
        return "", 0, 0  # a fork of this process that is to become one of them
    name = "child that verifies" if b"gopt.verify.worker" in command else "gopt"
    return name, int(fields["VmHWM"].split()[0]) >> 10, int(fields["RssAnon"].split()[0]) >> 10


def run_command(model: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "gopt", "run", str(model), "-o", str(out), "--force", *options]


def report(title: str, found: Watched, out: Path) -> None:
    if found.status:
        raise SystemExit(f"{title}: ended with {found.status}")
    written = sum(f.stat().st_size for f in out.parent.iterdir())
    print(f"{title}: {found.seconds:.1f} s ({found.busy:.1f} s of processors), {written / 1e9:.3f} GB written")
    for name, (resident, own) in found.peaks.items():
        print(f"    {name:20} at most {resident:5} MB resident, {own:5} MB of its own", flush=True)


COMPARE = """
import sys, numpy, onnxruntime
x = numpy.random.default_rng(1).standard_normal((3, int(sys.argv[3]))).astype("float32")
found = []
for path in sys.argv[1:3]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    found.append(session.run(None, {"x": x})[0])
    del session
assert numpy.isfinite(found[0]).all() and abs(found[0]).max() > 0.1
print("equal" if numpy.array_equal(*found) else f"differs by {abs(found[0] - found[1]).max()}")
"""


def compared(model: Path, out: Path) -> str:
    """What a run of both models in ONNX Runtime says, outside of gopt."""
    argv = [sys.executable, "-c", COMPARE, str(model), str(out), str(SIDE)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def digest(folder: Path) -> dict[str, str]:
    """The files of an output that are not hidden."""
    files = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    return {p.name: hashlib.file_digest(p.open("rb"), "blake2b").hexdigest() for p in files}


def alive(marker: str) -> list[int]:
    """Processes that have the marker in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def kill_runs(model: Path, out: Path, seconds: float, times: int) -> int:
    """End runs at random moments; prints what is left each time, returns the number of faults."""
    rng, faults, landed = random.Random(7), 0, 0
    new = digest(out.parent)
    scratch = out.parent.with_name("scratch")
    scratch.mkdir()
    old = restored(model, out)
    assert old != new
    while landed < times:
        kind, moment = KINDS[landed % len(KINDS)], rng.uniform(0.02, 1.0) * seconds
        wrong, status, hidden = killed(run_command(model, out, "-q"), kind, moment, scratch, out)
        now = digest(out.parent)
        if now not in (old, new) or (status == 0 and now == old):
            wrong.append("the output is another, and not")
        if status == 0:  # too late: the next one comes earlier
            seconds = max(moment, 1.0)
        else:
            landed += 1
        left = sum(p.stat().st_size for p in hidden) / 1e9
        state = "had finished" if status == 0 else f"status {status}, {left:.2f} GB hidden"
        which = "the new one" if now == new else "the old one"
        print(f"    {kind.name:8} after {moment:5.2f} s: {'; '.join(wrong) or which} whole ({state})", flush=True)
        faults += bool(wrong)
        for path in hidden:  # what is new might be a running process's; the next run removes what is older
            os.utime(path, (time.time() - 60,) * 2, follow_symlinks=False)
        if now != old:
            old = restored(model, out)
    subprocess.run(run_command(model, out, "-q"), check=True)
    if sorted(p.name for p in out.parent.iterdir()) != sorted(new) or digest(out.parent) != new:
        print(f"    at the end there are {sorted(p.name for p in out.parent.iterdir())}")
        faults += 1
    return faults


KINDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def restored(model: Path, out: Path) -> dict[str, str]:
    """Make the old output, which is another than that of the runs that are killed."""
    subprocess.run(run_command(model, out, "-q", "--no-verify", "--passes", "clean.dead"), check=True)
    return digest(out.parent)


def killed(
    command: Sequence[str], kind: signal.Signals, moment: float, scratch: Path, out: Path
) -> tuple[list[str], int, list[Path]]:
    """Run a command and end it; gives what it left that it should not, its status, and hidden files at the output."""
    marker = f"GOPT_BENCH_KILL={os.getpid()}.{moment}"
    environment = os.environ | {"TMPDIR": str(scratch)} | dict([marker.split("=")])
    before = set(out.parent.iterdir())  # what a run left that was killed; the next goes over it, if it lives so long
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    time.sleep(moment)
    process.send_signal(kind)
    process.wait(60)
    deadline = time.monotonic() + _LEFT
    while (alive(marker) or any(scratch.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)
    hidden = [p for p in out.parent.iterdir() if p.name.startswith(".")]
    wrong = [f"processes {alive(marker)}"] if alive(marker) else []
    wrong += [f"temporary files {[p.name for p in scratch.iterdir()]}"] if any(scratch.iterdir()) else []
    if kind is not signal.SIGKILL and set(hidden) - before:
        wrong.append(f"hidden files {[p.name for p in set(hidden) - before]}")
    return wrong, process.returncode, hidden


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so do theirs
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.3)
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="then end N runs at random moments")
    parser.add_argument("--folder", type=Path, help="where the files are made; they take five times the gigabytes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path, out = Path(folder, "large.onnx"), Path(folder, "out", "large.onnx")
        out.parent.mkdir()
        print(f"weights {make(path, args.gigabytes) / 1e9:.3f} GB")
        report("--no-verify", watch(run_command(path, out, "--no-verify")), out)
        found = watch(run_command(path, out, "--json"))
        report("verified", found, out)
        print(f"    says {json.loads(found.output)['verification']['status']}; outside of it: {compared(path, out)}")
        faults = kill_runs(path, out, found.seconds, args.kills)
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
