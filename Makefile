# Two commands do all the set-up: `make demo` and `make test`. Needed: Python 3.11 or newer with pip, and make.
# Another Python: `make demo PYTHON=python3.13 VENV=.venv-3.13`.

PYTHON ?= python3
VENV ?= .venv
# Test processes; more than cores is slower.
JOBS ?= 2

BIN := $(VENV)/bin
LOCKED := $(VENV)/.stamp-locked
READY := $(VENV)/.stamp-ready
NOTEBOOK_OUTPUTS := $(CURDIR)/build/notebook-outputs

# The environment's own pip; where Python comes without ensurepip, the pip beside it works on the environment.
PIP = if $(BIN)/python -c 'import pip' 2>/dev/null; then set -- $(BIN)/python -m pip; \
	else set -- $(PYTHON) -m pip --python $(BIN)/python; fi; \
	"$$@" --disable-pip-version-check install --quiet

.PHONY: help setup demo test test-slow bench proof check format lock clean
.DELETE_ON_ERROR:

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## the environment: the locked packages, then this one

$(LOCKED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is missing or older than 3.11 -> name another: make PYTHON=python3.13" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@echo "make: installing the locked packages into $(VENV) (one to three minutes, once)"
	@$(PIP) --require-hashes -r requirements.txt
	@touch $@

# The build backend is locked as well, so nothing is fetched here.
$(READY): $(LOCKED) pyproject.toml
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

demo: $(READY)  ## the invented organisation at full size: returns, snapshots, all reports of its latest period
	@$(BIN)/pmo demo

# Notebooks run by hand open the demo's snapshots: nbval runs them on a small demo of its own, not on what is in outputs/.
test: $(READY)  ## all tests but the slow ones, then every notebook on its defaults
	$(BIN)/python -m pytest --durations=10 -n $(JOBS) --dist loadscope -m "not slow"
	rm -rf $(NOTEBOOK_OUTPUTS)
	PMO_OUTPUTS=$(NOTEBOOK_OUTPUTS) $(BIN)/pmo demo --periods 3 --portfolios 3 --projects 6
	PMO_OUTPUTS=$(NOTEBOOK_OUTPUTS) $(BIN)/python -m pytest --durations=10 -n $(JOBS) --dist loadscope \
		--nbval-lax --nbval-current-env -p no:cacheprovider notebooks

test-slow: $(READY)  ## the tests at full size
	$(BIN)/python -m pytest --durations=10 -n $(JOBS) --dist loadscope -m slow

# Each prints its figures against a floor of the same run, and fails where it misses its bar.
bench: $(READY)  ## benchmarks: intake, hostile files, opening a snapshot, metrics, simulation, a batch of reports, verifying
	@cd tests && for name in hostile_files intake_speed opening_speed metrics_speed simulation_speed batch_speed \
		verify_speed; do \
		echo "== $$name"; $(abspath $(BIN))/python -m benchmarks.$$name || failed=1; done; test -z "$$failed"

proof: $(READY)  ## all runs of a demo made again from its archive under variations of place, day and machine (hours)
	@cd tests && $(abspath $(BIN))/python -m benchmarks.rerun_proof

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

format: $(READY)  ## put the code into its form
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

# Keeps what is pinned; `make lock UV_FLAGS=--upgrade` moves everything that may move.
lock: $(READY)  ## write requirements.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --group dev \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' $(UV_FLAGS) \
		pyproject.toml -o requirements.txt

clean:  ## remove the environment and what tests left; outputs/ stays
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis
