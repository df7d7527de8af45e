# Set-up is done once per change of pyproject.toml or constraints.txt; the stamp files say so.
PYTHON ?= python3.11
VENV   := .venv
TOOLS  := .tools
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test check lint types format docs reference prove bench bench-gpu fuzz lock sbom clean
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

docs: $(VENV)/.installed-dev  ## the pages of docs/ as a site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site: $(CURDIR)/site/index.html"

reference: $(VENV)/.installed-dev  ## docs/reference/ from the program itself, and the drawings of docs/measurements.md
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_drawings.py

prove: $(VENV)/.installed-dev  ## accuracy tables, from the models and public data; takes long
	$(BIN)/python docs/make_accuracy.py
	$(BIN)/python docs/make_measurement_accuracy.py
	$(BIN)/python docs/make_axial_accuracy.py
	$(BIN)/python docs/make_examination.py
	$(BIN)/python docs/make_marrow_accuracy.py
	$(BIN)/python docs/make_follow_up.py
	$(BIN)/python docs/make_regridded.py
	$(BIN)/python docs/make_reliability.py

bench: $(VENV)/.installed-dev  ## time and memory tables
	$(BIN)/python docs/make_benchmarks.py

bench-gpu: $(VENV)/.installed-dev  ## the same for a GPU: docs/benchmarks_gpu.md; where there is none, it says so
	$(BIN)/python docs/time_device.py --device cuda

fuzz: $(VENV)/.installed-dev  ## 100,000 executions with damaged input; takes hours, each repeatable by its number
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.run --executions 100000 --figures docs/fuzz.json

lock: $(TOOLS)/.installed  ## requirements.lock: checksums of every library but torch
	$(TOOLS)/bin/python docs/make_lock.py

sbom: $(TOOLS)/.installed $(VENV)/.installed-dev  ## docs/sbom.cdx.json: what is in an installation, as CycloneDX
	$(TOOLS)/bin/python docs/make_sbom.py $(BIN)/python

clean:
	rm -rf $(VENV) $(TOOLS) demo-report site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(TOOLS)/.installed: Makefile  # in an environment of its own: what makes lists is no part of what is listed
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet pip-tools==7.6.2 cyclonedx-bom==7.5.0
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $(VENV)/.installed $@
