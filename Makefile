# Everything a developer or a CI machine runs. Needs make and Python >= 3.11; `make` alone lists the targets.
# Every target sets up .venv first; once that is done, setting up again takes no time.

UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Cheap suites first, so that the first failure is the most precise one.
FAST_SUITES := $(addprefix tests/,unit properties golden contracts conformance topology simulation)
# So many tests at a time, a module's in one place: most of them wait for brokers and sessions, not for a processor.
LANES ?= 2
PYTEST := $(BIN)/python -m pytest -n $(LANES) --dist loadscope
# Options for the target's main command: make test ARGS="-k balance", make demo ARGS="--seconds 30".
ARGS ?=
ROUNDS ?= 3
SEED ?= 1

# A Python of your choice: make setup PYTHON=/opt/python/bin/python3.12
PYTHON ?=
CANDIDATES := $(PYTHON) $(if $(PYTHON),,python3.13 python3.12 python3.11 python3.14 python3 python)

# The lock decides what is installed, .venv where, and nothing outside the checkout has a say.
UV_SYNC := env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON_DOWNLOADS=never UV_PYTHON=$(BIN)/python \
	$(BIN)/uv sync --frozen --all-extras --all-groups

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup kafka demo test test-fast test-integration lint format types contracts check coverage mutants chaos chaos-broken bench up down clean

help:  ## list the targets
	@echo "atstream keeps available-to-sell right and tells every sales channel in time."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "ARGS=\"...\" adds options to a target's main command; PYTHON=... chooses the interpreter of .venv."

setup: $(READY)  ## create .venv and install what uv.lock names

kafka: $(READY)  ## where Java and Maven are: fetch the jars of Apache Kafka, so that no test needs the network
	@$(BIN)/python -c 'from pathlib import Path; from streams.local import jars; \
		why = jars.missing(); print("no Apache Kafka:", why) if why else jars.resolve(Path(".atstream/kafka"), print)'

demo: $(READY)  ## the whole system on real retail data, about a minute, ending with a proof
	@$(BIN)/atstream demo $(ARGS)

test: kafka  ## all tests
	$(PYTEST) $(FAST_SUITES) tests/integration tests/chaos $(ARGS)

test-fast: $(READY)  ## the tests that need no broker
	$(PYTEST) $(FAST_SUITES) $(ARGS)

test-integration: kafka  ## the tests on real brokers, which they start themselves
	$(PYTEST) tests/integration $(ARGS)

lint: $(READY)  ## ruff: style, likely mistakes, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## rewrite the sources the way `make lint` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

contracts: $(READY)  ## import direction between packages, compatibility of schemas
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.compatibility

check: lint types contracts test  ## exactly what CI runs

coverage: $(READY)  ## which branches the tests without a broker do not take
	$(BIN)/coverage run -m pytest $(FAST_SUITES) $(ARGS)
	$(BIN)/coverage report

mutants: $(READY)  ## show that the tests kill broken variants of the core
	$(BIN)/python -m tests.mutants $(ARGS)

chaos: kafka  ## rounds of faults on a real Kafka, each judged offset by offset: make chaos ROUNDS=3 SEED=1
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --seed $(SEED) $(ARGS)

chaos-broken: kafka  ## show that chaos notices builds that are broken on purpose, and only those
	$(BIN)/python -m tests.chaos.broken.suite $(ARGS)

bench: kafka  ## compare with other stream processors on a real Kafka, about an hour; ARGS="--quick": a smoke
	$(BIN)/python -m benchmarks $(ARGS)

up: $(READY)  ## start the local stack: broker, registry, Redis-compatible server
	@$(BIN)/atstream up $(ARGS)

down: $(READY)  ## stop the local stack and remove its data
	@$(BIN)/atstream down $(ARGS)

clean:  ## remove .venv, caches and build results (not the local stack: that is `make down`)
	rm -rf $(VENV) build dist *.egg-info .coverage htmlcov
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted setup is done again.
$(READY): pyproject.toml uv.lock
	@if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		python=; \
		for candidate in $(CANDIDATES); do \
			if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				python=$$candidate; break; \
			fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "setup: no Python >= 3.11 among: $(CANDIDATES)" >&2; \
			echo "setup: install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		echo "setup: creating $(VENV) with $$("$$python" --version) ($$python)"; \
		if ! "$$python" -m venv --clear $(VENV); then \
			echo "setup: this Python cannot create virtual environments: its venv or ensurepip module is missing." >&2; \
			echo "setup: on Debian and Ubuntu: apt install python3-venv; or choose another one with PYTHON=..." >&2; \
			rm -rf $(VENV); \
			exit 1; \
		fi; \
	fi
	@if [ "$$($(BIN)/uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$(UV_VERSION)" ]; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"; \
	fi
	$(UV_SYNC)
	@touch $(READY)
