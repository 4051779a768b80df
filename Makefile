# Two commands: `make demo` and `make test`. Both create and reuse .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# On Linux the default torch brings CUDA along; the small CPU build is taken with
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
BIN := .venv/bin
export MPLBACKEND := Agg

.PHONY: demo test lint types layers unit bench reference clean

demo: .venv/.base
	$(BIN)/testbed run topologies --quick --out demo
	$(BIN)/testbed report demo

test: lint types layers unit

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

layers: .venv/.dev
	$(BIN)/lint-imports

unit: .venv/.dev
	$(BIN)/pytest

bench: .venv/.bench
	$(BIN)/pytest tests/benchmarks --override-ini addopts=--import-mode=importlib \
		--override-ini "pythonpath=tests/shared tests/benchmarks" -s

reference: .venv/.base
	$(BIN)/python -m studies.documentation

clean:
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.torch:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	touch $@

.venv/.base: .venv/.torch pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/.bench: .venv/.dev
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@

.venv/.dev: .venv/.base
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
