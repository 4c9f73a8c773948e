"""Every sentence of ours in what the server tells the page: progress, endings, reports, errors. Read from the code, not run.

A sentence is a template: `{name}` stands for what is filled in. Where the code glues a text from pieces (a conditional, a sum, a
variable of the same function, a constant), each way it can come out is one. `python -m support.told` (with PYTHONPATH=tests)
prints them.
"""

import ast
import itertools
import re
from functools import cache

from pack import ROOT
from sentences import NOT_PROSE

# Their words are ComfyUI's to show, from `locales`: the shape of the nodes, and what the tooltip of the actions is made of.
NODES = {"__init__.py", "any_model.py", "image_to_video.py", "status.py", "run/clip_node.py", "run/widgets.py"}
# A report is written for whoever reads a bug report, and a command for whoever runs a server: in English.
REPORT = ("doctor/", "runcomfy/store/examination.py", "journal.py", "runcomfy/copying.py")
TOOLTIPS = {"_MEANINGS"}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
# Two words, or one that stands as a sentence.
IS_SAID = re.compile(r" |^[A-Z][a-z]+\.$")
PLACEHOLDER = re.compile(r"\{\w*\}")
LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log"}
MOST_WAYS = 600
SQL = re.compile(
    r"\b(?:SELECT|FROM|WHERE|LIKE|ESCAPE|INSERT|CASE WHEN|EXISTS|ORDER BY|GROUP BY|TEXT|INTEGER|REAL)\b"
    r"|^(?:AND|ON) |= [?']|^\w+ [<=]|\|\||^SHOW |^READ COMMITTED$|\bIN \('"
)
# What nobody reads on the page: headers, file names, values of inputs and names that stay as they are, what only the log or a
# programmer sees, and pieces of which whole sentences are in the list too.
NOT_TOLD = frozenset(
    """
(:before IS NULL OR id < :before)
SSL SYSCALL error|SSL connection has been closed
certificate|private key|\\bssl|\\btls
database .* does not exist
runcomfy on
runcomfy on {machine}
invalid response to SSL negotiation
invalid connection option|invalid .* value|invalid integer value
no pg_hba\\.conf entry|is not permitted to log in
password authentication failed|no password supplied|authentication failed|role .* does not exist
permission denied
resolve host|translate host name|name or service not known
starting up|shutting down|recovery mode|not yet accepting
this machine/{database}
this machine:{port}/{database}
too many (clients|connections)|remaining connection slots|too many connections for
(?:seed )?(\\d+)
'buys' must be true or false.
'files' must hold names.
'node', 'values' and 'files' are needed.
'{name}' is of another kind.
(data URI)
(expected: {price})
(the limit is in Settings under RunComfy)
(usually {usual_s})
, without giving a reason.
: the others are free.
Application Support
Bearer {token}
Engine(state_dir={state_dir}, api_base_url={api_base_url})
HTTP {status_code}
HTTP {status_code}, error {code}
If that token was replaced on the same account,
PQ (HDR10)
RunComfy's API
Successors of the same family
The request
There is no successor of the same family; others
Tunnel connection failed
Waiting(poll_interval_s={poll_interval_s}, timeout_s={timeout_s})
a {media}, as an address
an exception has a value of another type
another folder
another folder, one with a shorter path
ask RunComfy to cancel a queued request.
aspect ratio
at least
at most
at position {queue_position}
attachment; filename="runcomfy-spending.csv"
attachment; filename="{path}"
blur pad
but the journal does not say at which API address it was bought
but the token in use is not the one that it was bought with
deliver the others
does not exist
does not offer this model
drop a job, so that the same inputs can be bought again.
from ${usd}
height in pixels
in a format
in the format {formats}
inline; filename="{path}"
is not a regular file
job: job-{job_id}
look in the output folder and under Generations on runcomfy.com: a clip that is there need not be bought again; the RunComfy Request Status node collects it by its request id.
model default
no limit
no longer offers this model
not ready
not sent
number {matrix}
private, no-cache
rate limited
request_id: {request_id}
request_id: {request_id}, job: {job}
see how far it is, free.
size in MB
text/csv; charset=utf-8; header=present
the exchange is over
the file holds no list of models
the input schema is not an object
the lock file is closed
the proxy
wait for the clip and download it, no new charge.
width divided by height
width in pixels
with one of these values: {one}
{job} (request_id: {request_id})
{job} cannot go from {state} to {target}
{job} has no file
{job} has no request id
{timed_s} s long, but only {edited_s} s would be shown
""".strip().splitlines()  # noqa: E501 - a sentence of the code
)


class _Reader:
    def __init__(self, constants):
        self._constants = constants
        self.found = set()

    def read(self, tree):
        for scope in ast.walk(tree):
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
                self._read_body(scope, _assigned(scope))
        self._read_body(tree, {})

    def _read_body(self, scope, names):
        """Each largest expression of text below a scope, not in the scopes inside."""
        pending = list(ast.iter_child_nodes(scope))
        while pending:
            node = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # Its defaults and decorators say nothing; its body is a scope of its own.
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in TOOLTIPS:
                continue
            if _is_log(node):
                continue
            if _is_text(node):
                self._take(node, names)
                # Pieces that are not text themselves may hold some: the arguments of a call inside of a text.
                pending += [inner for value in ast.walk(node) if isinstance(value, ast.Call) for inner in value.args]
                continue
            pending += ast.iter_child_nodes(node)

    def _take(self, node, names):
        for way in self._ways(node, names, ()):
            self.found |= set(sentences_of(way))

    def _ways(self, node, names, seen):  # noqa: PLR0911 - one for each kind
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            return self._product(
                [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values], names, seen
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._product([node.left, node.right], names, seen)
        if isinstance(node, ast.IfExp):
            return self._ways(node.body, names, seen) + self._ways(node.orelse, names, seen)
        if isinstance(node, ast.BoolOp):
            return [way for value in node.values for way in self._ways(value, names, seen)]
        chosen = _chosen_from(node)
        if chosen is not None:
            return [way for value in chosen for way in self._ways(value, names, seen)]
        if isinstance(node, ast.Name) and node.id not in seen:
            values = names.get(node.id) or self._constants.get(node.id)
            if values and all(_holds_text(value) for value in values):
                return [way for value in values for way in self._ways(value, names, (*seen, node.id))]
        return [f"{{{_name(node)}}}"]

    def _product(self, parts, names, seen):
        ways = [
            "".join(way)
            for way in itertools.islice(
                itertools.product(*(self._ways(part, names, seen) for part in parts)), MOST_WAYS
            )
        ]
        return list(dict.fromkeys(ways))


def sentences_of(text):
    """The sentences of a text that hold words of ours, each with its placeholders numbered apart."""
    for piece in SENTENCE_END.split(text):
        sentence = re.sub(r"^(?:\{\w*\}\s+)+(?=[A-Z'])", "", piece.strip())
        words = PLACEHOLDER.sub(" ", sentence)
        if (
            re.search(r"[A-Za-z]{2,}", words)
            and IS_SAID.search(sentence)
            and not (NOT_PROSE.search(words) or SQL.search(sentence))
        ):
            yield _numbered(sentence)


def _numbered(sentence):
    known = {}

    def number(match):
        name = match[0][1:-1] or "value"
        known[name] = known.get(name, 0) + 1
        return f"{{{name}}}" if known[name] == 1 else f"{{{name}{known[name]}}}"

    return PLACEHOLDER.sub(number, sentence)


def _assigned(scope):
    """What the variables of a function are set to."""
    found = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            are_several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            for one, its in zip(target.elts, value.elts, strict=True) if are_several else [(target, value)]:
                if isinstance(one, ast.Name):
                    found.setdefault(one.id, []).append(its)
    return found


def _chosen_from(node):
    """The values of a table, where one of them is looked up."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        return node.value.values
    is_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    if is_get and isinstance(node.func.value, ast.Dict):
        return [*node.func.value.values, *node.args[1:]]
    return None


def _is_text(node):
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr)


def _holds_text(node):
    chosen = _chosen_from(node)
    return all(_holds_text(value) for value in chosen) if chosen else _is_text(node)


def _is_log(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOGGING
        and "log" in ast.unparse(node.func.value).lower()
    )


def _name(node):
    """What a placeholder is called: after what is filled in."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower()
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_") if node.attr not in {"value", "name", "id"} else _name(node.value)
    if isinstance(node, ast.Call):
        is_of_a_value = isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Constant)
        if is_of_a_value and node.func.attr in {"rstrip", "strip", "partition"}:
            return _name(node.func.value)
        return _name(node.args[0]) if node.args else _name(node.func)
    if isinstance(node, ast.Subscript | ast.Starred | ast.FormattedValue):
        return _name(node.value)
    return _name(node.left) if isinstance(node, ast.BinOp) else "value"


@cache
def told():
    """The templates, sorted."""
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "nodes").rglob("*.py"))
        if (place := path.relative_to(ROOT / "nodes").as_posix()) not in NODES and not place.startswith(REPORT)
    }
    constants = {}
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                constants.setdefault(node.targets[0].id, []).append(node.value)
    reader = _Reader(constants)
    for tree in trees.values():
        reader.read(tree)
    return sorted(reader.found - NOT_TOLD)


if __name__ == "__main__":
    print("\n".join(told()))  # noqa: T201 - what this module is for
