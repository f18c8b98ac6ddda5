# `make demo` and `make test` are all a newcomer needs; both make .venv if it is missing.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: demo test lint docs clean

demo: .venv/installed
	$(BIN)/privaudit demo

test: .venv/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-docs  # into build/site; a broken link fails
	$(BIN)/python docs/site/build.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv; torch is large, this takes a minute or more"
	$(INSTALL) -e .
	@touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) -e '.[test]'
	@touch $@

.venv/installed-dev: .venv/installed-test
	$(INSTALL) -e '.[dev]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(INSTALL) -e '.[docs]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info privaudit-runs
