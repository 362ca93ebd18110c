# The two commands of a newcomer are "make html" and "make test"; everything else is made by them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL  := /bin/sh
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := $(VENV)/.ready-html
TEST   := $(VENV)/.ready-test
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
	@echo "  OUT=folder     where upstream and asv write to"

.PHONY: install
install: $(BUILD) ## install into .venv what the commands of README.md need, and no more

.PHONY: html
html: $(BUILD) ## measure what is not measured yet and build the site
	@$(BIN)/python -m benchmarks file
	@$(BIN)/python -m sphinx -n -W --keep-going -q -c . -d doc/_build/doctrees doc doc/_build/html
	@echo "$(CURDIR)/$(PAGE)"

.PHONY: test
test: $(TEST) $(PAGE) ## lint, type-check and run the tests
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@git ls-files -z '*.py' '*.rst' '*.md' '*.css' '*.js' '*.toml' | xargs -0 -r $(BIN)/codespell
	@$(BIN)/sphinx-lint README.md CHANGELOG.md CONTRIBUTING.md examples $$(git ls-files 'doc/*.rst')
	@# The tests of a file, which share what is measured for them, stay in one process.
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The tests look at a site. Where none is built, one of the reference results will do.
$(PAGE): | $(TEST)
	@$(MAKE) --no-print-directory html MEASURE=0

.PHONY: check
check: html ## judge every claim of the site; fails when one is contradicted
	@$(BIN)/python -m benchmarks check

.PHONY: linkcheck
linkcheck: html ## ask every outside link of the site whether it is still there
	@$(BIN)/python -m sphinx -b linkcheck -q -c . -d doc/_build/linkcheck-doctrees doc doc/_build/linkcheck

.PHONY: measure
measure: $(BUILD) ## measure every task without building the site
	@$(BIN)/python -m benchmarks measure

.PHONY: releases
releases: $(TEST) ## measure under several releases of nilearn and nibabel, in turns
	@$(BIN)/python -m nox --noxfile benchmarks/releases/noxfile.py || \
		echo "Some releases could not be installed; the others are measured."
	@$(BIN)/python -m benchmarks releases

.PHONY: reference
reference: $(BUILD) ## keep what is measured here as the results that come with the project
	@$(BIN)/python -m benchmarks calibrate --prove
	@# Every example measures what it needs; pages that show stale reference results may fail.
	-@$(BIN)/python -m sphinx -q -c . -d doc/_build/doctrees doc doc/_build/html
	@$(BIN)/python -m benchmarks reference

.PHONY: upstream
upstream: needs-out $(BUILD) ## write the chapter as plain reStructuredText and PNG, figures resolved
	@$(BIN)/python -m benchmarks file
	@$(BIN)/python -m sphinx -b upstream -n -W --keep-going -q -c . -d doc/_build/upstream-doctrees doc "$(OUT)"
	@echo "The chapter and its images are in $(OUT)"

.PHONY: asv
asv: needs-out $(BUILD) ## write the methods as benchmarks of asv
	@$(BIN)/python -m benchmarks asv "$(OUT)"

.PHONY: needs-out
needs-out:
	@test -n "$(OUT)" || { echo "Say where to: make $(firstword $(MAKECMDGOALS)) OUT=folder" >&2; exit 2; }

.PHONY: dist
dist: $(TEST) ## build wheel and source distribution, as a release has them, and check them
	@rm -rf dist
	@$(BIN)/python -m hatchling build
	@$(BIN)/python -m twine check --strict dist/*

.PHONY: versions
versions: $(TEST) ## run the tests on every Python, and with the oldest releases
	@$(BIN)/python -m nox --noxfile tests/noxfile.py

.PHONY: clean
clean: ## remove the built site and its measurements; .venv stays
	rm -rf doc/_build doc/auto_examples

# What building needs, and what testing needs besides. Installed again only when pyproject.toml
# changes. The mark is written last, so that an interrupted installation is not taken for a
# finished one. Where there is uv, it does in seconds what pip does in a minute.
$(BUILD): EXTRAS := cluster,doc
$(TEST): EXTRAS := test
$(TEST): $(BUILD)
$(BUILD) $(TEST): pyproject.toml
	@echo "Installing $(EXTRAS) into $(VENV) (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; say which with: make PYTHON=python3.12 html")'
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --editable ".[$(EXTRAS)]"; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"; \
	fi
	@touch $@
