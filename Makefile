# Set-up is done once per change of pyproject.toml or constraints.txt; the stamp files say so.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test check lint types format prove bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed  ## the main job on the sample study
	rm -rf demo-report
	$(BIN)/spinemri analyze sample_data -o demo-report
	@echo "The report: $(CURDIR)/demo-report/report.html"

test: $(VENV)/.installed-dev  ## all tests, one process per core
	$(BIN)/python -m pytest -n auto --dist loadfile

check: lint types test  ## what CI asks for

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## let ruff repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

prove: $(VENV)/.installed-dev  ## accuracy tables, from the models and public data; takes long
	$(BIN)/python docs/make_accuracy.py
	$(BIN)/python docs/make_measurement_accuracy.py
	$(BIN)/python docs/make_axial_accuracy.py
	$(BIN)/python docs/make_examination.py
	$(BIN)/python docs/make_marrow_accuracy.py
	$(BIN)/python docs/make_follow_up.py
	$(BIN)/python docs/make_reliability.py

bench: $(VENV)/.installed-dev  ## time and memory tables
	$(BIN)/python docs/make_benchmarks.py

clean:
	rm -rf $(VENV) demo-report dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.installed $@
