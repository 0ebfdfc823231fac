"""docs/engine.md shows the engine as a library: its examples run, and print what they say."""

import doctest

from tools.server import ROOT


def test_the_examples_of_the_engines_page_print_what_they_say() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "engine.md"), module_relative=False, encoding="utf-8")
    assert found.attempted > 15
    assert found.failed == 0
