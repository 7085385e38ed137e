# Everything a newcomer or CI runs. `make demo` and `make test` need only Python >= 3.11 and the package index.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.synced
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint gen bench soak serve clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml uv.lock
	@command -v uv >/dev/null || test -x .venv-uv/bin/uv || { $(PYTHON) -m venv .venv-uv && .venv-uv/bin/pip install --quiet 'uv>=0.9'; }
	@echo "installing into .venv (once) …"
	@PATH="$$PWD/.venv-uv/bin:$$PATH" uv sync --quiet --frozen --all-extras --compile-bytecode --python "$$(command -v $(PYTHON))"
	@touch $@

demo: $(STAMP) ## Start a mesh, let the sample domains publish, and play the story
	@$(BIN)/mesh demo

serve: $(STAMP) ## Start a server with its embedded defaults
	@$(BIN)/mesh serve

test: $(STAMP) ## The whole suite: lint, types, contracts, unit, integration, end to end
	@scripts/prepare-components
	$(BIN)/pytest -n 2 --dist loadfile --durations 20 -m "not soak"

test-fast: $(STAMP) ## The quick part of the suite (< 3 minutes)
	$(BIN)/pytest -n 2 --dist loadfile -m "not soak and not slow and not weaviate" tests/unit tests/contract

lint: $(STAMP) ## Only style, types, imports and the API description
	$(BIN)/pytest -q tests/contract/test_lint.py

gen: $(STAMP) ## Regenerate gen/ and the API reference from proto/
	scripts/generate
	$(BIN)/python scripts/api_reference.py

bench: $(STAMP) ## Measure; ONLY=name for one benchmark
	$(BIN)/python -m benchmarks $(ONLY)

soak: $(STAMP) ## Long runs: every kill point many times
	$(BIN)/pytest -m soak --timeout 3600

clean: ## Remove the environment and every cache of the tools
	rm -rf .venv .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
