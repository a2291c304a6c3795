# Every job in the checkout. `make demo` and `make test` set up .venv themselves.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check lint types contracts format unit benchmark translations

python := .venv/bin/python
unit benchmark: export QT_QPA_PLATFORM = offscreen

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv, or refresh it after a change of requirements.lock
	@bash packaging/setup.sh

demo: setup ## open the window on the demonstration study (without a display: into demo-output/)
	@$(python) -m tumorviewer demo

test: setup check unit ## everything that CI runs

check: lint types contracts

lint: setup ## style of the code, without changing it
	@echo "Style (ruff)"
	@$(python) -m ruff check
	@$(python) -m ruff format --check

types: setup
	@echo "Types (mypy)"
	@$(python) -m mypy

contracts: setup
	@echo "Which room may import which (import-linter)"
	@.venv/bin/lint-imports

unit: setup
	@echo "Tests (pytest)"
	@$(python) -m pytest -n 2 --dist loadfile

format: setup ## put the code into the house style
	@$(python) -m ruff check --fix
	@$(python) -m ruff format

translations: setup ## renew the catalogues of resources/locale from the code, and compile them
	@$(python) packaging/translations.py

benchmark: setup ## measure speed and memory
	@for each in tests/benchmarks/*.py; do echo "$$each"; $(python) "$$each" || exit; done
