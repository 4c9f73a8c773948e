"""The arrows of the design: who may import whom. Read with `ast`, so that imports inside functions count too.

The rows stand from the top to the bottom of the house. A module sees the rows below its own and nothing else: not its
neighbours, not what is above. Beside that each part of the house has things it never touches.
"""

import ast
import re
from dataclasses import dataclass

ROWS = (
    ("",),
    ("nodes",),
    ("nodes.status", "nodes.routes"),
    ("nodes.image_to_video", "nodes.panel", "nodes.preferences"),
    ("nodes.runtime", "nodes.collecting"),
    ("nodes.orders", "nodes.services", "nodes.worker"),
    ("nodes.stage",),
    ("nodes.node_states",),
    ("nodes.configuration", "nodes.documents", "nodes.events", "nodes.guard", "nodes.packages", "nodes.progress_text"),
    ("nodes.runcomfy.generation", "nodes.runcomfy.status_actions"),
    ("nodes.runcomfy.collect", "nodes.runcomfy.lookup"),
    ("nodes.runcomfy.catalogue.translate",),
    ("nodes.runcomfy.catalogue.wishes", "nodes.runcomfy.catalogue.validation"),
    ("nodes.runcomfy.catalogue.shipped",),
    ("nodes.runcomfy.catalogue.estimate", "nodes.runcomfy.catalogue.extra", "nodes.runcomfy.catalogue.identity"),
    ("nodes.runcomfy.catalogue.spelling", "nodes.runcomfy.catalogue.limits"),
    ("nodes.runcomfy.catalogue.roles",),
    ("nodes.runcomfy.catalogue.schema",),
    ("nodes.runcomfy.catalogue.quirks",),
    ("nodes.runcomfy.pricing", "nodes.runcomfy.waiting"),
    ("nodes.runcomfy.history",),
    ("nodes.runcomfy.client", "nodes.runcomfy.journal", "nodes.runcomfy.download"),
    (
        "nodes.runcomfy.credentials",
        "nodes.runcomfy.database",
        "nodes.runcomfy.exact_url",
        "nodes.runcomfy.joblock",
        "nodes.runcomfy.outcomes",
        "nodes.runcomfy.polling",
        "nodes.runcomfy.retry",
        "nodes.runcomfy.settings",
        "nodes.runcomfy.spending",
    ),
    ("nodes.runcomfy.salvage",),
    ("nodes.runcomfy.rows",),
    (
        "nodes.runcomfy.answers",
        "nodes.runcomfy.jobs",
        "nodes.runcomfy.private_files",
        "nodes.runcomfy.progress",
        "nodes.runcomfy.schema",
        "nodes.runcomfy.stopping",
    ),
    ("nodes.runcomfy.api_errors", "nodes.runcomfy.models"),
    ("nodes.runcomfy.foreign_text",),
    ("nodes.host", "nodes.runcomfy", "nodes.runcomfy.catalogue"),
    ("nodes.errors",),
)
ROW_OF = {module: number for number, row in enumerate(ROWS) for module in row}
ENGINE, MEDIA = "nodes.runcomfy", "nodes.media"
HOST_MODULES = re.compile(r"(comfy(_\w+)?|folder_paths|server|execution)(\.|$)")
ENGINE_NEVER = frozenset({"torch", "numpy", "cv2", "av", "PIL"})
MEDIA_NEVER = frozenset({"requests", "urllib3", "sqlite3", "http", "socket"})
SPENDERS = ("nodes.runcomfy.client", "nodes.runcomfy.generation")


@dataclass(frozen=True)
class Module:
    """A file: its dotted name below the root of the pack (the root's own is empty), and its syntax tree."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def package(self):
        return self.name if self.is_package else self.name.rpartition(".")[0]


def read_modules(root):
    """The modules of a pack, by name."""
    paths = [root / "__init__.py", *sorted((root / "nodes").rglob("*.py"))]
    modules = {}
    for path in paths:
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, is_package, ast.parse(path.read_text(encoding="utf-8")))
    return modules


def wrong_arrows(root):
    """Every breach of the design in a pack, as a sentence; none in a good one."""
    modules = read_modules(root)
    found = []
    for module in modules.values():
        found += [f"{module.name or 'the door'} {breach}" for breach in dict.fromkeys(_breaches(module, modules))]
    return found


def _breaches(module, modules):
    if module.name not in ROW_OF and not _is_in(module.name, MEDIA):
        yield "stands in no row of tests/arrows.py: draw it"
        return
    for target in _relative_imports(module, modules):
        if target is None:
            yield "reaches out of the pack"
        elif not _may_see(module.name, target):
            yield f"sees {target or 'the door'}"
    for name in _absolute_imports(module):
        yield from _wrong_absolute(module.name, name)
    if module.name not in SPENDERS and not _is_in(module.name, MEDIA):
        yield from ("calls submit" for node in ast.walk(module.tree) if _is_attribute(node, "submit"))


def _may_see(source, target):
    if target == "nodes.errors":
        return source != "nodes.errors"
    if _is_in(source, MEDIA):
        return _is_in(target, MEDIA)
    if _is_in(target, MEDIA):
        return ROW_OF.get(source, 0) < ROW_OF["nodes.configuration"]
    if _is_in(source, ENGINE) and not _is_in(target, ENGINE):
        return False
    return source in ROW_OF and target in ROW_OF and ROW_OF[source] < ROW_OF[target]


def _wrong_absolute(source, name):
    top = name.partition(".")[0]
    if top in ("nodes", "sora2pro"):
        yield f"imports {name} by an absolute name"
    if HOST_MODULES.match(name) and source != "nodes.host":
        yield f"knows ComfyUI's {name}"
    if top in ENGINE_NEVER and _is_in(source, ENGINE):
        yield f"imports {name}, which the engine never touches"
    if top in MEDIA_NEVER and _is_in(source, MEDIA):
        yield f"imports {name}, which media never touches"


def _relative_imports(module, modules):
    """The modules of the pack that a module imports; None for one outside."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = module.package.split(".") if module.package else []
        ups = node.level - 1
        if ups > len(base):
            yield None
            continue
        origin = ".".join([*base[: len(base) - ups], *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{origin}.{alias.name}".lstrip(".")
            yield inner if inner in modules else origin


def _absolute_imports(module):
    """The names of all other imports, also of those made by a call."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__", "_module"):
            yield from (argument.value for argument in node.args[:1] if _is_text(argument))
        elif isinstance(node, ast.Subscript) and _is_attribute(node.value, "modules") and _is_text(node.slice):
            yield node.slice.value


def _called(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_attribute(node, name):
    return isinstance(node, ast.Attribute) and node.attr == name


def _is_in(name, package):
    return name == package or name.startswith(f"{package}.")
