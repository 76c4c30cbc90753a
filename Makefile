# Everything a newcomer needs is `make run` and `make test`; both set up .venv themselves, once.
#   make run PROJECT=path/to/project        make test ARGS="-k plan -x"        make bench ARGS="..."
# Without ARGS the tests run side by side, a file at a time, and those that fail once more alone; with them as pytest is told.

PYTHON  ?= python3
PROJECT ?= sample_projects/resnet18
ARGS    ?=

SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile
VENV := .venv
BIN  := $(VENV)/bin
LOCK := $(if $(shell command -v flock),flock Makefile)  # two makes at once: the second waits, then finds all installed
PIP  := $(LOCK) $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --constraint constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test lint format bench lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.ready-run  ## open the workbench on the sample project (without a terminal: print its table)
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/magik-tui $(PROJECT); else exec $(BIN)/magik-tui run $(PROJECT); fi

test: lint  ## lint, types, import contracts, then the tests
	@$(BIN)/python -m pytest $(or $(ARGS),$(SIDE_BY_SIDE)) || { [ $$? = 1 ] && [ -z '$(ARGS)' ] \
	  && echo "once more, one at a time, what failed beside others:" && $(BIN)/python -m pytest --last-failed; }

lint: $(VENV)/.ready-dev  ## ruff, mypy, import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "some files are not formatted: make format" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }

format: $(VENV)/.ready-dev  ## rewrite the sources the way ruff formats them
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(VENV)/.ready-run  ## measure speed and memory (bench/README.md)
	@$(BIN)/python -m bench $(ARGS)

lock:  ## write constraints.txt anew from what a fresh environment resolves to
	@rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@{ echo '# Exact versions of everything `make run` and `make test` install; `make lock` writes this file.'; \
	   $(VENV)-lock/bin/python -m pip freeze --exclude-editable; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt && rm -rf $(VENV)-lock

clean:  ## remove the environment and every cache
	@rm -rf $(VENV) $(VENV)-lock build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp says which extras are in; it is younger than what it was made from, or it is made again.

$(VENV)/.ready-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make environments here. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute)" >&2
	@$(LOCK) $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready-run: pyproject.toml constraints.txt | $(VENV)/.ready-venv
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q engine magik_tui layouts  # or every start would, where PYTHONDONTWRITEBYTECODE is set
	@touch $@

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(VENV)/.ready-venv
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/.ready-run $@
