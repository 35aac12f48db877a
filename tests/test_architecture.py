"""The house: who may import whom, who alone uses which library, how large things may grow, what may not stand in them.

A rule is a function from the modules of a tree to its problems. Each is proven twice: the package keeps it, and
a small made-up tree that breaks it is caught. A room that does not exist yet is simply absent; a new one must be given
its rank.
"""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up: a room imports only from rows listed before its own; rooms in one row never import each other.
RANKS = (
    ("errors",),
    ("store", "theme"),
    ("contracts",),
    ("parameters",),
    ("metrics",),
    ("sources", "snapshots", "results", "extracts", "figures", "tables", "workbooks", "sentences"),
    ("known", "intake", "workers", "kernel", "sections", "batch"),
    ("archive",),
    ("report",),
    ("render", "engine", "site", "demo"),
    ("runner",),
    ("audit",),
    ("cli",),
)
RANK = {room: rank for rank, row in enumerate(RANKS) for room in row}

SOLE_USERS = {
    "click": {"cli"},
    "cryptography": {"archive"},
    "fsspec": {"store"},
    "holidays": {"metrics"},
    "jpype": {"sources"},
    "mpxj": {"sources"},
    "nbconvert": {"render"},
    "networkx": {"metrics"},
    "openpyxl": {"workbooks"},
    "packaging": {"audit"},
    "pandera": {"contracts"},
    "papermill": {"runner", "engine"},
    "plotly": {"figures", "theme", "render"},
    "pydantic": {"parameters"},
    "pydantic_core": {"parameters"},
    "python_calamine": {"sources"},
    "rich": {"cli"},
    "rocrate": {"audit"},
    "ruamel": {"parameters"},
    "scipy": {"metrics"},
    "scrapbook": {"results"},
    "sqlalchemy": {"sources"},
    "xlsxwriter": {"workbooks"},
}
# What a pure function has no use for.
NOT_IN_METRICS = frozenset(
    ("IPython", "glob", "io", "os", "pathlib", "plotly", "shutil", "socket", "subprocess", "tempfile", "time", "urllib")
)
# Wall-clock time goes into run records and progress lines; nothing that a page holds may depend on it.
CLOCK_ROOMS = {"archive", "audit", "batch", "cli", "engine", "runner", "workers"}
SEEDED = {"BitGenerator", "Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "SeedSequence", "default_rng"}
DRAWERS = {"common", "helper", "helpers", "misc", "shared", "stuff", "util", "utils"}

MODULE_LINES = 400
BODY_LINES = 50
MEDIAN_BODY_LINES = 8
PARAMETERS = 5
# Decorators whose library decides what the function is called with.
FOREIGN_DECORATORS = {"command", "field_serializer", "field_validator", "group", "model_validator"}
# Functions that take more than one argument by position, and why.
BY_POSITION = {
    "contracts.parts.choice": "a row of a contract reads as a row",
    "contracts.parts.column": "a row of a contract reads as a row",
    "contracts.parts.rated": "a row of a contract reads as a row",
    "contracts.parts.table": "a row of a contract reads as a row",
    "contracts.parts.three_point": "a row of a contract reads as a row",
    "engine._execute_managed": "papermill calls it",
    "engine.execute_notebook": "papermill calls it",
    "engine.nb_kernel_name": "papermill calls it",
    "engine.nb_language": "papermill calls it",
    "kernel.send": "IPython calls it",
    "errors._rebuild": "pickle calls it",
    "sources.markup.begin": "the parser calls it",
    "render.gate.handle_starttag": "the parser calls it",
    "render.headings.heading": "mistune calls it",
    "report.begin": "in a notebook, a report and its organisation read as one phrase",
    "report.show": "in a notebook, an exhibit and its table read as one phrase",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Problems = Iterator[str]


@dataclass(frozen=True)
class Module:
    """One module of the package, by its name inside it: ``contracts.tables``, ``contracts``, or nothing for the top."""

    name: str
    path: Path
    text: str

    @property
    def room(self) -> str:
        """Room that the module belongs to."""
        return self.name.split(".")[0]

    @property
    def package(self) -> bool:
        """Whether it is an ``__init__``."""
        return self.path.name == "__init__.py"

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def functions(self) -> list[Function]:
        """All its functions, methods and inner functions."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def inner(self) -> set[Function]:
        """Functions inside functions."""
        within = ((outer, node) for outer in self.functions for node in ast.walk(outer))
        return {node for outer, node in within if isinstance(node, Function) and node is not outer}

    @cached_property
    def code(self) -> set[int]:
        """Numbers of its code lines: not blank, no comment, no docstring."""
        silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines = self.text.splitlines()
        told = {
            number
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline)
            if token.type not in silent
            for number in range(token.start[0], token.end[0] + 1)
            if lines[number - 1].strip()
        }
        return told - self._docstring_lines()

    def _docstring_lines(self) -> set[int]:
        owners = (node for node in ast.walk(self.tree) if isinstance(node, ast.Module | ast.ClassDef | Function))
        first = (node.body[0] for node in owners if node.body and ast.get_docstring(node, clean=False) is not None)
        return {number for node in first for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}

    def at(self, node: ast.AST | int) -> str:
        """Where a problem is."""
        return f"{self.name or '__init__'}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"


def read(package: Path) -> list[Module]:
    """Return every module under a package's folder, in order of their paths."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        modules.append(Module(name, path, path.read_text(encoding="utf-8")))
    return modules


def imports(module: Module) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and imported name ("" for ``import x``) of every import, also of those inside functions."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, base, alias.name) for alias in node.names)


def own_imports(module: Module, modules: list[Module]) -> Iterator[tuple[int, str]]:
    """Yield line and target, named as in Module.name, of every import from the package itself, each once."""
    names = {each.name for each in modules}
    found: dict[tuple[int, str], None] = {}
    for line, base, name in imports(module):
        if base.split(".")[0] == "pmo_lib":
            inner = f"{base}.{name}".partition(".")[2]
            found[line, inner if name and inner in names else base.partition(".")[2]] = None
    yield from found


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the dotted name of what is called."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def public(module: Module) -> Iterator[tuple[ast.ClassDef | Function, str]]:
    """Yield public classes, functions and methods with their names."""

    def inside(body: list[ast.stmt], prefix: str) -> Iterator[tuple[ast.ClassDef | Function, str]]:
        for node in body:
            if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
                yield node, prefix + node.name
                if isinstance(node, ast.ClassDef):
                    yield from inside(node.body, f"{prefix}{node.name}.")

    yield from inside(module.tree.body, "")


def taken(function: Function) -> tuple[list[ast.arg], list[ast.arg]]:
    """Return the parameters that may be given by position, without self or cls, and all of them."""
    named = [*function.args.posonlyargs, *function.args.args]
    by_position = named[1:] if named and named[0].arg in ("self", "cls") else named
    rest = [each for each in (function.args.vararg, *function.args.kwonlyargs, function.args.kwarg) if each]
    return by_position, [*by_position, *rest]


# --- the rules ------------------------------------------------------------------------------------------------


def every_room_has_a_rank(modules: list[Module]) -> Problems:
    """A room that is not in RANKS is unknown."""
    for module in modules:
        if module.name and module.room not in RANK:
            yield f"{module.at(1)} is in an unknown room: name its rank in RANKS"


def imports_point_down(modules: list[Module]) -> Problems:
    """A room imports only from rows below its own, never from a peer."""
    for module in modules:
        for line, target in own_imports(module, modules):
            room = target.split(".")[0]
            if room == module.room or room not in RANK or module.room not in RANK:
                continue
            if RANK[room] >= RANK[module.room]:
                kind = "its peer" if RANK[room] == RANK[module.room] else "above it"
                yield f"{module.at(line)} imports {target}, {kind}"


def packages_keep_their_order(modules: list[Module]) -> Problems:
    """Inside a room's package, modules import only what its docstring states before them: ``a`` < ``b``, ``c``."""
    for room in (each for each in modules if each.package and each.name):
        order = stated_order(ast.get_docstring(room.tree) or "")
        if not order:
            continue
        others = next((rank for rank, names in enumerate(order) if not names), None)
        places = {name: rank for rank, names in enumerate(order) for name in names}
        for module in (each for each in modules if each.name.startswith(f"{room.name}.")):
            part = module.name.split(".")[1]
            place = places.get(part, others)
            if place is None:
                yield f"{module.at(1)} has no place in the order stated by {room.name}/__init__.py"
                continue
            for line, target in own_imports(module, modules):
                near, _, other = target.partition(".")
                other = other.split(".")[0]
                if near == room.name and other not in ("", part) and places.get(other, others or 0) >= place:
                    yield f"{module.at(line)} imports {target}, which does not come before it"


def stated_order(docstring: str) -> list[set[str]]:
    """Return the groups of module names in an ``Inside: …`` paragraph; an empty group stands for all others."""
    found = re.search(r"\bInside\b[^:]*:(.*?)(?:\n\s*\n|\Z)", docstring, re.DOTALL)
    if not found:
        return []
    groups = re.sub(r"\([^)]*\)", "", found[1]).split("<")
    return [set(re.findall(r"``(\w+)``", group)) for group in groups]


def no_import_cycles(modules: list[Module]) -> Problems:
    """No module imports itself through others."""
    edges = {module.name: {target for _, target in own_imports(module, modules)} for module in modules}
    for start, near in edges.items():
        reached, ahead = set[str](), near
        while ahead:
            reached |= ahead
            ahead = {far for name in ahead for far in edges.get(name, ())} - reached
        if start in reached:
            yield f"{start} imports itself through {sorted(name for name in reached if name in edges)}"


def nothing_imports_the_front_door(modules: list[Module]) -> Problems:
    """Nothing imports ``pmo_lib`` itself, nor its own package's ``__init__``, nor by a relative path."""
    for module in modules:
        for line, base, name in imports(module):
            if base == "pmo_lib" or base.startswith("."):
                yield f"{module.at(line)} imports from {base!r}: name the module in full"
            elif not module.package and base == f"pmo_lib.{module.room}" and name not in _submodules(module, modules):
                yield f"{module.at(line)} imports {name} from its own package's __init__"


def _submodules(module: Module, modules: list[Module]) -> set[str]:
    return {each.name.split(".")[1] for each in modules if each.name.startswith(f"{module.room}.")}


def libraries_have_one_user(modules: list[Module]) -> Problems:
    """A library that one room stands for is imported nowhere else."""
    for module in modules:
        for line, base, _ in imports(module):
            users = SOLE_USERS.get(base.split(".")[0])
            if users is not None and module.room not in users:
                yield f"{module.at(line)} imports {base}, which only {', '.join(sorted(users))} may use"


def metrics_are_pure(modules: list[Module]) -> Problems:
    """Metrics know no figure, file, process or network."""
    for module in (each for each in modules if each.room == "metrics"):
        for line, base, _ in imports(module):
            if base.split(".")[0] in NOT_IN_METRICS:
                yield f"{module.at(line)} imports {base} into metrics"
        for call, name in calls(module):
            if name == "open" or re.search(r"\.(read|to)_(csv|excel|parquet|json|sql|pickle)$", name):
                yield f"{module.at(call)} calls {name} in metrics"


def clocks_stay_outside(modules: list[Module]) -> Problems:
    """Only the rooms that run and record reports look at a clock."""
    for module in (each for each in modules if each.room not in CLOCK_ROOMS):
        for line, base, _ in imports(module):
            if base == "time":
                yield f"{module.at(line)} imports time"
        for call, name in calls(module):
            clock = re.search(r"(^|\.)(datetime|date|dt|Timestamp)\.(now|utcnow|today)$", name)
            told = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            if clock or (told in ("now", "today") and re.search(r"(Timestamp|to_datetime|datetime64)$", name)):
                yield f"{module.at(call)} calls {ast.unparse(call)}"


def randomness_is_seeded(modules: list[Module]) -> Problems:
    """Every random number follows from a seed that is passed in."""
    for module in modules:
        for line, base, name in imports(module):
            if base == "secrets" or (base, name) in {("uuid", "uuid1"), ("uuid", "uuid4"), ("os", "urandom")}:
                yield f"{module.at(line)} imports {name or base}"
            elif base == "random" and name not in ("", "Random"):
                yield f"{module.at(line)} imports random.{name}"
        for call, name in calls(module):
            if _unseeded(name, given=[*call.args, *(word.value for word in call.keywords)], words=call.keywords):
                yield f"{module.at(call)} calls {name} without a seed"


def _unseeded(name: str, *, given: list[ast.expr], words: list[ast.keyword]) -> bool:
    owner, _, last = name.rpartition(".")
    nothing = not given or (isinstance(given[0], ast.Constant) and given[0].value is None)
    if name in ("uuid.uuid1", "uuid.uuid4", "os.urandom"):
        return True
    if owner == "random" and last != "Random":
        return True
    if owner in ("np.random", "numpy.random") and last not in SEEDED:
        return True
    if last == "sample" and owner:
        return not any(word.arg == "random_state" for word in words)
    return nothing and (last in SEEDED - {"BitGenerator", "Generator"} or name in ("Random", "random.Random"))


def modules_fit_a_budget(modules: list[Module]) -> Problems:
    """No module has more code lines than MODULE_LINES."""
    for module in modules:
        if len(module.code) > MODULE_LINES:
            yield f"{module.at(1)} has {len(module.code)} code lines, above {MODULE_LINES}: split it by responsibility"


def body_lines(module: Module, function: Function) -> int:
    """Code lines of a function's body, without its docstring."""
    return sum(function.body[0].lineno <= number <= (function.end_lineno or 0) for number in module.code)


def functions_fit_a_budget(modules: list[Module]) -> Problems:
    """No function body has more code lines than BODY_LINES."""
    for module in modules:
        for function in module.functions:
            if (size := body_lines(module, function)) > BODY_LINES:
                yield f"{module.at(function)} {function.name} has {size} lines, above {BODY_LINES}"


def functions_are_mostly_small(modules: list[Module]) -> Problems:
    """The median function body of the whole package is at most MEDIAN_BODY_LINES."""
    sizes = [body_lines(module, function) for module in modules for function in module.functions]
    if sizes and (median := statistics.median(sizes)) > MEDIAN_BODY_LINES:
        yield f"the median of {len(sizes)} function bodies is {median} lines, above {MEDIAN_BODY_LINES}"


def parameters_are_few(modules: list[Module]) -> Problems:
    """A function takes at most PARAMETERS, by keyword after the first.

    A command's parameters are its options; an inner function is called back in the way of whoever calls it.
    """
    for module in modules:
        for function in module.functions:
            if _decorators(function) & FOREIGN_DECORATORS:
                continue
            by_position, all_of_them = taken(function)
            if len(all_of_them) > PARAMETERS:
                yield f"{module.at(function)} {function.name} takes {len(all_of_them)} parameters, above {PARAMETERS}"
            free = function in module.inner or f"{module.name}.{function.name}" in BY_POSITION
            dunder = function.name.startswith("__") and function.name != "__init__"
            if len(by_position) > 1 and not free and not dunder:
                second = by_position[1].arg
                yield f"{module.at(function)} {function.name} takes {second} by position: put * after the first"


def _decorators(function: Function) -> set[str]:
    names = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    return {ast.unparse(name).rpartition(".")[2] for name in names}


def only_the_cli_prints(modules: list[Module]) -> Problems:
    """``print`` stands in cli alone."""
    for module in (each for each in modules if each.room != "cli"):
        for call, name in calls(module):
            if name in ("print", "pprint", "pprint.pprint", "sys.stdout.write", "sys.stderr.write"):
                yield f"{module.at(call)} calls {name} outside cli"


def no_bare_except(modules: list[Module]) -> Problems:
    """Every ``except`` names what it catches."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield f"{module.at(node)} has a bare except"


def no_mutable_defaults(modules: list[Module]) -> Problems:
    """No default of a parameter can be changed by a call."""
    literals = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    makers = {"list", "dict", "set", "bytearray", "defaultdict", "collections.defaultdict", "pd.DataFrame", "pd.Series"}
    for module in modules:
        for function in module.functions:
            for default in filter(None, (*function.args.defaults, *function.args.kw_defaults)):
                made = isinstance(default, ast.Call) and ast.unparse(default.func) in makers
                if made or isinstance(default, literals):
                    yield f"{module.at(default)} {function.name} has the mutable default {ast.unparse(default)}"


def no_notes_to_self(modules: list[Module]) -> Problems:
    """Nothing is left to be done in a comment or a stub."""
    for module in modules:
        for number, line in enumerate(module.text.splitlines(), 1):
            if found := re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", line):
                yield f"{module.at(number)} says {found[0]}"


def no_drawers(modules: list[Module]) -> Problems:
    """A drawer for what has no place means that a room is missing."""
    for module in modules:
        if drawer := set(module.name.split(".")) & DRAWERS:
            yield f"{module.at(1)} is a drawer ({drawer.pop()}): which room is missing?"


def everything_is_annotated(modules: list[Module]) -> Problems:
    """Every parameter and every result has a type."""
    for module in modules:
        for function in module.functions:
            bare = [each.arg for each in taken(function)[1] if each.annotation is None]
            if bare or function.returns is None:
                missing = ", ".join([*bare, *(["its result"] if function.returns is None else [])])
                yield f"{module.at(function)} {function.name} lacks the type of {missing}"


def everything_public_is_documented(modules: list[Module]) -> Problems:
    """Every public module, class, function and method has a docstring."""
    for module in modules:
        if not ast.get_docstring(module.tree):
            yield f"{module.at(1)} has no docstring"
        for node, name in public(module):
            if not ast.get_docstring(node):
                yield f"{module.at(node)} {name} has no docstring"


def tables_are_named(modules: list[Module]) -> Problems:
    """Tables are plural nouns, never ``df``."""
    for module in modules:
        for node in ast.walk(module.tree):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if re.fullmatch(r"(.*_)?df\d*", name):
                yield f"{module.at(node)} names a table {name}"


Rule = Callable[[list[Module]], Problems]
RULES: tuple[Rule, ...] = (
    every_room_has_a_rank,
    imports_point_down,
    packages_keep_their_order,
    no_import_cycles,
    nothing_imports_the_front_door,
    libraries_have_one_user,
    metrics_are_pure,
    clocks_stay_outside,
    randomness_is_seeded,
    modules_fit_a_budget,
    functions_fit_a_budget,
    functions_are_mostly_small,
    parameters_are_few,
    only_the_cli_prints,
    no_bare_except,
    no_mutable_defaults,
    no_notes_to_self,
    no_drawers,
    everything_is_annotated,
    everything_public_is_documented,
    tables_are_named,
)


# --- the package ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house() -> list[Module]:
    """All modules of the package."""
    return read(ROOT / "pmo_lib")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule, house: list[Module]) -> None:
    """The package keeps every rule of the house."""
    problems = list(rule(house))
    assert not problems, "\n".join([rule.__doc__ or "", *problems])


def test_the_package_was_read(house: list[Module]) -> None:
    """The rules speak of the real package: its ground floor is among the modules that were read."""
    assert {"errors", "theme", "store", "contracts", "parameters"} <= {module.room for module in house}
    assert sum(len(module.code) for module in house) > 500


def test_every_exception_is_still_needed(house: list[Module]) -> None:
    """An exception from the rule on positions is taken back once its function is gone from a room that exists."""
    functions = {f"{module.name}.{function.name}" for module in house for function in module.functions}
    present = {module.name for module in house}
    assert not [name for name in BY_POSITION if name.rpartition(".")[0] in present and name not in functions]


def untold(path: Path) -> list[str]:
    """Return the tests of a file whose docstring does not open with a sentence."""
    tests = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function))
    return [
        f"{path.name}:{node.lineno} {node.name}"
        for node in tests
        if node.name.startswith("test_") and not re.match(r"[^\n]{20,}", ast.get_docstring(node) or "")
    ]


def test_every_test_tells_its_rule() -> None:
    """Every test opens with the rule that it proves."""
    assert not [each for path in sorted((ROOT / "tests").glob("test_*.py")) for each in untold(path)]


# --- the check of the check -----------------------------------------------------------------------------------


def planted(folder: Path, files: dict[str, str]) -> list[Module]:
    """Write a made-up package into a folder and read it as the real one is read."""
    for name, text in files.items():
        path = folder / "pmo_lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return read(folder / "pmo_lib")


def _long_function(lines: int, *, name: str = "long") -> str:
    return f"def {name}() -> None:\n" + "    x = 1\n" * lines + "\n"


# Rule, made-up tree that breaks it, words of each problem that must be found.
BROKEN: tuple[tuple[Rule, dict[str, str], list[str]], ...] = (
    (every_room_has_a_rank, {"attic.py": ""}, ["attic:1 is in an unknown room"]),
    (every_room_has_a_rank, {"attic/boxes.py": ""}, ["attic.boxes:1 is in an unknown room"]),
    (imports_point_down, {"errors.py": "from pmo_lib.store import put"}, ["imports store, above it"]),
    (imports_point_down, {"store.py": "import pmo_lib.theme"}, ["imports theme, its peer"]),
    (
        imports_point_down,
        {"sources/files.py": "def f():\n    from pmo_lib.tables.html import x", "tables/html.py": ""},
        ["sources.files:2 imports tables.html, its peer"],
    ),
    (imports_point_down, {"sentences/risk.py": "from pmo_lib.figures import risk"}, ["imports figures, its peer"]),
    (
        packages_keep_their_order,
        {
            "metrics/__init__.py": '"""M.\n\nInside: ``trend`` (of ``risk``) < ``risk``, ``cost``\n< ``health``.\n"""',
            "metrics/cost.py": "from pmo_lib.metrics.risk import x, z\nfrom pmo_lib.metrics.trend import y",
            "metrics/health.py": "from pmo_lib.metrics import cost",
            "metrics/quality.py": "",
            "metrics/risk.py": "",
            "metrics/trend.py": "from pmo_lib.metrics.health import x",
        },
        ["cost:1 imports metrics.risk", "quality:1 has no place", "trend:1 imports metrics.health"],
    ),
    (
        packages_keep_their_order,
        {
            "tables/__init__.py": '"""Tables.\n\nInside: ``html`` < one module per subject.\n"""',
            "tables/cost.py": "from pmo_lib.tables.html import x\nfrom pmo_lib.tables.risk import y",
            "tables/html.py": "",
            "tables/risk.py": "",
        },
        ["tables.cost:2 imports tables.risk"],
    ),
    (
        no_import_cycles,
        {"intake/a.py": "from pmo_lib.intake import b", "intake/b.py": "from pmo_lib.intake.a import x"},
        ["intake.a imports itself", "intake.b imports itself"],
    ),
    (nothing_imports_the_front_door, {"cli.py": "import pmo_lib"}, ["cli:1 imports from 'pmo_lib'"]),
    (nothing_imports_the_front_door, {"cli.py": "from pmo_lib import theme"}, ["cli:1 imports from 'pmo_lib'"]),
    (nothing_imports_the_front_door, {"cli.py": "from .theme import ink"}, ["cli:1 imports from '.theme'"]),
    (
        nothing_imports_the_front_door,
        {"metrics/__init__.py": "x = 1", "metrics/cost.py": "from pmo_lib.metrics import x"},
        ["imports x from its own package's __init__"],
    ),
    (libraries_have_one_user, {"intake.py": "import pandera.pandas as pa"}, ["pandera.pandas, which only contracts"]),
    (libraries_have_one_user, {"contracts/rules.py": "from ruamel.yaml import YAML"}, ["which only parameters"]),
    *(
        (libraries_have_one_user, {"site.py": f"import {library}"}, [f"site:1 imports {library}"])
        for library in SOLE_USERS
    ),
    *(
        (metrics_are_pure, {"metrics/cost.py": f"def f():\n    import {library}"}, [f"imports {library} into metrics"])
        for library in sorted(NOT_IN_METRICS)
    ),
    (metrics_are_pure, {"metrics/cost.py": "a = open('x')\nb = pd.read_csv('y')"}, ["calls open", "calls pd.read_csv"]),
    (
        clocks_stay_outside,
        {"site.py": "import time\na = datetime.now()\nb = Timestamp.today()\nc = date.today()\nTimestamp('now')"},
        ["imports time", "datetime.now()", "Timestamp.today()", "date.today()", "Timestamp('now')"],
    ),
    (
        randomness_is_seeded,
        {
            "demo.py": """
            import random, secrets
            from random import choice
            from uuid import uuid4
            random.shuffle(x)
            np.random.normal(size=3)
            np.random.default_rng()
            np.random.default_rng(None)
            random.Random()
            projects.sample(3)
            """
        },
        [
            "imports secrets", "imports random.choice", "imports uuid4", "random.shuffle", "np.random.normal",
            "np.random.default_rng", "np.random.default_rng", "random.Random", "projects.sample",
        ],
    ),
    (modules_fit_a_budget, {"site.py": "x = 1\n" * 401}, ["site:1 has 401 code lines"]),
    (functions_fit_a_budget, {"site.py": _long_function(51)}, ["site:1 long has 51 lines"]),
    (
        functions_are_mostly_small,
        {"site.py": "".join(_long_function(9, name=f"f{n}") for n in range(3)) + _long_function(1, name="short")},
        ["the median of 4 function bodies is 9"],
    ),
    (parameters_are_few, {"site.py": "def f(a, *, b, c, d, e, g): ..."}, ["f takes 6 parameters"]),
    (parameters_are_few, {"site.py": "class A:\n    def f(self, a, b): ..."}, ["f takes b by position"]),
    (parameters_are_few, {"site.py": "async def f(a, b=None, *rest, **more): ..."}, ["f takes b by position"]),
    (only_the_cli_prints, {"runner.py": "def f():\n    print('x')"}, ["runner:2 calls print"]),
    (only_the_cli_prints, {"runner.py": "import sys\nsys.stdout.write('x')"}, ["calls sys.stdout.write"]),
    (no_bare_except, {"runner.py": "try:\n    x = 1\nexcept:\n    pass"}, ["runner:3 has a bare except"]),
    (
        no_mutable_defaults,
        {"runner.py": "def f(a=[]): ...\ndef g(*, b={}): ...\nclass A:\n    def h(self, c=set()): ..."},
        ["f has the mutable default []", "g has the mutable default {}", "h has the mutable default set()"],
    ),
    (no_notes_to_self, {"runner.py": "# TODO: later\nx = 1  # FIXME"}, ["runner:1 says TODO", "runner:2 says FIXME"]),
    (no_notes_to_self, {"runner.py": "def f():\n    raise NotImplementedError"}, ["runner:2 says NotImplementedError"]),
    (no_drawers, {"metrics/utils.py": "", "helpers.py": ""}, ["helpers:1 is a drawer", "metrics.utils:1 is a drawer"]),
    (no_drawers, {"common/dates.py": "", "misc.py": ""}, ["common.dates:1 is a drawer", "misc:1 is a drawer"]),
    (
        everything_is_annotated,
        {"site.py": "class A:\n    def f(self, a, *b, c: int, **d) -> None: ...\ndef g(): ..."},
        ["f lacks the type of a, b, d", "g lacks the type of its result"],
    ),
    (
        everything_public_is_documented,
        {"site.py": "class A:\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...\ndef _i(): ..."},
        ["site:1 has no docstring", "A has no docstring", "A.f has no docstring", "h has no docstring"],
    ),
    (tables_are_named, {"site.py": "df = 1\ndef f(risks_df): ..."}, ["a table df", "a table risks_df"]),
)  # fmt: skip


@pytest.mark.parametrize(("rule", "files", "expected"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_break_is_caught(rule: Rule, files: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    """A tree that breaks a rule is caught by it: each break once, and nothing else."""
    problems = list(rule(planted(tmp_path, files)))
    unmatched = [words for words in expected if not any(words in problem for problem in problems)]
    assert not unmatched, problems
    assert len(problems) == len(expected), problems


def test_every_rule_has_a_tree_that_breaks_it() -> None:
    """No rule is trusted unproven."""
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


SOUND = {
    "__init__.py": '"""A package."""\n',
    "errors.py": '"""Errors."""\n\n\nclass PmoError(Exception):\n    """A fact."""\n',
    "metrics/__init__.py": '"""Metrics.\n\nInside: ``cost`` < ``health``.\n"""\n',
    "metrics/cost.py": '''
        """Cost: print(x) in a docstring is no code."""

        import numpy as np

        from pmo_lib.errors import PmoError


        def outlooks(costs: object, *, seed: int, limits: tuple[int, ...] = ()) -> object:
            """Outlooks per project.

            Read with random.random() in mind, and with datetime.now().
            """
            if not limits:
                raise PmoError("no limits")
            return np.random.default_rng(seed).normal(size=3)
        ''',
    "metrics/health.py": '''
        """Health."""

        from pmo_lib.metrics import cost
        from pmo_lib.metrics.cost import outlooks


        class Health:
            """Health of one project."""

            def __init__(self, costs: object) -> None:
                self.costs = costs

            def __setitem__(self, name: str, value: object) -> None:
                self.costs = outlooks(value, seed=len(name)) or cost

            def told(self) -> object:
                """Call back; ``now`` is a column here."""
                column("now", name="now")

                def tell(name: str, value: object) -> object:
                    return between.now(name), value

                return tell
        ''',
    "cli.py": '''
        """The command."""

        from datetime import datetime

        import click

        from pmo_lib.metrics.health import Health


        @click.command()
        def run(a: str, b: str, c: str, d: str, e: str, f: str) -> None:
            """Run it: a command's parameters are its options."""
            print(Health(datetime.now()))
        ''',
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_tree_passes(rule: Rule, tmp_path: Path) -> None:
    """A tree that keeps the rules, and talks of what is forbidden only in its docstrings, has no problem."""
    assert list(rule(planted(tmp_path, SOUND))) == []


def test_code_lines_leave_out_what_is_no_code(tmp_path: Path) -> None:
    """Blank lines, comments and docstrings are no code; a string that is not a docstring is."""
    top = '"""Doc.\n\nMore.\n"""\n\n# note\nx = """a\n\nb"""  # end\n\n\n'
    text = top + 'def f() -> int:\n    """Doc."""\n\n    # why\n    return (\n        1\n    )\n'
    (module,) = planted(tmp_path, {"site.py": text})
    assert sorted(module.code) == [7, 9, 12, 16, 17, 18]
    assert body_lines(module, module.functions[0]) == 3


def test_a_test_without_its_rule_is_caught(tmp_path: Path) -> None:
    """A test without a docstring, or with a word instead of a sentence, is caught."""
    path = tmp_path / "test_x.py"
    path.write_text(
        'def test_a():\n    pass\n\ndef test_b():\n    """B."""\n\ndef test_c():\n    """A rule in one sentence."""\n'
    )
    assert untold(path) == ["test_x.py:1 test_a", "test_x.py:4 test_b"]
