"""The README promises nothing that is not there: commands, variables, inputs, actions, messages, files."""

import ast
import importlib.util
import re
import shlex

import pytest
from pack import ROOT
from sora2pro.nodes import NODE_CLASS_MAPPINGS
from sora2pro.nodes.page.admission import ALLOWED_HOSTS_VARIABLE
from sora2pro.nodes.runcomfy.credentials import TOKEN_FILE_VARIABLE, TOKEN_VARIABLES
from sora2pro.nodes.runcomfy.models import SORA_2_PRO
from sora2pro.nodes.runcomfy.settings import OUTPUT_DIR_VARIABLE, SETTINGS, STATE_DIR_VARIABLE, Settings

TEXT = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
CODE_BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CODE_SPANS = re.findall(r"`([^`\n]+)`", TEXT)
PROGRAMS = ("make", "pip", "python", "python3", "bash", "git", "cd", "curl", ".venv/bin/python")
VARIABLE = re.compile(r"RUNCOMFY_[A-Z0-9_]+")
OUR_VARIABLES = {
    *(setting.variable for setting in SETTINGS if setting.variable),
    *TOKEN_VARIABLES,
    TOKEN_FILE_VARIABLE,
    STATE_DIR_VARIABLE,
    OUTPUT_DIR_VARIABLE,
    ALLOWED_HOSTS_VARIABLE,
}
INTERNAL_VARIABLES = {"RUNCOMFY_CONFIG_DIR"}  # belongs to RunComfy's own command-line client


def commands():
    """Every command that a reader is told to run, without its comment."""
    lines = [line for block in CODE_BLOCKS for line in block.splitlines()]
    lines += [span for span in CODE_SPANS if span.split()[0] in PROGRAMS and " " in span]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def tables():
    """Every table as rows of cells, found by its heading row."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        heading, _, *rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in block.splitlines()]
        yield heading, rows


def table(first_heading):
    (rows,) = [rows for heading, rows in tables() if heading[0] == first_heading]
    return rows


def spans(cell):
    return re.findall(r"`([^`]+)`", cell)


# --- commands


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_that_there_is(words):
    program, *arguments = words
    assert program in PROGRAMS
    if program == "make":
        targets = [word for word in arguments if "=" not in word]
        assert targets
        for target in targets:
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        for variable in (word.partition("=")[0] for word in arguments if "=" in word):
            assert f"$({variable})" in MAKEFILE or f"[{variable}=" in MAKEFILE, variable
    if "-m" in arguments:
        module = arguments[arguments.index("-m") + 1]
        # A module of the pack is found in the pack's folder, where the reader is told to run it.
        is_ours = module.startswith("nodes.") and (ROOT / module.replace(".", "/") / "__main__.py").is_file()
        assert is_ours or importlib.util.find_spec(module), module
    for word in arguments:
        if word.endswith((".txt", ".py", ".sh")):
            assert (ROOT / word).is_file(), word


def test_the_readme_has_commands_to_try():
    assert ["make", "demo"] in commands()
    assert ["python", "-m", "pip", "install", "-r", "requirements.txt"] in commands()


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", TEXT))
def test_a_link_leads_to_a_file_that_is_there(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"\btests/[\w./]+\w(?:::\w+)?", CONTRIBUTING))))
def test_contributing_names_only_tests_that_are_there(named):
    path, _, test = named.partition("::")
    assert (ROOT / path).exists()
    if test:
        assert f"def {test}(" in (ROOT / path).read_text("utf-8")


# --- settings


def test_the_readme_names_every_variable_and_no_other():
    assert set(VARIABLE.findall(TEXT)) == OUR_VARIABLES


def test_the_code_reads_no_variable_that_the_readme_keeps_to_itself():
    read = {name for path in (ROOT / "nodes").rglob("*.py") for name in VARIABLE.findall(path.read_text("utf-8"))}
    assert read - INTERNAL_VARIABLES == OUR_VARIABLES


def test_the_defaults_of_the_variables_are_those_of_the_code(tmp_path):
    default = Settings(state_dir=tmp_path, output_dir=tmp_path)
    known = {
        "RUNCOMFY_MODEL_API_BASE_URL": f"`{default.api_base_url}`",
        "RUNCOMFY_SORA2_PRO_MODEL_ID": f"`{SORA_2_PRO.model_id}`",
        "RUNCOMFY_POLL_INTERVAL_S": f"{default.poll_interval_s:g}",
        "RUNCOMFY_TIMEOUT_S": f"{default.timeout_s:g}",
        "RUNCOMFY_MAX_PARALLEL": str(default.max_parallel),
        "RUNCOMFY_MAX_USD_PER_DAY": "30",
    }
    assert default.max_usd_per_day == 30
    told = {name: row[1] for row in table("variable") for name in spans(row[0])}
    assert {name: told[name] for name in known} == known


# --- nodes


def inputs(node_id):
    declared = NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    return {name: body for group in ("required", "optional") for name, body in declared.get(group, {}).items()}


def test_the_table_of_inputs_has_every_input_with_its_default():
    told = {}
    for names, defaults, *_ in table("input"):
        values = defaults.replace("0, fixed", "0").split(", ")
        told |= dict(zip(spans(names), values, strict=True))
    expected = {name: as_told(*body) for name, body in inputs("Sora2ProImageToVideo").items()}
    assert told == expected


def as_told(_kind, options):
    default = options.get("default", "")
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)


@pytest.mark.parametrize(("name", "described"), [(spans(row[0])[0], row[2]) for row in table("input")])
def test_the_choices_of_an_input_are_all_told(name, described):
    kind = inputs("Sora2ProImageToVideo")[name][0]
    for choice in kind if isinstance(kind, list) else ():
        assert str(choice) in described


def test_the_table_of_actions_has_every_action():
    (choices, _options) = inputs("Sora2ProStatus")["action"]
    assert [spans(row[0])[0] for row in table("action")] == choices


def test_the_outputs_are_told_in_their_order():
    (told,) = re.findall(r"^Outputs, .*?: (.*)$", TEXT, re.MULTILINE)
    assert spans(told) == list(NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"].RETURN_NAMES)


# --- messages


def sentences():
    """Every text in the code, with "…" where a value is put in."""
    for path in (ROOT / "nodes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("message", [row[0].strip("*") for row in table("the message says")])
def test_a_message_is_told_in_the_words_of_the_code(message):
    words = re.compile(".{0,20}?".join(re.escape(part) for part in message.strip("… ").split("…")))
    assert any(words.search(sentence) for sentence in sentences())
