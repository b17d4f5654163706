# setup · demo · test · test-slow · lint · bench · train: one command each; each sets up what it needs in .venv
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEV := .venv/.ready-dev
PORT ?= 8501

.PHONY: setup demo test test-slow lint bench train

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Omnia needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(DEV): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Ingest the samples and open the page on http://localhost:8501; Ctrl-C ends it.
demo: $(READY)
	$(BIN)/python -m indexer ingest data/samples
	$(BIN)/python -m app serve --port $(PORT)

test: $(DEV)
	$(BIN)/python -m pytest

test-slow: $(DEV)
	$(BIN)/python -m pytest -m slow

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m tests.bench

# Make omnia-mini anew by embedder/training/recipe.toml; about 15 GB of sources, on a Debian machine. Goes on where it was.
train: $(DEV)
	$(BIN)/python -m embedder train
