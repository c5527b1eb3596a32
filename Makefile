# Yersin: every target says what it does; `make` prints them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python
# test files run side by side; 0 runs them one after the other
SIDE_BY_SIDE ?= 2
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

.PHONY: help setup parquet demo run check fix test test-all lock generate conformance bench clean

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 14

$(BIN)/uv: requirements-setup.lock
	$(PYTHON) -c 'import sys; sys.exit("Yersin needs Python 3.11 or later; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-setup.lock
	@touch $@

.venv/.product: $(BIN)/uv requirements.lock
	test -e .venv/.development || $(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.development: $(BIN)/uv requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@ .venv/.product

.venv/.clients: $(BIN)/uv tests/clients/requirements.lock
	$(BIN)/uv venv -q --clear --python $(BIN)/python .venv/clients
	$(BIN)/uv pip install -q --python .venv/clients/bin/python --require-hashes -r tests/clients/requirements.lock
	@touch $@

setup: .venv/.product  ## Install what Yersin needs into .venv and bundle the front end
	@$(BIN)/python tools/bundle.py

parquet: setup  ## Install what writes Parquet files of views (DuckDB, 70 MB)
	$(INSTALL) --require-hashes -r requirements-parquet.lock

demo: setup  ## Load a small invented country and serve it on http://127.0.0.1:8000
	@exec $(BIN)/yersin demo

run: setup  ## Serve what is in var/ (or YERSIN_DATA_DIR)
	@exec $(BIN)/yersin serve

check: .venv/.development  ## Lint, format, types, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python tools/house_rules.py

fix: .venv/.development  ## Repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: .venv/.development .venv/.clients setup  ## Everything that passes or fails the build, about 21 minutes
	@tools/test_programs.sh
	$(MAKE) --no-print-directory check
	$(BIN)/python tools/bundle.py --check
	$(BIN)/pytest --numprocesses=$(SIDE_BY_SIDE) --dist=loadfile --no-loadscope-reorder

test-all: .venv/.development .venv/.clients setup  ## The long forms too: a thousand kills, long fuzzing
	@tools/test_programs.sh
	YERSIN_LONG_TESTS=1 $(BIN)/pytest --timeout=7200

generate: .venv/.development  ## Write the generated R4 code anew (FHIR=folder of the 4.0.1 definitions)
	$(BIN)/python tools/generate_r4.py $(FHIR)
	$(BIN)/python tools/generate_profiles.py $(FHIR)
	$(BIN)/python tools/generate_search.py $(FHIR)
	$(BIN)/python tools/generate_terms.py $(FHIR)

conformance: .venv/.development .venv/.clients setup  ## Run the conformance suites and write docs/conformance.md
	@tools/test_programs.sh
	$(BIN)/python tools/bundle.py --check
	$(BIN)/python tools/conformance.py

bench: .venv/.development setup  ## Run the benchmarks; each prints a table and JSON
	@for program in bench/*.py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

lock: $(BIN)/uv  ## Renew the lock files (hashes, no addresses)
	printf 'uv\nhatchling\neditables\n' | $(LOCK) - -o requirements-setup.lock
	$(LOCK) pyproject.toml -o requirements.lock
	echo 'duckdb>=2' | $(LOCK) - -o requirements-parquet.lock
	$(LOCK) pyproject.toml --group dev -o requirements-dev.lock
	echo smart-fetch | $(LOCK) - -o tests/clients/requirements.lock

clean:  ## Remove what set-up made; data in var/ stays
	rm -rf .venv node_modules src/yersin/web/bundle
