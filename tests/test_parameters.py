"""Parameters: YAML in, frozen models out, every problem at once, and nothing secret in a file."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pmo_lib.errors import ParameterError
from pmo_lib.parameters.documents import _parsed, parse_scalar, read_document, secret_like, suggestion
from pmo_lib.parameters.load import (
    find_root,
    load_mapping,
    load_organisation,
    load_portfolios,
    load_reports,
    read_yaml,
    schemas,
    settings_for,
    write_schemas,
)
from pmo_lib.parameters.models import Organisation, Reports

ROOT = Path(__file__).resolve().parents[1]
PARAMETER_FILES = sorted((ROOT / "parameters").rglob("*.yml"))


def put(root: Path, name: str, text: str) -> Path:
    """Write one parameter file below a root."""
    path = root / "parameters" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with one organisation, ``org``, and one portfolio, ``A``."""
    put(tmp_path, "org/organisation.yml", "id: org\nname: An organisation\nthresholds: {cost_amber: 0.04}\n")
    put(tmp_path, "org/portfolios/A.yml", "id: A\nthresholds: {cost_red: 0.2}\nrisk: {top: 5}\n")
    return tmp_path


def problems(error: pytest.ExceptionInfo[ParameterError]) -> list[dict[str, Any]]:
    """Return the problems that an error lists."""
    listed: list[dict[str, Any]] = error.value.data["problems"]
    return listed


# --- one document -----------------------------------------------------------------------------------------------


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    """Words are words, numbers are decimal and a date stays its ISO text: nothing is what YAML 1.1 made of it."""
    path = put(tmp_path, "x.yml", "a: NO\nb: 012\nc: 12:30\nd: 2019-09-30\ne: on\nf: 1e3\ng: true\n")
    assert read_document(path).values == {
        "a": "NO", "b": 12, "c": "12:30", "d": "2019-09-30", "e": "on", "f": 1000.0, "g": True,
    }  # fmt: skip


def test_a_key_that_stands_twice_is_a_problem_with_both_lines(tmp_path: Path) -> None:
    """The last of two equal keys never silently wins, at any depth."""
    path = put(tmp_path, "x.yml", "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n")
    found = [(p["key"], p["line"], p["message"]) for p in read_document(path).problems]
    assert found == [
        ("b.c", 3, "the key stands twice, in lines 3 and 5"),
        ("a", 1, "the key stands twice, in lines 1 and 6"),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1\nb: 2\n", "is not YAML"),
        (b"- 1\n- 2\n", "is not a list of keys"),
        (b"a: \xff\n", "is not UTF-8 (byte 3)"),
        (b"a: !!python/object:os.system x\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_document_is_one_problem(tmp_path: Path, content: bytes, says: str) -> None:
    """A file that cannot be read at all is named with its reason, never a traceback."""
    path = tmp_path / "x.yml"
    path.write_bytes(content)
    (problem,) = read_document(path).problems
    assert problem["message"].startswith(says)


def test_a_missing_or_empty_file_is_told_apart(tmp_path: Path) -> None:
    """An empty file is a document without keys; one that is not there is a problem."""
    assert read_document(put(tmp_path, "x.yml", "")).problems == []
    assert "cannot be read" in read_document(tmp_path / "none.yml").problems[0]["message"]


def test_a_file_is_parsed_once_in_a_process(root: Path) -> None:
    """A text is parsed once, however often and by whom it is asked for, and what a reader does to it is its own."""
    for number in range(5):
        settings_for(root, org="org", portfolio="A", overrides={"thresholds.cost_red": f"0.{number + 1}"})
    before = _parsed.cache_info().misses
    path = root / "parameters" / "org" / "organisation.yml"
    document = read_document(path)
    document.values["thresholds"]["cost_amber"] = 1.0
    document.lines.clear()
    assert read_document(path).values["thresholds"] == {"cost_amber": 0.04}
    assert read_document(path).lines[("name",)] == 2
    assert _parsed.cache_info().misses == before
    path.write_text(path.read_text(encoding="utf-8").replace("0.04", "0.05"), encoding="utf-8")
    assert read_document(path).values["thresholds"] == {"cost_amber": 0.05}
    assert _parsed.cache_info().misses == before + 1


def test_merged_keys_stand_where_they_were_written(tmp_path: Path) -> None:
    """A key that overrides a merged one does not stand twice, and each key has the line that it is written in."""
    document = read_document(put(tmp_path, "x.yml", "base: &b\n  x: 1\n  y: 2\nother:\n  <<: *b\n  x: 3\n"))
    assert document.problems == []
    assert document.values["other"] == {"x": 3, "y": 2}
    assert (document.lines[("base", "x")], document.lines[("other", "x")]) == (2, 6)


def test_a_document_that_contains_itself_ends(tmp_path: Path) -> None:
    """An anchor that refers to itself is a problem, not an endless loop."""
    path = put(tmp_path, "x.yml", "id: org\nname: x\nthresholds: &a\n  cost_red: *a\n")
    with pytest.raises(ParameterError):
        read_yaml(path, model=Organisation)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.15", 0.15), ("NO", "NO"), ("[1, 2]", [1, 2]), ("2019-09-30", "2019-09-30"), ("a: [", "a: [")],
)
def test_a_value_from_the_command_line_means_what_it_means_in_a_file(text: str, value: object) -> None:
    """``--set key=value`` has no grammar of its own; a text that is no YAML stays the text."""
    assert parse_scalar(text) == value


# --- secrets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("password", "hunter2", True),
        ("db_token", "abc", True),
        ("apiKey", "abc", True),
        ("password", "env:DB_PASSWORD", False),
        ("password", "env:not a name", True),
        ("url", "postgresql://reader:pa55@db/returns", True),
        ("url", "postgresql://db/returns", False),
        ("note", "AKIA" + "ABCDEFGHIJKLMNOP", True),
        ("note", "ghp_" + "a" * 36, True),
        ("note", "eyJhbGciOiJI.eyJzdWIiOiIx.abc", True),
        ("note", "-----BEGIN RSA PRIVATE KEY-----", True),
        ("name", "Secretariat of the Treasury", False),
        ("password", "", False),
        ("password", 5, False),
    ],
)
def test_a_secret_is_known_by_its_key_or_its_shape(key: str, value: object, secret: bool) -> None:
    """What looks like a secret is one unless it is a reference to the environment."""
    assert secret_like(key, value=value) is secret


def test_a_secret_in_a_file_or_on_the_command_line_is_refused(root: Path) -> None:
    """A secret is refused wherever it stands, and its value is not repeated in the message."""
    put(root, "org/organisation.yml", "id: org\nname: x\ntoken: s3cr3t\n")
    with pytest.raises(ParameterError) as error:
        load_organisation(root, org="org")
    assert {p["message"] for p in problems(error)} == {"looks like a secret", "unknown key"}
    secret = next(p for p in problems(error) if p["message"] == "looks like a secret")
    assert (secret["value"], secret["line"]) == ("", 3)
    put(root, "org/organisation.yml", "id: org\nname: x\n")
    with pytest.raises(ParameterError, match="looks like a secret"):
        settings_for(root, org="org", overrides={"name": "ghp_" + "a" * 36})


@given(st.text(), st.one_of(st.text(), st.integers(), st.none()))
def test_looking_for_secrets_never_fails(key: str, value: object) -> None:
    """Any key and value can be looked at."""
    assert secret_like(key, value=value) in (True, False)


# --- models and layers ------------------------------------------------------------------------------------------


def test_all_problems_are_named_at_once_with_line_and_suggestion(root: Path) -> None:
    """A reader corrects a file once: every problem with file, line, key, value and what to do."""
    put(
        root,
        "org/organisation.yml",
        """\
        id: org
        name: 3
        thresholds:
          cost_rd: 0.1
          cost_amber: 7
        cycle: weekly
        risk:
          matrix: [[low, low, low, low, low]]
        """,
    )
    with pytest.raises(ParameterError) as error:
        load_organisation(root, org="org")
    found = {p["key"]: p for p in problems(error)}
    assert set(found) == {"name", "thresholds.cost_rd", "thresholds.cost_amber", "cycle", "risk.matrix"}
    assert found["thresholds.cost_rd"] == {
        "file": "parameters/org/organisation.yml", "line": 4, "key": "thresholds.cost_rd", "value": "0.1",
        "message": "unknown key", "fix": "did you mean 'cost_red'?",
    }  # fmt: skip
    assert found["name"]["fix"] == "put it in quotes"
    assert str(error.value).startswith("5 problems in the parameters:")
    assert error.value.exit_code == 2


def test_a_rule_between_two_values_says_what_to_do(root: Path) -> None:
    """A validator's message is split into what is wrong and what to do."""
    put(root, "org/organisation.yml", "id: org\nname: x\nthresholds: {cost_red: 0.01}\n")
    with pytest.raises(ParameterError) as error:
        load_organisation(root, org="org")
    (problem,) = problems(error)
    assert problem["message"] == "red must not be reached before amber"
    assert problem["fix"] == "raise the red limit or lower the amber one"


def test_portfolio_over_organisation_and_command_line_over_both(root: Path) -> None:
    """Organisation < portfolio < command line, key by key; a portfolio without a file has the organisation's values."""
    whole = load_organisation(root, org="org").thresholds
    assert (whole.cost_amber, whole.cost_red) == (0.04, 0.10)
    own = settings_for(root, org="org", portfolio="A")
    assert (own.thresholds.cost_amber, own.thresholds.cost_red, own.risk.top) == (0.04, 0.2, 5)
    typed = settings_for(root, org="org", portfolio="A", overrides={"thresholds.cost_red": "0.3", "currency": "EUR"})
    assert (typed.thresholds.cost_amber, typed.thresholds.cost_red, typed.currency) == (0.04, 0.3, "EUR")
    assert settings_for(root, org="org", portfolio="B").thresholds == whole
    assert settings_for(root, org="org").thresholds == whole


@given(amber=st.floats(0, 1), red=st.floats(0, 1))
def test_an_override_has_exactly_the_value_that_was_typed(tmp_path_factory: Any, amber: float, red: float) -> None:
    """Any pair of limits in the right order comes back unchanged; any in the wrong order is refused."""
    root = tmp_path_factory.getbasetemp() / "typed"
    if not root.exists():
        put(root, "org/organisation.yml", "id: org\nname: x\n")
    overrides = {"thresholds.cost_amber": repr(amber), "thresholds.cost_red": repr(red)}
    if red < amber:
        with pytest.raises(ParameterError):
            settings_for(root, org="org", overrides=overrides)
    else:
        thresholds = settings_for(root, org="org", overrides=overrides).thresholds
        assert (thresholds.cost_amber, thresholds.cost_red) == (amber, red)


@pytest.mark.parametrize(
    ("overrides", "key", "fix"),
    [
        ({"thresholds.cost_rd": "0.1"}, "thresholds.cost_rd", "did you mean 'cost_red'?"),
        ({"thrsholds.cost_red": "0.1"}, "thrsholds", "did you mean 'thresholds'?"),
        ({"thresholds.cost_red": "much"}, "thresholds.cost_red", "correct the value"),
        ({"id": "other"}, "id", "use --org"),
        ({"name": "x", "name.first": "y"}, "name.first", "give one of the two"),
    ],
)
def test_a_wrong_override_is_a_problem_of_the_command_line(
    root: Path, overrides: dict[str, str], key: str, fix: str
) -> None:
    """What was typed is told apart from what stands in files."""
    with pytest.raises(ParameterError) as error:
        settings_for(root, org="org", overrides=overrides)
    assert [(p["file"], p["key"], p["fix"]) for p in problems(error)] == [("command line", key, fix)]


def test_a_portfolio_answers_for_its_own_differences(root: Path) -> None:
    """What is wrong only over the organisation's values is a problem of the portfolio's file; all files at once."""
    put(root, "org/portfolios/A.yml", "id: A\nthresholds:\n  cost_rd: 0.1\n")
    put(root, "org/portfolios/B.yml", "id: C\nowner: 4\n")
    put(root, "org/portfolios/D.yml", "id: D\nthresholds: {cost_red: 0.01}\n")
    with pytest.raises(ParameterError) as error:
        load_portfolios(root, org="org")
    found = {(p["file"].rsplit("/", 1)[1], p["key"]) for p in problems(error)}
    assert found == {("A.yml", "thresholds.cost_rd"), ("B.yml", "id"), ("B.yml", "owner"), ("D.yml", "thresholds")}


def test_portfolios_come_by_id_in_order(root: Path) -> None:
    """Only portfolios with a file differ; they come sorted."""
    put(root, "org/portfolios/B.yml", "id: B\nname: Second\n")
    assert list(load_portfolios(root, org="org")) == ["A", "B"]
    assert load_portfolios(root, org="org")["B"].name == "Second"


@pytest.mark.parametrize("org", ["../org", "org/../org", "", ".", "Org", "/etc"])
def test_no_name_of_an_organisation_leads_out_of_the_parameters(root: Path, org: str) -> None:
    """An organisation is a folder below parameters and nothing else."""
    with pytest.raises(ParameterError, match="no organisation of that name"):
        load_organisation(root, org=org)


def test_no_name_of_a_portfolio_is_a_path(root: Path) -> None:
    """A portfolio's name cannot spell a path either."""
    with pytest.raises(ParameterError, match="is no id"):
        settings_for(root, org="org", portfolio="../A")


def test_a_mapping_that_is_not_there_names_those_that_are(root: Path) -> None:
    """A wrong name is answered with the nearest right one."""
    put(root, "org/sources/returns.yml", "name: returns\n")
    with pytest.raises(ParameterError, match="did you mean 'returns'"):
        load_mapping(root, org="org", name="return")
    with pytest.raises(ParameterError, match="it reads nothing → give sheets, or a database"):
        load_mapping(root, org="org", name="returns")


def test_a_suggestion_is_near_or_a_list() -> None:
    """A near word is suggested; else all known ones are named."""
    assert suggestion("Cost_Rd", known=["cost_red", "cost_amber"]) == "did you mean 'cost_red'?"
    assert suggestion("zzz", known=["b", "a"]) == "use one of: a, b"
    assert suggestion("zzz", known=[]) == "remove it"


# --- the files of the project -----------------------------------------------------------------------------------


def test_the_root_is_found_upwards_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder with parameters/reports.yml is the root, from any folder inside it; PMO_ROOT says otherwise."""
    put(tmp_path, "reports.yml", "reports: []\n")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.delenv("PMO_ROOT", raising=False)
    monkeypatch.chdir(inside)
    assert find_root() == tmp_path
    monkeypatch.setenv("PMO_ROOT", str(inside))
    with pytest.raises(ParameterError, match="PMO_ROOT"):
        find_root()
    monkeypatch.setenv("PMO_ROOT", str(tmp_path))
    assert find_root() == tmp_path


def test_the_schemas_for_editors_are_current() -> None:
    """parameters/schemas holds exactly what the models say."""
    folder = ROOT / "parameters" / "schemas"
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")} == schemas()


def test_schemas_are_written_where_editors_look(tmp_path: Path) -> None:
    """The writer writes what the test above compares."""
    written = write_schemas(tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in written} == schemas()


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_names_its_schema_first(path: Path) -> None:
    """The first line of each YAML file points an editor to the schema of its kind."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    kind = {"reports.yml": "reports", "organisation.yml": "organisation"}.get(
        path.name, {"portfolios": "portfolio", "sources": "mapping"}.get(path.parent.name, "")
    )
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    target = (path.parent / first.removeprefix(prefix)).resolve()
    assert target == ROOT / "parameters" / "schemas" / f"{kind}.json"
    assert target.is_file()


def test_every_parameter_file_of_the_project_is_sound() -> None:
    """All organisations, portfolios, mappings and reports of the project load."""
    assert isinstance(load_reports(ROOT), Reports)
    for path in sorted((ROOT / "parameters").glob("*/organisation.yml")):
        org = path.parent.name
        organisation = load_organisation(ROOT, org=org)
        load_portfolios(ROOT, org=org)
        mappings = [source.stem for source in (path.parent / "sources").glob("*.yml")]
        for name in mappings:
            assert load_mapping(ROOT, org=org, name=name).name == name
        assert organisation.mapping is None or organisation.mapping in mappings
