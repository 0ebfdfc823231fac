"""Look up known weaknesses of what is installed: `make audit`.

pip-audit asks PyPI's database. It gets an environment of its own, in .venv/audit, where that database
answers; where it does not, that is said, and nothing was audited.
"""

import subprocess
import sys
import venv
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

#: What pip-audit asks, of a version whose weaknesses are known.
DATABASE = "https://pypi.org/pypi/pip/9.0.1/json"
PIP_AUDIT = "pip-audit==2.10.1"
SECONDS = 10


def answers(database: str = DATABASE) -> bool:
    """Whether the database is there: a mirror of packages has their files, and not this."""
    try:
        with urlopen(database, timeout=SECONDS) as answer:
            return b'"vulnerabilities"' in answer.read()
    except (OSError, HTTPException):
        return False


def main(database: str = DATABASE, run: Callable[[list[str]], int] = subprocess.call) -> int:
    """0 where nothing is known, or nothing could be asked; else what pip-audit or pip says."""
    if not answers(database):
        print("Not audited: PyPI's database of weaknesses does not answer from here.")
        return 0
    environment = Path(sys.prefix) / "audit"
    if not (environment / "bin" / "pip-audit").exists():
        venv.create(environment, with_pip=True, clear=True)
        if failed := run([str(environment / "bin" / "pip"), "install", "-qq", PIP_AUDIT]):
            return failed
    installed = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    return run([str(environment / "bin" / "pip-audit"), "--path", str(installed), "--skip-editable"])


if __name__ == "__main__":
    sys.exit(main())
