# Everything sets itself up: `make run` and `make test` need a Python 3.11 or newer with venv, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(if $(AGGREGATOR_DATA),$(AGGREGATOR_DATA),../shared/data)
# What was compiled is kept, whatever the machine says: hundreds of tests start the program anew.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps

# pytest with a process more than cores, as tests wait, too; a file's tests stay in one process, in their order.
WORKERS ?= $(shell expr $$(nproc) + 1)
PYTEST := AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run check types test test-later test-all lint size format bench eval mutants picture lock clean

help:  ## show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.done  ## install what is needed, then run the daemon with config.yaml: http://127.0.0.1:8080
	$(BIN)/aggregator db upgrade
	$(BIN)/aggregator run

check: style  ## style, types and the quick unit tests
	@$(MAKE) --no-print-directory -j2 types quick

test: $(VENV)/dev.done  ## install what is needed, then run the tests that decide (4 minutes on two cores)
	@sh tests/support/browser.sh
	$(PYTEST) -m "not (torture or soak or later)" tests

test-later: $(VENV)/dev.done  ## run what make test leaves out: tests on Postgres, kills, all that takes more than a second or two
	@sh tests/support/browser.sh
	$(PYTEST) -m "later and not (torture or soak)" tests

test-all: $(VENV)/dev.done  ## run everything: the long tests too, with random seeds (hours)
	@sh tests/support/browser.sh
	AGGREGATOR_SEED=$${AGGREGATOR_SEED:-random} $(PYTEST) --hypothesis-profile random --timeout 7200 tests

lint: style types  ## check style, types, the direction of imports, and the layout

style: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m benchmarks.size --check

types: $(VENV)/dev.done
	$(BIN)/mypy

quick: $(VENV)/dev.done
	$(PYTEST) -p no:schemathesis -m "not (torture or slow or later)" tests/unit

size: $(VENV)/dev.done  ## print how large the project is
	$(BIN)/python -m benchmarks.size

format: $(VENV)/dev.done  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.done  ## measure speed and size
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m benchmarks

eval: $(VENV)/run.done  ## measure grouping, text extraction and what stories show on the labelled data
	$(BIN)/aggregator eval $(DATA)/events-months.jsonl.gz
	$(BIN)/aggregator eval --loose $(DATA)/events-reading-list-loose.jsonl $(DATA)/events-reading-list.jsonl.gz
	$(BIN)/aggregator eval $(foreach set,fulltext leads lookalikes headlines,$(DATA)/events-$(set).jsonl.gz)
	AGGREGATOR_DATA=$(DATA) $(BIN)/python benchmarks/extraction.py
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m benchmarks.stories

mutants: $(VENV)/dev.done  ## plant faults in the decisions and say which no test catches (ten minutes)
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m tests.support.planted_faults

picture: $(VENV)/dev.done  ## make the pictures of README and docs from the sample articles
	@sh tests/support/browser.sh
	$(BIN)/python -m tests.support.story_picture
	AGGREGATOR_PICTURES=docs $(PYTEST) tests/e2e/test_reader_walk.py

lock: $(VENV)/run.done  ## choose new versions of the dependencies (needs uv)
	uv pip compile pyproject.toml --extra postgres --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements/run.txt
	uv pip compile pyproject.toml --extra postgres --extra dask --extra archives --extra brotli --extra notify --extra mcp --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt -o requirements/dev.txt
	for extra in notify mcp dask archives; do \
	  uv pip compile pyproject.toml --extra postgres --extra $$extra --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt -o requirements/$$extra.txt || exit; \
	done
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements/build.txt

clean:  ## delete the environment and caches (never the database)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# The lock names every package with its hashes, so pip resolves nothing (--no-deps).
$(VENV)/made:
	@echo "creating the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.done: $(VENV)/made requirements/run.txt pyproject.toml
	@echo "installing the $$(grep -c '^[^ #]*==' requirements/run.txt) packages of requirements/run.txt"
	@$(PIP) --require-hashes -r requirements/run.txt
	@echo "installing aggregator"
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q aggregator  # for those who start it and may not write here
	@touch $@

$(VENV)/dev.done: $(VENV)/made requirements/dev.txt pyproject.toml
	@echo "installing the $$(grep -c '^[^ #]*==' requirements/dev.txt) packages of requirements/dev.txt"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@echo "installing aggregator"
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q aggregator  # for those who start it and may not write here
	@touch $@ $(VENV)/run.done
