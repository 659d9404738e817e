# Two commands on a fresh machine: `make demo`, `make test`. Needs Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo studies test test-slow check ui bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make the virtual environment (the other targets do this by themselves)

# uv installs the pinned set: pip alone may pick a CPU-only torch that does not fit torchvision. Its own version and hashes
# are those of the lock file, too.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lorelab needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || sed -n '/^uv==/,/^ *#/p' requirements.lock | \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --requirements requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## run a small study on digits, from nothing to a report (under a minute)
	$(BIN)/lorelab study run demo scale=smoke progress=plain --results outputs/demo
	@echo
	@echo "The report:  $(CURDIR)/outputs/demo/demo/report.html"
	@echo "All claims:  $(CURDIR)/outputs/demo/index.html"
	@echo "Every run:   $${MLFLOW_TRACKING_URI:-$(CURDIR)/mlruns/mlflow.db} (browse it: make ui)"

studies: $(READY)  ## run the studies that a change touches (DVC), see dvc.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro

test: $(READY)  ## run the tests (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal

test-slow: $(READY)  ## run the tests that take long
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

check: $(READY)  ## format, lint, types, architecture, file budget
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_architecture.py

ui: $(READY)  ## browse the store in MLflow's interface
	$(BIN)/lorelab ui

bench: $(READY)  ## time Lorelab against bare loops and a peer (see benchmarks/README.md)
	$(BIN)/python -m benchmarks

lock: $(READY)  ## pin the newest set that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --all-extras --upgrade pyproject.toml -o requirements.lock

clean:  ## remove the environment and caches; runs and data stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
