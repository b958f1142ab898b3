# Everything Kassa makes on this machine lives under ./var. Nothing else is touched.
SHELL := /bin/bash
PYTHON ?= python3
VENV := var/venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run serve test test-long test-kafka kafka chaos lint bench bench-recovery schemas clean
.DEFAULT_GOAL := run

# A private virtual environment with locked, hash-checked versions. Rebuilt when the lock changes.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: $(READY)        ## the main job: terminals -> ledger -> payees -> ClickHouse -> registries, then the audit
	$(BIN)/kassa demo

serve: $(READY)      ## the same, and keep it running until Ctrl-C
	$(BIN)/kassa demo --serve

test: $(READY)       ## unit, property and integration tests on the embedded broker and warehouse
	$(BIN)/pytest -m "not kafka and not faults and not long" -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -m faults

test-long: $(READY)  ## what takes longer: rebuilds, floods and storms, the doctor on a live stack, the faults suite's judge
	$(BIN)/pytest -m long -n 2 --dist loadfile --no-loadscope-reorder

test-kafka: $(READY) ## the integration suite on real Apache Kafka (Java 17 and Maven)
	$(BIN)/pytest -m kafka

chaos: $(READY)      ## everything fails at random on three brokers, then the verdict: make chaos SECONDS=180 [SEED=n]
	$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),180) --seed $(or $(SEED),0) $(CHAOS)

kafka: $(READY)      ## a real Apache Kafka broker on this machine until Ctrl-C (Java 17 and Maven)
	$(BIN)/kassa kafka

lint: $(READY)       ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)      ## the figures of docs/performance.md, written to var/bench/*.json
	$(BIN)/python -m bench --scale $(or $(SCALE),1)
	$(BIN)/python -m bench.tracking --rows $(or $(ROWS),1000000)
	$(BIN)/python -m bench.recovery --entries $(or $(ENTRIES),10000000)

bench-recovery: $(READY) ## a worker with ENTRIES (10 million) behind it, with and without a snapshot; Apache Kafka if there is Java
	$(BIN)/python -m bench.recovery --entries $(or $(ENTRIES),10000000)

schemas: $(READY)    ## regenerate docs/schemas and docs/asyncapi.json from the models
	$(BIN)/python -m console.schema_docs

lock:                ## re-resolve requirements.lock (needs uv: pip install uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --all-extras pyproject.toml --output-file requirements.lock

clean:               ## remove everything this checkout made
	rm -rf var
