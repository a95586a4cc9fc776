# Two commands matter: make demo and make test. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
NAME ?= demo
export PYTHONPATH := operator:images/embedding:images/model:images/rag:images/gateway:images/evaluation
# Hundreds of processes import the same packages: compiling them anew each time costs more than some suites.
unexport PYTHONDONTWRITEBYTECODE
export CHAT_MODEL_URL CHAT_MODEL_SHA256 CODE_MODEL_URL CODE_MODEL_SHA256

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test unit check lock generate images bench-reconcile bench-failover bench-vram bench-retrieval bench-load
.PHONY: test-failover bench-freshness clean-cache

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.venv/.ready: requirements/dev.txt
	$(PYTHON) -m e2e.venv .venv requirements/dev.txt

demo: ## Bring up a cluster, install the chart, apply a stack, ask two questions
	$(PYTHON) -m e2e.demo --name $(NAME)

demo-down: ## Remove everything that make demo made, built programs and images in the cache aside
	$(PYTHON) -m e2e.cluster down --name $(NAME)

test: ## Everything that can run without a GPU
	$(PYTHON) -m e2e.suite all

unit: ## The inner loop: fast examples; properties and processes are left to `make test`
	$(PYTHON) -m e2e.suite inner

check: ## Lint, types, import contracts, generated files
	$(PYTHON) -m e2e.suite check

generate: .venv/.ready ## Write the CRD and the chart's copy of it
	$(BIN)/python -m e2e.generate

lock: .venv/.ready ## Compile the hash-pinned requirement locks
	$(BIN)/python -m e2e.locks

images: .venv/.ready ## Build every image
	$(PYTHON) -m e2e.cluster build-images

test-failover: .venv/.ready ## Every fault of the failover table on a cluster, each under 500 requests (about 90 minutes)
	$(BIN)/python -m e2e.cluster build-images
	$(BIN)/python -m pytest -q -s -p no:cacheprovider e2e/scenarios/full_8_failover.py -m e2e

bench-failover: .venv/.ready ## What callers see of faults, beside a plain stack; prints the table (about 90 minutes)
	$(BIN)/python benchmarks/failover.py

bench-vram: .venv/.ready ## Planned memory beside what a real llama-server reports, in one table
	$(BIN)/python benchmarks/vram.py

bench-retrieval: .venv/.ready ## Retrieval beside dense-only, the standard recipe, BM25 and ripgrep
	$(BIN)/python benchmarks/retrieval.py

bench-load: .venv/.ready ## Search, ask and indexing under an open load
	$(BIN)/python benchmarks/load.py

bench-freshness: .venv/.ready ## How soon a push is found, and what a sync of nothing costs
	$(BIN)/python benchmarks/freshness.py

bench-reconcile: .venv/.ready ## Reconcile 200 stacks on a real API server and print the figures
	$(BIN)/python benchmarks/reconcile.py

clean-cache: ## Remove the built programs and images and the Python environments
	$(PYTHON) -m e2e.cluster clean-cache
