# Every command a developer needs. `make` alone lists them.

# The interpreter that makes the virtualenv; afterwards only the virtualenv is used.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Our packages; a path that does not exist yet is left out.
CODE   := $(wildcard hub connectors message_schemas reconciliation keys bench tests)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench format lock clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with the locked libraries; instant when nothing changed

# The interpreter is looked at before it makes the virtualenv; then every library is checked against
# its hash, and the project itself is linked in. The second list is a transparency log by other
# hands, which our tests check ours against; it asks for a newer Python than it needs.
$(STAMP): requirements.lock requirements-crosscheck.lock pyproject.toml
	@test -x $(BIN)/python \
	  || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "ITMO Hub needs Python 3.11 or newer, but '$(PYTHON)' is:" \
	    "$$($(PYTHON) --version 2>&1 || true)" >&2; \
	  echo "Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --ignore-requires-python --require-hashes --requirement requirements-crosscheck.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Run the demonstration: a hub, registries, transfers, all books compared
	$(BIN)/itmo-hub demo

test: setup  ## Run every test, the slow ones too
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: setup  ## Formatting, lint, types, import rules and house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/test_house_rules.py

bench: setup  ## Run the benchmarks; ONLY=name runs one
	$(BIN)/python -m bench $(ONLY)

format: setup  ## Format the code and apply the safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A range in pyproject.toml becomes one version and its hashes, for every platform at once.
lock: setup  ## Choose the newest allowed libraries and write requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  pyproject.toml --output-file requirements.lock

clean:  ## Remove what the other commands made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	  .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
