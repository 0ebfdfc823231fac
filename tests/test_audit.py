"""Known weaknesses are looked up where the database answers; where it does not, that is said."""

import venv
from pathlib import Path

import pytest

from tools import audit


def database(folder: Path, text: str) -> str:
    file = folder / "answer.json"
    file.write_text(text)
    return file.as_uri()


@pytest.mark.parametrize("text", ['{"info": {}}', "<html>a mirror</html>", None])
def test_where_no_database_answers_nothing_is_said_to_be_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    asked: list[list[str]] = []
    at = database(tmp_path, text) if text else (tmp_path / "nothing").as_uri()
    assert audit.main(at, lambda command: asked.append(command) or 1) == 0
    assert asked == []
    assert capsys.readouterr().out.startswith("Not audited")


@pytest.mark.parametrize("found", [0, 1])
def test_what_is_installed_is_audited_and_a_weakness_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: int
) -> None:
    installed = tmp_path / "lib" / "python3.11" / "site-packages"
    installed.mkdir(parents=True)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr(venv, "create", lambda *_args, **_more: None)
    commands: list[list[str]] = []

    def run(command: list[str]) -> int:
        commands.append(command)
        return found if "--path" in command else 0

    assert audit.main(database(tmp_path, '{"vulnerabilities": []}'), run) == found
    assert commands[0][-1] == audit.PIP_AUDIT
    assert str(installed) in commands[1]
