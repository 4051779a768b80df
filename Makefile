# Two commands: `make demo` and `make test`. Both create and reuse .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# On Linux the default torch brings CUDA along; the small CPU build is taken with
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# How many processes `make test` runs the tests in: a number, or logical, which means one for each processor.
WORKERS ?= logical
BIN := .venv/bin
INSTALL := install --quiet
PIP := $(BIN)/pip $(INSTALL)
export MPLBACKEND := Agg

.PHONY: demo test lint types layers unit coverage starcraft-test bench lowest reference docs clean

demo: .venv/.base
	$(BIN)/testbed run demo --out demo
	$(BIN)/testbed report demo
	@echo "then:    docs/tutorials/compare-topologies.md, your own first question in a minute"

# Types and layers are checked beside the tests: mypy is one process.
test: lint
	$(MAKE) --jobs=2 unit types layers

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

layers: .venv/.dev
	$(BIN)/lint-imports

# As many processes as processors, but no more than eight, as each needs about 1 GiB; WORKERS=0 for one alone.
# Whoever has nothing left to do takes tests from who has. Benchmarks, which are not among them, want no company.
unit: .venv/.dev
	$(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal -p no:benchmark

# The tests once more, counting which lines they run; fails below the floor in pyproject.toml. Takes twice as long.
coverage: .venv/.dev
	$(PIP) 'pytest-cov>=6'
	$(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal -p no:benchmark \
		--cov --cov-report=term:skip-covered --cov-report=html

# The StarCraft adapter with SMAC's own code, against a stand-in for the game. SMAC_PYTHON is an interpreter with smac.
starcraft-test: .venv/.dev
	@test -n "$(SMAC_PYTHON)" || { echo "make starcraft-test SMAC_PYTHON=smac-venv/bin/python, of Python 3.10 with smac from github.com/oxwhirl/smac"; exit 2; }
	SMAC_PYTHON=$(abspath $(SMAC_PYTHON)) $(BIN)/pytest tests/testbed/environments/external/test_starcraft_protocol.py

bench: .venv/.bench
	$(BIN)/pytest tests/benchmarks --override-ini addopts=--import-mode=importlib \
		--override-ini "pythonpath=tests/shared tests/benchmarks" -s

# Installs the lowest versions that pyproject.toml allows into .venv-lowest, and tries them: quick studies, a
# report, and a part of the tests. Warnings are no errors there: new packages warn of what old ones still do.
LOWEST := .venv-lowest/bin
lowest: .venv-lowest/.installed
	rm -rf .venv-lowest/runs
	for study in topologies latency burst-loss; do \
		$(LOWEST)/testbed run $$study --quick --out .venv-lowest/runs/$$study || exit 1; \
		$(LOWEST)/testbed report .venv-lowest/runs/$$study || exit 1; \
	done
	$(LOWEST)/pytest --override-ini filterwarnings=default tests/topologies tests/testbed/network \
		tests/testbed/consensus tests/testbed/common/test_checkpoints.py tests/studies/cli/test_main.py \
		tests/studies/spec/test_study.py tests/studies/spec/test_builtin.py tests/studies/figures/test_draw.py

reference: .venv/.base
	$(BIN)/python -m studies.docgen.pages

# The docs site, in site/; open site/index.html. Whatever is wrong with a link or an anchor stops it.
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean:
	rm -rf .venv .venv-lowest demo site build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov

.venv/.torch:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@echo "setting up .venv, torch first: minutes, and on Linux gigabytes unless TORCH_INDEX names the build for processors"
	$(PYTHON) -m venv .venv
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	touch $@

.venv/.base: .venv/.torch pyproject.toml
	$(PIP) --editable .
	touch $@

.venv/.docs: .venv/.base
	$(PIP) --editable '.[docs]'
	touch $@

.venv/.bench: .venv/.dev
	$(PIP) --editable '.[bench]'
	touch $@

.venv/.dev: .venv/.base
	$(PIP) --editable '.[dev]'
	touch $@

.venv-lowest/.installed: pyproject.toml tests/lowest.txt
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/pip $(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $$(grep ^torch tests/lowest.txt)
	$(LOWEST)/pip $(INSTALL) --requirement tests/lowest.txt pytest hypothesis jsonschema scipy mpe2 --editable .
	touch $@
