"""What import-linter can't hold: it reads packages, and app.py is none."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pages", "explainer", "kvengine")
SHIPPED = [ROOT / "app.py", *sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]


def imported_packages(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_app_leaves_torch_to_the_engine() -> None:
    assert "torch" not in imported_packages(ROOT / "app.py")


@pytest.mark.parametrize("source", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_code_runs_without_tools_and_development_packages(source: Path) -> None:
    development = {"tools", "tests", "pytest", "hypothesis", "beartype", "transformers", "playwright"}
    assert not imported_packages(source) & development
