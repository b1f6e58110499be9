"""The structure of the packages: which may import which, type checking included."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

import pytest

from tools.typecheck import lay_out

ROOT = Path(__file__).parents[1]
PROGRAM = "cstalk_bridge"
MODELS = f"{PROGRAM}.models"
CLI = f"{PROGRAM}.cli"
READ_IMPORTS = """
import importlib.machinery, json, sys, grimp
sys.meta_path.insert(0, importlib.machinery.PathFinder)
graph = grimp.build_graph(sys.argv[1], include_external_packages=True, cache_dir=None)
own = [name for name in graph.modules if not graph.is_module_squashed(name)]
imports = {name: sorted(graph.find_modules_directly_imported_by(name)) for name in own}
circles = {name: sorted(graph.nominate_cycle_breakers(name)) for name in own}
print(json.dumps([imports, circles]))
"""
"""Prints by module what it imports, and by package the imports that close circles in it.

The folder comes before the finder of an editable install, which knows the checkout.
"""

Imports = dict[str, list[str]]
Circles = dict[str, list[tuple[str, str]]]


def read_structure(folder: Path, package: str) -> tuple[Imports, Circles]:
    """Read the imports of a package that lies in `folder`; within functions, too."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    output = subprocess.run(
        (sys.executable, "-c", READ_IMPORTS, package),
        env=environment,
        cwd=folder,
        capture_output=True,
        check=True,
    ).stdout
    imports, circles = json.loads(output)
    return imports, {package: found for package, found in circles.items() if found}


@pytest.fixture(scope="module")
def structure(tmp_path_factory: pytest.TempPathFactory) -> tuple[Imports, Circles]:
    folder = tmp_path_factory.mktemp("installed")
    lay_out(folder / PROGRAM)
    return read_structure(folder, PROGRAM)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def importers(imports: Imports, imported: str) -> set[str]:
    """Return the modules outside of a package that import it or something in it."""
    return {
        name
        for name, found in imports.items()
        if not is_within(name, imported) and any(is_within(each, imported) for each in found)
    }


def test_all_modules_are_scanned(structure: tuple[Imports, Circles]) -> None:
    files = [file for top in ("bridge", "models") for file in (ROOT / top).rglob("*.py")]
    assert len(structure[0]) >= len(files)


def test_no_modules_and_no_packages_import_each_other(structure: tuple[Imports, Circles]) -> None:
    assert structure[1] == {}


def test_the_models_import_nothing_of_the_program(structure: tuple[Imports, Circles]) -> None:
    found = {
        (name, imported)
        for name, of_module in structure[0].items()
        if is_within(name, MODELS)
        for imported in of_module
        if is_within(imported, PROGRAM) and not is_within(imported, MODELS)
    }
    assert found == set()


def test_nothing_imports_the_command_line(structure: tuple[Imports, Circles]) -> None:
    assert importers(structure[0], CLI) == {f"{PROGRAM}.__main__"}


@pytest.mark.parametrize("outside", ["tools", "tests"])
def test_the_program_imports_only_installed_packages(
    structure: tuple[Imports, Circles], outside: str
) -> None:
    assert importers(structure[0], outside) == set()


def test_cycles_and_imports_within_functions_are_found(tmp_path: Path) -> None:
    package = tmp_path / "sample"
    for name in ("one", "two"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "one" / "first.py").write_text("def f():\n    import sample.two.other\n")
    (package / "two" / "other.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sample.one import first\n"
    )
    imports, circles = read_structure(tmp_path, "sample")
    assert imports["sample.one.first"] == ["sample.two.other"]
    assert list(circles) == ["sample"]


def files_that_call(*names: str) -> set[str]:
    """Return the files of the packages that call a function of one of these names."""
    found = set()
    for file in (path for top in ("bridge", "models") for path in (ROOT / top).rglob("*.py")):
        calls = (node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if is_call(node))
        if any(ast.unparse(call.func) in names for call in calls):
            found.add(file.relative_to(ROOT).as_posix())
    return found


def is_call(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call)


def test_one_module_starts_threads_and_one_replaces_files() -> None:
    assert files_that_call("threading.Thread", "Thread") == {"bridge/system/worker.py"}
    assert files_that_call("os.replace") == {"models/files.py"}
