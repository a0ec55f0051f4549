# Six words: install, quickstart, test, lint, bench, zoo. Nothing but Python 3.11 or newer has to be there.
# Another interpreter: make install PYTHON=python3.12. pip's own settings (index, links, proxy) are respected.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: install quickstart test lint bench zoo

install: $(VENV)/.installed-test

quickstart: $(VENV)/.installed-run
	$(BIN)/harness run --suite quickstart --out runs/quickstart && $(BIN)/harness report runs/quickstart

# Files of tests side by side, one thread each: with more threads than cores, OpenMP is several times slower.
test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks

# Trains what is not trained of the networks of the suite `quickstart`, one a core; stopped, it goes on. They are there
# already: to train all from nothing and compare, make zoo OUT=my-zoo. One of your own: docs/add-a-network.md.
zoo: $(VENV)/.installed-run
	$(BIN)/python -m harness.plugins.models._zoo.training $(if $(OUT),--out "$(OUT)")

# Stamps: a changed pyproject.toml installs again, an unchanged one costs nothing.
$(VENV)/.installed-run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there)." \
	       "Type: make $(or $(firstword $(MAKECMDGOALS)),install) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	$(PIP) install --editable ".[demo]"
	@touch $@

$(VENV)/.installed-test $(VENV)/.installed-lint: $(VENV)/.installed-%: $(VENV)/.installed-run
	$(PIP) install --group $*
	@touch $@
