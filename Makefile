# Everything starts from a fresh clone: the first target that needs it makes .venv (scripts/bootstrap.sh).
# Parallel tests: JOBS=4. More of pytest: make test ARGS="-k pcr".

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check bench prove lock openapi wheel clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.bootstrapped
JOBS ?= 3
ARGS ?=
# What is type-checked beside src and tests, once it exists.
TYPED := src tests $(wildcard benchmarks migrations)

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): scripts/bootstrap.sh pyproject.toml requirements-dev.lock requirements-build.lock
	@scripts/bootstrap.sh

run: $(STAMP) ## The main job, nothing configured: MongoDB, simulator, service, one session (DAY= SPEED= DATA= PORT=)
	@$(BIN)/algoexec demo $(if $(DAY),--day $(DAY)) $(if $(SPEED),--speed $(SPEED)) $(if $(DATA),--data $(DATA)) $(if $(PORT),--port $(PORT))

test: $(STAMP) ## All tests but the long proofs
	$(BIN)/python -m pytest -m "not prove" -n $(JOBS) --dist loadfile $(ARGS)

check: $(STAMP) ## Format, lint, types, imports, openapi.json
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/algoexec openapi --check openapi.json

bench: $(STAMP) ## Measure, and print a table
	$(BIN)/python -m benchmarks $(ARGS)

prove: $(STAMP) ## The long proofs: kills, soak, drops
	$(BIN)/python -m pytest -m prove --timeout 3600 $(ARGS)

openapi: $(STAMP) ## Write openapi.json
	$(BIN)/algoexec openapi > openapi.json.new
	mv openapi.json.new openapi.json

# Versions that are locked stay unless UPGRADE=1. Run it on any supported Python: the result is the same.
COMPILE = $$(scripts/bootstrap.sh uv) pip compile --quiet --python $(BIN)/python --universal --generate-hashes \
	--no-emit-index-url --no-header --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: $(STAMP) ## Resolve the dependencies again (UPGRADE=1 for newer versions)
	$(COMPILE) --python-version 3.12 pyproject.toml --all-extras --output-file requirements.lock
	$(COMPILE) --python-version 3.12 pyproject.toml --extra redis --extra otel --constraint requirements.lock --output-file requirements-image.lock
	$(COMPILE) --python-version 3.12 pyproject.toml --all-extras --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --python-version 3.9 --group build --output-file requirements-build.lock
	$(COMPILE) --python-version 3.12 --group peers --output-file requirements-peers.lock

wheel: $(STAMP) ## Build dist/algoexec-*.whl
	$(BIN)/hatchling build -t wheel

clean: ## Remove what was made: .venv, caches, builds
	rm -rf $(VENV) .venv-peers .uv dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis openapi.json.new
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
