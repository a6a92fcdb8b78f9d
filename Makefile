# Every target does the set-up it needs. `make` alone lists them.
PYTHON ?= $(shell tools/fastest-python)
VENV := .venv
BIN := $(VENV)/bin
OPA := .tools/opa-1.22.2/opa
LIBRARY_CHECK := --strict --capabilities rego/capabilities.json --schema rego/schemas
T ?= tests
PEERS := .tools/bench
INTEROP := mcp1 fastmcp langchain go
CHECKS := lint types imports rego proto-check docs-check

# Compiled modules are kept: without them every process that a test starts compiles the whole source anew.
export PYTHONDONTWRITEBYTECODE =
# A command of OPA's that is over in a tenth of a second need not collect its garbage four times.
export GOGC = 400

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-parts collected check fmt lint types imports rego proto-check proto docs-check docs lock \
	redis-server chromium conformance interop held-clients fuzz hostile bench bench-limits bench-console \
	bench-survey bench-register screenshots clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

dev: $(VENV)/.made $(OPA) ## make .venv with the tipstaff command in it, and get opa

$(VENV)/.made: requirements-dev.lock pyproject.toml
	@tools/python-venv $(PYTHON) $(VENV) $<
	@tools/python-packages $(PYTHON) $(VENV) --no-deps --no-build-isolation -e .
	@touch $@

.venv-demo/.made: requirements-demo.lock
	@tools/python-venv $(PYTHON) .venv-demo $<
	@touch $@

$(OPA): | $(VENV)/.made
	$(BIN)/tipstaff opa install

demo: dev .venv-demo/.made ## play the main job on real parts (KEEP=1 leaves it running)
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

test: dev ## all checks, then every test (T=path picks some)
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target $(CHECKS) test-parts
	$(BIN)/python -m pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder --durations 20 $(T)

# pytest rewrites its tests before they run: once here, beside the downloads, instead of in every worker.
collected: dev
	@$(BIN)/python -m pytest --collect-only --quiet $(T) >/dev/null || true

test-parts: collected .venv-demo/.made .tools/node/.made redis-server chromium $(INTEROP:%=.tools/interop/%/.made)

.tools/node/.made: tests/node/package.json tests/node/requirements.lock | $(VENV)/.made
	@tools/node-packages $(PYTHON)
	@touch $@

conformance: dev .tools/node/.made ## the MCP conformance suite, direct against through the gateway
	$(BIN)/python -m tests.conformance

held-clients: dev .tools/node/.made $(INTEROP:%=.tools/interop/%/.made) ## what real clients see while a call waits for approval
	$(BIN)/python -m tests.held_clients

fuzz: dev ## ten minutes of random messages and streams (SECONDS=600)
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),600)

hostile: dev ## five minutes of a hostile server and hostile callers (SECONDS=300)
	$(BIN)/python -m tests.hostile --seconds $(or $(SECONDS),300)

.tools/interop/%/.made: tests/interop/%.lock
	@mkdir -p .tools/interop && tools/python-venv $(PYTHON) .tools/interop/$* $<
	@touch $@

.tools/interop/go/.made: tests/interop/go/main.go tests/interop/go/go.mod tests/interop/go/go.sum
	@tools/go-program tests/interop/go $(@D)/client
	@[ ! -x $(@D)/client ] || touch $@

interop: dev .tools/node/.made $(INTEROP:%=.tools/interop/%/.made) ## real clients of both eras, as a matrix
	$(BIN)/python -m tests.interop

chromium:
	@tools/debian-package chromium-headless-shell chromium-headless-shell || tools/debian-package chromium chromium

redis-server:
	@tools/debian-package redis-server redis-server

check: dev ## format, lint, types, imports, Rego, proto
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target $(CHECKS)

fmt: dev ## format Python, Rego and proto
	$(BIN)/ruff format . && $(BIN)/ruff check --fix-only .
	$(OPA) fmt --write rego demo/policy && $(BIN)/buf format -w

lint: dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: dev
	$(BIN)/mypy

imports: dev
	$(BIN)/lint-imports

rego: dev
	$(OPA) fmt --list --fail rego demo/policy
	$(OPA) check $(LIBRARY_CHECK) rego/mcp
	$(BIN)/python tools/rego_coverage.py $(OPA) rego
	$(OPA) test --fail-on-empty rego/mcp demo/policy

proto-check: dev
	$(BIN)/buf lint && $(BIN)/buf format --diff --exit-code
	$(BIN)/python tools/generate_stubs.py --check

docs-check: dev
	$(BIN)/python tools/generate_docs.py --check

docs: dev ## write the reference pages that are generated from code
	$(BIN)/python tools/generate_docs.py

proto: dev ## generate the gRPC stubs from proto/
	$(BIN)/python tools/generate_stubs.py

lock: ## renew the requirement locks (hashes, no URLs)
	@tools/lock

$(PEERS)/venv/.made: bench/peers/requirements.lock
	@mkdir -p $(PEERS) && tools/python-venv $(PYTHON) $(@D) $<
	@touch $@

$(PEERS)/cerbos/.made: bench/peers/package.json .tools/node/.made
	@mkdir -p $(@D) && cp $< $(@D)
	@tools/npm-install $(@D)
	@touch $@

$(PEERS)/ghz:
	@! command -v go >/dev/null || GOBIN="$(CURDIR)/$(PEERS)" go install github.com/bojand/ghz/cmd/ghz@v0.121.0

bench: dev $(PEERS)/venv/.made $(PEERS)/cerbos/.made $(PEERS)/ghz ## what calls and decisions cost, beside others; PART=proxies|decisions|growth, BESIDE=PATH adds a checkout
	@tools/debian-package nginx nginx
	@tools/debian-package wrk wrk
	$(BIN)/python -m bench $(if $(PART),--part $(PART),--json bench/results/latest.json) $(if $(BESIDE),--beside $(BESIDE))

bench-limits: dev ## what a decision pays for its limits, by algorithm and store
	$(BIN)/python -m bench.limits

bench-console: dev .tools/node/.made chromium ## what an open console costs, with 1,000 pending approvals and 500 decisions a second
	$(BIN)/python -m bench.console

screenshots: dev .tools/node/.made chromium ## pictures of the console, into docs/images
	$(BIN)/python -m tests.screenshots docs/images inbox decision

bench-survey: dev ## how well tools are classified, on labelled tools (DATA=folder)
	$(BIN)/python -m bench.survey $(if $(DATA),--data $(DATA))

bench-register: dev ## register many real servers one by one, and tell what starter rules let pass (ONLY="slack email")
	$(BIN)/python -m bench.register_many $(if $(ONLY),--only $(ONLY))

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-demo .tools .demo
