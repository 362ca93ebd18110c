# The two commands of a newcomer are "make html" and "make test"; everything else is made by them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL  := /bin/sh
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PAGE   := doc/_build/html/index.html

.PHONY: help
help: ## print these targets
	@echo "Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo "Choices, as in \"make html FMRI=my_bold.nii.gz\":"
	@echo "  FMRI=path      the 4D file to measure on"
	@echo "  DATA=name      a named file instead: development_fmri or example4d"
	@echo "  CONCAT=n       join the run to itself n times along time"
	@echo "  RUNS=n         timed runs of each method (5)"
	@echo "  FRESH=1        measure again what is stored"
	@echo "  MEASURE=0      measure nothing: show the results that come with the project"
	@echo "  MEMORY_LIMIT=n stop a method that holds more, as 8GiB"
	@echo "  TIME_LIMIT=n   stop an interpreter that runs longer, as 10min"

.PHONY: html
html: $(READY) ## measure what is not measured yet and build the site
	@$(BIN)/python -m benchmarks file
	@$(BIN)/python -m sphinx -n -W --keep-going -q -c . -d doc/_build/doctrees doc doc/_build/html
	@echo "$(CURDIR)/$(PAGE)"

.PHONY: test
test: $(READY) ## lint, type-check and run the tests
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@git ls-files -z '*.py' '*.rst' '*.md' '*.css' '*.js' '*.toml' | xargs -0 -r $(BIN)/codespell
	@$(BIN)/sphinx-lint README.md CHANGELOG.md CONTRIBUTING.md examples $$(git ls-files 'doc/*.rst')
	@$(BIN)/python -m pytest

.PHONY: check
check: html ## judge every claim of the site; fails when one is contradicted
	@$(BIN)/python -m benchmarks check

.PHONY: linkcheck
linkcheck: $(READY) ## ask every outside link of the site whether it is still there
	@MEASURE=0 $(BIN)/python -m sphinx -b linkcheck -q -c . -d doc/_build/linkcheck-doctrees doc doc/_build/linkcheck

.PHONY: measure
measure: $(READY) ## measure every task without building the site
	@$(BIN)/python -m benchmarks measure

.PHONY: releases
releases: $(READY) ## measure under several releases of nilearn and nibabel, in turns
	@$(BIN)/python -m nox --noxfile benchmarks/releases/noxfile.py || \
		echo "Some releases could not be installed; the others are measured."
	@$(BIN)/python -m benchmarks releases

.PHONY: reference
reference: $(READY) ## keep what is measured here as the results that come with the project
	@$(BIN)/python -m benchmarks calibrate
	@# Every example measures what it needs; pages that show stale reference results may fail.
	-@$(BIN)/python -m sphinx -q -c . -d doc/_build/doctrees doc doc/_build/html
	@$(BIN)/python -m benchmarks reference

.PHONY: clean
clean: ## remove the built site and its measurements; .venv stays
	rm -rf doc/_build doc/auto_examples

# Installed again only when pyproject.toml changes. The mark is written last, so that an
# interrupted installation is not taken for a finished one.
$(READY): pyproject.toml
	@echo "Preparing $(VENV) (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 html")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cluster,doc,test]"
	@touch $@
