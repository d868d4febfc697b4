# Everything sets itself up: `make run` and `make test` need a Python 3.11 or newer with venv, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(if $(AGGREGATOR_DATA),$(AGGREGATOR_DATA),../shared/data)
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help run test test-unit test-e2e test-integration test-postgres lint format bench eval torture soak picture lock clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.done  ## set up, then the daemon on config.yaml: http://127.0.0.1:8080
	$(BIN)/aggregator db upgrade
	$(BIN)/aggregator run

test: $(VENV)/dev.done  ## set up, then the tests (12 minutes at most)
	@sh tests/browser.sh
	@echo "four lanes, three side by side; what they say comes when each is done, within some minutes"
	@$(MAKE) --no-print-directory -j3 --output-sync=target test-e2e test-integration test-unit test-postgres

test-unit:
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m "not torture and not soak" tests/unit tests/property

test-e2e:
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m "not torture and not soak" tests/e2e

test-integration:
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m "not torture and not soak" tests/integration -k "not postgres"

test-postgres:
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m "not torture and not soak" tests/integration -k postgres

lint: $(VENV)/dev.done  ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/dev.done  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.done  ## speed and size, as ratios measured side by side
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m benchmarks

eval: $(VENV)/run.done  ## how good grouping, extraction and merged stories are, on the labelled data
	$(BIN)/aggregator eval --worst 3 $(DATA)/events-*.jsonl.gz
	AGGREGATOR_DATA=$(DATA) $(BIN)/python benchmarks/extraction.py
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m benchmarks.merged

torture: $(VENV)/dev.done  ## the long proofs: kills, power cuts, floods
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m torture --timeout 7200

soak: $(VENV)/dev.done  ## half an hour of steady load
	AGGREGATOR_DATA=$(DATA) $(BIN)/python -m pytest -m soak --timeout 7200

picture: $(VENV)/dev.done  ## the pictures of the README anew, from the sample articles
	@sh tests/browser.sh
	$(BIN)/python -m tests.e2e.story_picture

lock: $(VENV)/run.done  ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra postgres --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements/run.txt
	uv pip compile pyproject.toml --extra postgres --extra vectors --extra dask --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -c requirements/run.txt -o requirements/dev.txt
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements/build.txt

clean:  ## take the environment and caches away (never the database)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# The lock names every package with its hashes, so pip resolves nothing (--no-deps).
$(VENV)/made: 
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/run.done: $(VENV)/made requirements/run.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --editable .
	touch $@

$(VENV)/dev.done: $(VENV)/made requirements/dev.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --editable .
	touch $@ $(VENV)/run.done
