# `make` says what there is. Every target brings its own environment: a `python3` of 3.11 or newer is all it takes.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SECONDS ?= 45
SEED ?= 7

.DEFAULT_GOAL := help
.PHONY: help demo test check bench soak pictures fix lock vendor chromium
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Embedded Kafka and PostgreSQL, sample pipelines under live load, the dashboard; Ctrl-C ends it all
	@$(BIN)/inflect demo

# One file at a time: bounds on time are part of what is tested. ARGS="-n 2 --dist loadfile" takes half as long, and bears less.
test: check chromium ## The checks and every test, against real servers
	$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## Import contracts, lint, formatting, types
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY) ## Measure events per second against a pass-through; QUICK=1 takes less than a minute
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

soak: $(READY) ## Kill workers, supervisor and servers under load and count every event; SECONDS=45 SEED=7
	@$(BIN)/python -m tests.soak --seconds $(SECONDS) --seed $(SEED)

pictures: $(READY) chromium ## Take the pictures in docs/ anew, from the running demo
	@$(BIN)/python -m tests.browser.pictures

fix: $(READY) ## Format and mend what the linter can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: $(READY) ## Resolve the dependencies anew into both lock files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
		--extra embedded pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
		--extra embedded --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

vendor: ## Build the vendored JavaScript anew from its packages; needs node and npm
	inflect/engine/vendor/rebuild.sh

# The environment, made once and again when what it is made from changes.
$(READY): requirements-dev.lock pyproject.toml
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exec .ci/environment $$python $(VENV); \
	done; echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12" >&2; exit 1
	@touch $@

# The browser of the page tests; the driver comes with the environment.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || .ci/chromium
