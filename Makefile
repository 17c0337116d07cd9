# talentflow: `make run` simulates the baseline, `make test` runs the tests. `make help` lists all.
# Give another interpreter with PYTHON=python3.12. pip's own configuration is respected.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test lint format gallery docs clean

help:
	@echo "make run     install into $(VENV), simulate the baseline, write runs/baseline"
	@echo "make test    install with the tools for development, run the tests"
	@echo "make lint    check style and types (ruff, mypy)"
	@echo "make format  put the code into the project's format"
	@echo "make gallery draw docs/images and docs/gallery.md from real runs (a few minutes)"
	@echo "make docs    build the documentation as a site in build/docs"
	@echo "make clean   remove $(VENV), build products and caches; runs/ is kept"
	@echo "PYTHON=...   the interpreter to make $(VENV) with, 3.11 or later (now: $(PYTHON))"

run: $(VENV)/.installed
	@$(BIN)/talentflow run baseline --out runs/baseline --overwrite

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

gallery: $(VENV)/.installed-dev
	@$(BIN)/python -m analysis.gallery

docs: $(VENV)/.installed-docs
	@$(BIN)/python -m sim.parameter_table docs/parameters.md
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml
	@echo "written: build/docs/index.html"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp files make the second time quick; they are older than a changed pyproject.toml.
$(VENV)/.installed: pyproject.toml
	@$(MAKE) --no-print-directory venv
	@echo "installing talentflow into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	@$(MAKE) --no-print-directory venv
	@echo "installing talentflow and its development tools into $(VENV) ..."
	@$(PIP) -e '.[dev,build,docs,evidence]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml
	@$(MAKE) --no-print-directory venv
	@echo "installing talentflow and what builds its documentation into $(VENV) ..."
	@$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.installed

.PHONY: venv
venv:
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  if ! command -v $(PYTHON) >/dev/null 2>&1; then \
	    echo "talentflow: no $(PYTHON) here; install Python 3.11 or later," \
	      "or name one: make PYTHON=/path/to/python3.11" >&2; exit 2; fi; \
	  if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "talentflow: $(PYTHON) is `$(PYTHON) --version 2>&1 | head -n 1`, but 3.11 or later is needed;" \
	      "name one: make PYTHON=python3.11" >&2; exit 2; fi; \
	  echo "making $(VENV) with `$(PYTHON) --version 2>&1` ..."; \
	  $(PYTHON) -m venv --clear $(VENV); fi
