"""The house keeps its own rules: documentation, names, sizes, and what a stranger is told to type."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "schemas", "tables", "agents", "connectors", "streams")
IGNORED = {".git", ".venv", ".atstream", "build", "dist", "htmlcov", "__pycache__"}

MAX_LINES = 300
LONG_MODULES: dict[str, str] = {}
"""Modules over the limit, each with the reason why it is not two."""

ADR_HEADINGS = ["## Context", "## Decision", "## Consequences", "## Rejected alternatives"]


def text_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden_cache = any(part.endswith("_cache") or part.endswith(".egg-info") for part in parts)
        if path.is_file() and not hidden_cache and not IGNORED.intersection(parts) and ".hypothesis" not in parts:
            yield path


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", documents(), ids=name)
def test_every_make_target_a_document_names_exists(document: Path) -> None:
    told = set(re.findall(r"(?:`|^ {4}|^\$ )make ([a-z][a-z-]*)", document.read_text(), re.MULTILINE))
    assert told <= make_targets()


def test_every_make_target_says_what_it_does_and_is_no_file() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony.group(1).split()) == make_targets()


def test_every_suite_that_make_names_is_there_and_every_suite_is_named() -> None:
    named = re.search(r"addprefix tests/,([a-z ]+)\)", (ROOT / "Makefile").read_text())
    assert named is not None
    suites = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert suites == {*named.group(1).split(), "integration", "chaos"}


@pytest.mark.parametrize("decision", decisions(), ids=name)
def test_every_decision_has_its_headings_in_order(decision: Path) -> None:
    text = decision.read_text()
    number = decision.name.split("-", 1)[0]
    assert text.startswith(f"# {number}: ")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ADR_HEADINGS


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    listed = re.findall(r"\]\(([0-9]{4}-[a-z0-9-]+\.md)\)", (ROOT / "docs/decisions/README.md").read_text())
    assert listed == [path.name for path in decisions()]
    assert [int(entry[:4]) for entry in listed] == list(range(1, len(listed) + 1))


def declared_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements = list(project["project"]["dependencies"])
    for group in (project["project"]["optional-dependencies"], project["dependency-groups"]):
        requirements += [requirement for listed in group.values() for requirement in listed]
    return {normalised(requirement) for requirement in requirements}


def normalised(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def test_every_dependency_has_its_line_and_every_line_its_dependency() -> None:
    rows = re.findall(
        r"^\| ([a-z][a-z0-9-]*) \| (.+) \| (.+) \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE
    )
    documented = [package for package, _, _ in rows if package != "package"]
    assert sorted(documented) == sorted(declared_dependencies())


def test_the_lock_is_of_the_dependencies_that_are_declared() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    own = next(package for package in lock["package"] if package["name"] == "atstream")
    metadata = own["metadata"]
    locked = [*metadata["requires-dist"], *metadata["requires-dev"]["dev"]]
    assert {entry["name"] for entry in locked} == declared_dependencies()


def test_the_uv_that_sets_up_is_pinned() -> None:
    assert re.search(r"^UV_VERSION := \d+\.\d+\.\d+$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_no_path_of_one_machine_is_in_the_repository() -> None:
    # Written in parts, so that this file does not contain what it looks for.
    homes = "|".join(("work", "root", "home", "Users", "mnt"))
    machine_path = re.compile(rf"(?<![\w.~$)}}/-])/(?:{homes})/[a-z]".encode())
    found = [
        name(path) for path in text_files() if path.name != "uv.lock" and machine_path.search(path.read_bytes())
    ]
    assert found == []


def glossary() -> tuple[set[str], set[str]]:
    """The terms and the words to avoid, written as they would be in a module's name."""
    defined, avoided = (ROOT / "docs/glossary.md").read_text().split("## Terms to avoid", 1)
    return first_cells(defined), first_cells(avoided)


def first_cells(tables: str) -> set[str]:
    cells = re.findall(r"^\| ([^|]+) \|", tables, re.MULTILINE)
    terms = {term.strip().lower() for cell in cells for term in cell.split(",") if "(" not in term}
    return {term.replace(" ", "_") for term in terms} - {"avoid", "word", "---"}


def test_the_glossary_names_words_to_avoid() -> None:
    _, avoided = glossary()
    assert {"manager", "helper", "utils", "sync", "push", "item", "available_to_promise"} <= avoided


@pytest.mark.parametrize("source", [*sources(), *sorted((ROOT / "tests").rglob("*.py"))], ids=name)
def test_no_module_is_named_after_a_word_to_avoid(source: Path) -> None:
    path = source.relative_to(ROOT).with_suffix("")
    terms, avoided = glossary()
    # "full sync" is a term of its own; "sync" alone is not.
    parts = [part for part in path.parts if part not in terms and not part.startswith("test_")]
    words = {word for part in parts for word in (part, *part.split("_"))}
    assert not words & avoided


def test_modules_are_short_or_have_a_reason() -> None:
    long_ones = {name(path) for path in sources() if len(path.read_text().splitlines()) > MAX_LINES}
    assert long_ones == set(LONG_MODULES)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_and_module_says_what_it_is_for(package: str) -> None:
    silent = [
        name(path)
        for path in sorted((ROOT / package).rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("document", documents(), ids=name)
def test_links_between_documents_resolve(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=name)
def test_files_that_documents_name_exist(document: Path) -> None:
    # `streams/app.py`, `ops/kafka/pom.xml`: a path in back quotes is from the root of the repository or of docs/.
    named = re.findall(r"`((?:[a-z_]+/)+[\w.-]+\.(?:py|md|avsc|xml|yml|yaml|toml|json))`", document.read_text())
    missing = [path for path in named if not (ROOT / path).exists() and not (ROOT / "docs" / path).exists()]
    assert missing == []


def test_the_architecture_names_every_part_of_a_package() -> None:
    directories = {name(path.parent) for path in sources() if path.name == "__init__.py"} - set(PACKAGES)
    described = set(re.findall(r"^\| `([a-z_/]+)/` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE))
    assert described - set(PACKAGES) >= directories
    assert [part for part in described if not (ROOT / part).is_dir()] == []
