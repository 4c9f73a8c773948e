"""The arrows of the design: who may import whom. Read with `ast`, so that imports inside functions count too."""

import ast
import re
from dataclasses import dataclass

# Who may import whom: a part sees what is to the right of the next `>`, never its neighbours and never what is to its left.
PACK = "root > nodes > any_model image_to_video status page > doctor > run > host runcomfy media > environment packages > errors"
INSIDE_THE_ENGINE = (
    "engine > buying actions > collecting > deleting lookup waiting offers pricing archiving examination > "
    "catalogue sentences > api store archive > settings credentials receipts > jobs generation > "
    "confirming clip_urls clip_files picture_urls prompts models files > progress foreign_text"
)
# The engine is seen by its face alone: `nodes.runcomfy` and the words of `nodes.runcomfy.progress`.
FACE = ("nodes.runcomfy", "nodes.runcomfy.progress")
HOST_MODULES = re.compile(r"(comfy(_\w+)?|folder_paths|server|execution)(\.|$)")
NEVER = {
    "nodes.runcomfy": frozenset({"torch", "numpy", "cv2", "av", "PIL"}),
    "nodes.media": frozenset({"requests", "urllib3", "sqlite3", "http", "socket"}),
}
SPENDERS = ("nodes.runcomfy.api.client", "nodes.runcomfy.buying")

ENGINE = "nodes.runcomfy"
_TOPS = {"root": "", "nodes": "nodes"}
ROWS = [[_TOPS.get(name, f"nodes.{name}") for name in row.split()] for row in PACK.split(">")]
INSIDE = [row.split() for row in INSIDE_THE_ENGINE.split(">")]


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
        found += [f"{module.name or 'the root'} {breach}" for breach in dict.fromkeys(_breaches(module, modules))]
    return found


def _breaches(module, modules):
    for target in _relative_imports(module, modules):
        if target is None:
            yield "reaches out of the pack"
        elif not _may_see(module.name, target):
            yield f"sees {target or 'the root'}"
    for name in _absolute_imports(module):
        yield from _wrong_absolute(module.name, name)
    if module.name not in SPENDERS and not is_in(module.name, "nodes.media"):
        yield from ("calls submit" for node in ast.walk(module.tree) if _is_attribute(node, "submit"))


def _may_see(source, target):
    if is_in(source, ENGINE) and is_in(target, ENGINE):
        above, below = (_row_inside(name) for name in (source, target))
        return above < below or _part(source) == _part(target)
    above, below = (_row(name) for name in (source, target))
    is_behind_the_face = is_in(target, ENGINE) and target not in FACE
    return _top(source) == _top(target) or (above < below and not is_behind_the_face)


def _row(name):
    return next(number for number, row in enumerate(ROWS) if _top(name) in row)


def _top(name):
    """The part of the pack that a module belongs to: `nodes.run` for `nodes.run.clips`."""
    return ".".join(name.split(".")[:2])


def _part(name):
    return name.removeprefix(ENGINE).lstrip(".").partition(".")[0]


def _row_inside(name):
    part = _part(name)
    return -1 if not part else next(number for number, row in enumerate(INSIDE) if part in row)


def _wrong_absolute(source, name):
    top = name.partition(".")[0]
    if top in ("nodes", "sora2pro"):
        yield f"imports {name} by an absolute name"
    if HOST_MODULES.match(name) and source != "nodes.host":
        yield f"knows ComfyUI's {name}"
    for part, forbidden in NEVER.items():
        if is_in(source, part) and top in forbidden:
            yield f"imports {name}, which {part} never touches"


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


def is_in(name, package):
    return name == package or name.startswith(f"{package}.")
