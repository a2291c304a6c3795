# Every job in the checkout. `make demo` and `make test` set up .venv themselves.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo quick test ci check lint types contracts format unit coverage benchmark \
	translations hooks interoperability

python := .venv/bin/python
quick unit coverage benchmark: export QT_QPA_PLATFORM = offscreen

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv, or refresh it after a change of requirements.lock
	@bash packaging/setup.sh

demo: setup ## open the window on the demonstration study (without a display: into demo-output/)
	@$(python) -m tumorviewer demo

quick: check ## a yes or no within 90 s: style, types, contracts, and the fast tests
	@echo "Fast tests (pytest)"
	@$(python) -m pytest -q -n 2 --dist loadfile -m "not slow" -x

test: check unit ## every test

ci: check coverage ## what CI runs: every test, and how much of the code they reach

check: lint types contracts ## style, types and contracts

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

coverage: setup ## every test, with the floor of pyproject.toml for what they reach
	@echo "Tests and what they reach (pytest, coverage)"
	@$(python) -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

format: setup ## put the code into the house style
	@$(python) -m ruff check --fix
	@$(python) -m ruff format

translations: setup ## renew the catalogues of resources/locale from the code, and compile them
	@$(python) packaging/translations.py

hooks: setup ## check style and contracts before every commit (.pre-commit-config.yaml)
	@$(python) -m pre_commit install

benchmark: setup ## measure speed and memory
	@for each in tests/benchmarks/*.py; do echo "$$each"; $(python) "$$each" || exit; done

interoperability: setup ## install others' programs (Debian, as root) and let them judge what we write
	@apt-get install -y -q orthanc orthanc-dicomweb dcmtk dicom3tools dcm2niix qpdf poppler-utils
	@QT_QPA_PLATFORM=offscreen $(python) -m pytest -q tests/pacs tests/reports tests/deidentification
