# What people do with the project, by name. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run test check lint bench screenshots soak pins clean
.NOTPARALLEL:

ARGS ?=
BIN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'ARGS="..." passes options on: make run ARGS="--speed 20", make test ARGS="tests/store -x"'

setup: ## install what running needs into .venv (Python 3.11 to 3.13, nothing else)
	@scripts/setup.sh run

run: setup ## live demo on real traffic, in a browser; Ctrl-C ends it
	@$(BIN)/canary demo $(ARGS)

test: ## all tests; installs what they need (system packages only if you say so, or CI=true)
	@scripts/setup.sh test
	@scripts/services.sh
	@scripts/test.sh $(ARGS)

check: lint test ## format, lint, types, import rule, all tests

lint: ## all of check but the tests
	@scripts/setup.sh test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: ## what the README's figures come from
	@scripts/setup.sh test
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: ## the pictures in docs/pictures, from a demo that really runs
	@scripts/setup.sh test
	@scripts/services.sh
	@$(BIN)/python scripts/screenshots.py $(ARGS)

soak: ## kill the monitor 200 times with -9 and count what was lost or done twice
	@scripts/setup.sh test
	@CANARY_KILLS=$${CANARY_KILLS:-200} $(BIN)/python -m pytest -s tests/delivery/test_crash.py $(ARGS)

pins: ## write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade for the newest)
	@scripts/pins.sh $(ARGS)

clean: ## remove .venv and all caches; keeps data/state, where deployments are remembered
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache .coverage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
