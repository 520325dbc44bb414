# `make demo` and `make test` need Python 3.11 or newer, git and make; the rest comes into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
# Tests at once, each with servers of its own; 0: one after the other, as plain `pytest` does.
WORKERS ?= 0
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check install clean model simulate chaos mutants fuzz durability starts versions bench fair docs release

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --compile-bytecode \
		--python $(BIN)/python
	@touch $(STAMP)

install: $(STAMP)  ## Install into .venv

demo: $(STAMP)  ## Server, simulated game servers and players on an embedded Valkey, until Ctrl-C
	$(BIN)/matchkeeper demo

test: $(STAMP) check  ## Linters, types and all tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup

check: $(STAMP)  ## Linters and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/mypy

# The proof: see docs/reliability.md. ARGS="--seeds 10000" hands options on.
model: $(STAMP)  ## The protocol as a model, checked exhaustively; needs spin and a C compiler
	$(BIN)/python -m proof.model $(ARGS)

simulate: $(STAMP)  ## Every fault at every operation, and random seeds, deterministically
	$(BIN)/python -m proof.simulate $(ARGS)

fuzz: $(STAMP)  ## Foreign bytes for everything that reads some
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --group fuzz \
		--python $(BIN)/python
	$(BIN)/python -m proof.fuzz $(ARGS)

durability: $(STAMP)  ## Who is missing after a crash of Redis, by durability
	$(BIN)/python -m proof.durability $(ARGS)

starts: $(STAMP)  ## Who is started twice after a failover, by durability
	$(BIN)/python -m proof.durability.starts $(ARGS)

chaos: $(STAMP)  ## Real processes, killed and cut off for minutes
	$(BIN)/python -m proof.chaos $(ARGS)

versions: $(STAMP)  ## The version before this one beside this one, rolled forward and back
	$(BIN)/python -m proof.versions $(ARGS)

mutants: $(STAMP)  ## Deliberate bugs, and which run finds each
	$(BIN)/python -m proof.mutants $(ARGS)

bench: $(STAMP)  ## How fast it is, beside what Redis alone lets through
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --group bench \
		--python $(BIN)/python
	$(BIN)/python -m bench $(ARGS)

fair: $(STAMP)  ## How fair matches are for the wait, beside other policies; writes docs/fairness.md
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --group fair \
		--python $(BIN)/python
	$(BIN)/python -m bench.fair $(ARGS)

docs: $(STAMP)  ## The documentation as a site, in site/; a dead link is an error
	UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --group docs \
		--python $(BIN)/python
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

release: $(STAMP)  ## sdist, wheels and SBOM in dist/, and all tests against those wheels
	.ci/release $(ARGS)

clean:  ## Remove .venv, the site and caches
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
