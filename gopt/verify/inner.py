"""What a model computes on its way. Used by the worker process only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compare import Comparison
from .sessions import Session, Unverified, brief, seeded

if TYPE_CHECKING:
    from .original import Original, Run

Values = dict[str, Any]


class Inside:
    """A model file that is loaded with other outputs than it declares.

    Attributes:
        model: the protobuf model.
        values: names of what the nodes of the main graph compute, and of initializers.
    """

    def __init__(self, path: Path, random: list[str]) -> None:
        import onnx

        self._folder = path.resolve().parent
        self.model: Any = (
            onnx.ModelProto.FromString(seeded(path, random)) if random else onnx.load(path, load_external_data=False)
        )
        graph = self.model.graph
        self.values = dict.fromkeys(name for node in graph.node for name in node.output if name)
        self.values.update(dict.fromkeys(tensor.name for tensor in graph.initializer))

    def session(self, outputs: Iterable[str]) -> Session:
        """The model with these outputs only; their types are for ONNX Runtime to find.

        Raises:
            Exception: whatever ONNX Runtime complains of.
        """
        graph = self.model.graph
        del graph.output[:]
        for name in outputs:
            graph.output.add().name = name
        return Session(self.model.SerializeToString(), self._folder)

    def shapes(self, names: Sequence[str]) -> tuple[Session, list[str]]:
        """The model with the shapes of tensors as outputs, and these outputs' names in the same order.

        Raises:
            Exception: whatever ONNX Runtime complains of.
        """
        graph = self.model.graph
        count = len(graph.node)
        taken = set(self.values) | {value.name for value in graph.input}
        made = []
        for number, name in enumerate(names):
            result = f"shape of {name}"
            while result in taken:
                result += f" ({number})"
            taken.add(result)
            made.append(result)
            node = graph.node.add()
            node.op_type = "Shape"
            node.input.append(name)
            node.output.append(result)
        try:
            return self.session(made), made
        finally:
            del graph.node[count:]


def look_inside(
    original: Original, session: Session, seconds: float, keep: Callable[[Values], Values], found: Comparison
) -> list[Values]:
    """For a candidate that has another interface: what the original computes of its outputs, for each run.

    What it takes and gives that is neither input nor output of the original is noted in the runs.

    Raises:
        Unverified: the original does not compute what the candidate takes, or nothing of what it gives.
    """
    known = {**original.kinds, **original.runs[0].expected}
    new = [name for name in dict.fromkeys((*session.outputs, *session.inputs)) if name not in known]
    try:
        inside = Inside(original.path, original.random) if new else None
        asked = [] if inside is None else [name for name in new if name in inside.values]
        if inside is not None and asked:
            reader = inside.session(asked)
            for run in original.runs:
                run.inner = keep(reader.run(original.feed(run.case, run.seed), seconds))
    except Exception as error:
        names = ", ".join(map(repr, new))
        raise Unverified(f"the original does not run with {names} as outputs: {brief(error)}") from error
    inner = original.runs[0].inner
    for name in new:
        if name not in inner and name in session.inputs:
            raise Unverified(f"the original computes no {name!r}, which the result takes")
        if name not in inner:
            found.notes.append(f"output {name!r} was not compared: the original computes nothing of that name")
    references = [_reference(run, session) for run in original.runs]
    if not references[0]:
        raise Unverified("the original computes none of the result's outputs")
    return references


def _reference(run: Run, session: Session) -> Values:
    values = {**run.expected, **run.inner}
    return {name: values[name] for name in session.outputs if name in values}
