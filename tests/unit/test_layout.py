"""The house rules that a machine can check: which room imports which, who sees protobuf, what a bare start loads.

Each check is a function from source text to complaints, so that the tests below can show that it does complain.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import gopt

ROOT = Path(__file__).resolve().parents[2]

# What each room may import besides itself and the modules of COMMON. Lazy and type-checking imports count as well.
LAYERS = ("ir", "ops", "analysis", "rewrite", "passes", "verify", "testing", "cli")
MAY_IMPORT = {room: set(LAYERS[:place]) for place, room in enumerate(LAYERS)}
MAY_IMPORT["frontends"] = {"ir", "ops", "analysis"}
MAY_IMPORT["backends"] = {"ir", "ops", "analysis", "frontends"}
for _room in ("passes", "verify", "testing", "cli"):
    MAY_IMPORT[_room] |= {"frontends", "backends"}
# Modules beside the rooms: what all may import, and the faces, which see all and which no room imports.
COMMON = {"errors"}
FACES = {"__init__", "__main__", "api"}
SEES_FACES = {"__init__", "__main__", "api", "cli"}

# Where a package may be imported at all (module patterns), whether at the top or inside a function.
_PROTOBUF_ROOMS = (
    "gopt.frontends*",
    "gopt.backends*",
    "gopt.verify*",
    "gopt.ir.printer",
    "gopt.ir.parser",
    "gopt.analysis.*infer*",
    "gopt.ops.reference",
)
CONFINED = {
    "onnx": (*_PROTOBUF_ROOMS, "gopt.testing.backend_cases"),
    "google": _PROTOBUF_ROOMS,
    "onnxruntime": ("gopt.backends*", "gopt.verify*", "gopt.testing*"),
    "onnx_graphsurgeon": ("gopt.frontends*", "gopt.backends*"),
}
# networkx keeps its adjacency here; a second writer would go round the graph's version and listeners.
PRIVATE_ADJACENCY = {"_succ", "_pred"}
ADJACENCY_OWNER = "gopt.ir.adjacency"

HEAVY = ("onnx", "onnxruntime", "google.protobuf", "ml_dtypes", "onnx_graphsurgeon", "torch", "tensorflow")


def modules() -> Iterator[tuple[str, str, bool]]:
    """Dotted name, source and is-a-package of each module of gopt."""
    for path in sorted((ROOT / "gopt").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield ".".join(parts[:-1] if is_package else parts), path.read_text(encoding="utf-8"), is_package


def imports(module: str, source: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of all that a module imports, wherever the statement stands."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from gopt import ops` names a module, `from gopt.ir import Graph` does not: the longer name covers both.
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node)):
            yield node.lineno, name


def _imported_by_call(call: ast.Call) -> str | None:
    """The literal name in `import_module("a.b")` or `__import__("a.b")`."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if function in {"import_module", "__import__"} and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return None


def direction_complaints(module: str, source: str, is_package: bool = False) -> list[str]:
    """Imports against the stream."""
    room = _room(module)
    if room not in MAY_IMPORT and room not in COMMON | FACES:
        return [f"{module}: the room {room!r} is not in the table of tests/unit/test_layout.py"]
    complaints = []
    for line, name in imports(module, source, is_package):
        if name.split(".")[0] != "gopt":
            continue
        target = _room(name)
        if target not in MAY_IMPORT and target not in COMMON:
            target = target if target in FACES else "__init__"  # `from gopt import P`
        allowed = {room} | COMMON | MAY_IMPORT.get(room, set())
        if room in SEES_FACES:
            allowed |= FACES
        if room in FACES:
            allowed |= MAY_IMPORT.keys()
        if target not in allowed:
            complaints.append(f"{module}:{line}: {room} imports {name}")
    return complaints


def confinement_complaints(module: str, source: str, is_package: bool = False) -> list[str]:
    """Packages imported outside the rooms that they are confined to."""
    return [
        f"{module}:{line}: imports {name}"
        for line, name in imports(module, source, is_package)
        if (patterns := CONFINED.get(name.split(".")[0])) and not any(fnmatchcase(module, p) for p in patterns)
    ]


def adjacency_complaints(module: str, source: str) -> list[str]:
    """Uses of networkx's private adjacency outside the graph's own file, by attribute or by name in a string."""
    if module == ADJACENCY_OWNER:
        return []
    return [
        f"{module}:{node.lineno}: touches the private adjacency of networkx"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in PRIVATE_ADJACENCY)
        or (isinstance(node, ast.Constant) and node.value in PRIVATE_ADJACENCY)
    ]


def heavy_modules_after(code: str) -> list[str]:
    """Which heavy packages a fresh interpreter has loaded once it ran `code`."""
    report = f"\nimport sys\nsys.stderr.write('LOADED ' + ' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("LOADED ")[2].split()


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


# The house as it stands.


def test_imports_run_one_way() -> None:
    assert [c for module in modules() for c in direction_complaints(*module)] == []


def test_protobuf_and_runtimes_stay_in_their_rooms() -> None:
    assert [c for module in modules() for c in confinement_complaints(*module)] == []


def test_private_adjacency_has_one_owner() -> None:
    assert [c for name, source, _ in modules() for c in adjacency_complaints(name, source)] == []


def test_import_gopt_is_light() -> None:
    assert heavy_modules_after("import gopt") == []


def test_help_is_light() -> None:
    as_typed = "import sys\nfrom gopt.cli import main\nsys.argv = ['gopt', '--help']\n"
    assert heavy_modules_after(as_typed + "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code") == []


def test_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert gopt.__version__ == project["version"]


# The checks do complain.


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gopt.ir.graph", "from gopt.ops import view"),
        ("gopt.ir.graph", "from ..rewrite.driver import run"),
        ("gopt.ir.graph", "from .. import passes"),
        ("gopt.ops.conv", "def f():\n    import gopt.analysis.shape"),
        ("gopt.analysis.cost", "if TYPE_CHECKING:\n    from gopt.rewrite import Driver"),
        ("gopt.rewrite.driver", "import importlib\nimportlib.import_module('gopt.passes.fold')"),
        ("gopt.rewrite.driver", "from gopt.frontends.onnx import load"),
        ("gopt.passes.fold.constants", "from gopt.verify import compare"),
        ("gopt.verify.child", "from gopt.cli.run import run"),
        ("gopt.frontends.onnx", "from gopt.passes import registry"),
        ("gopt.frontends.onnx", "from gopt.rewrite import rule"),
        ("gopt.backends.onnx", "from gopt import passes"),
        ("gopt.passes.fuse.conv", "from gopt import P"),
        ("gopt.passes.fuse.conv", "import gopt"),
        ("gopt.errors", "from gopt.ir import Graph"),
        ("gopt.attic.thing", ""),
    ],
)
def test_an_import_against_the_stream_is_seen(module: str, source: str) -> None:
    assert len(direction_complaints(module, source)) == 1


def test_relative_imports_of_a_package_start_at_the_package() -> None:
    assert direction_complaints("gopt.ir", "from .graph import Graph", is_package=True) == []
    assert len(direction_complaints("gopt.ir", "from ..ops import view", is_package=True)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gopt.ops.view", "from gopt.ir import Graph\nfrom ..errors import ModelError"),
        ("gopt.passes.fold.constants", "from gopt.rewrite import rule\nfrom gopt.backends.onnx import node_proto"),
        ("gopt.cli.run", "import gopt\nfrom gopt import load"),
        ("gopt.errors", "import enum"),
        ("gopt.api", "from gopt.passes import run"),
    ],
)
def test_imports_with_the_stream_are_fine(module: str, source: str) -> None:
    assert direction_complaints(module, source) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gopt.ir.graph", "import onnx"),
        ("gopt.passes.fold.constants", "def f():\n    from onnx import helper"),
        ("gopt.rewrite.driver", "from google.protobuf import message"),
        ("gopt.frontends.onnx", "import onnxruntime as ort"),
        ("gopt.cli.run", "import onnx_graphsurgeon as gs"),
    ],
)
def test_a_package_outside_its_rooms_is_seen(module: str, source: str) -> None:
    assert len(confinement_complaints(module, source)) == 1


def test_gopts_own_onnx_modules_are_not_the_package() -> None:
    assert confinement_complaints("gopt.cli.run", "from gopt.frontends.onnx import load\nfrom . import onnx") == []


@pytest.mark.parametrize("source", ["g._succ[n]", "x = g.nx._pred", "getattr(g, '_succ')"])
def test_a_touch_of_private_adjacency_is_seen(source: str) -> None:
    assert len(adjacency_complaints("gopt.rewrite.driver", source)) == 1
    assert adjacency_complaints(ADJACENCY_OWNER, source) == []


def test_a_heavy_start_is_seen() -> None:
    assert "onnx" in heavy_modules_after("import onnx.helper")
