# Two commands do all set-up on a fresh Debian or Ubuntu: `make search` and `make test`.
#
#   make search SEARCH_FLAGS="--board stm32f412 --sram 128k"
#   make test   PYTEST_FLAGS="tests/test_board.py -x" WORKERS=0
#   make search PYTHON=/opt/python3.12/bin/python3

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON       ?= python3
VENV         ?= .venv
SEARCH_FLAGS ?= --board stm32f746 --sram 320k
PYTEST_FLAGS ?=
WORKERS      ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What the tests of the engine need beside Python: C compilers for here, for Cortex-M and for RISC-V, and an emulator.
C_TOOLS    := gcc libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm \
              gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
C_COMMANDS := gcc arm-none-eabi-gcc qemu-system-arm riscv64-unknown-elf-gcc

.PHONY: help code search test lint clean tools

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)$$/make \1\t\2/p' $(MAKEFILE_LIST)

code: $(VENV)/.installed-dev ## build the firmware's code again, and write what each function takes (firmware/code.json)
	@$(BIN)/python -m tinynas.device.code_survey

search: $(VENV)/.installed ## set up what is needed, then search a network for a board (SEARCH_FLAGS)
	@$(BIN)/tinynas search $(SEARCH_FLAGS)

test: lint tools ## set up what is needed, then lint, type check, check the rooms and run every test (PYTEST_FLAGS)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup $(PYTEST_FLAGS)

lint: $(VENV)/.installed-dev ## ruff, mypy --strict and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict tinynas
	@$(BIN)/lint-imports

tools: ## C compilers and emulator for the engine's tests, where this is Debian and you are root
	@missing=; for name in $(C_COMMANDS); do command -v $$name >/dev/null || missing="$$missing $$name"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing (up to 260 MB; this happens once)"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(C_TOOLS); } >/dev/null && exit 0; \
	fi; \
	echo "without$$missing some tests of the engine are skipped: sudo apt-get install $(C_TOOLS)" >&2

clean: ## remove what building and testing left behind; keeps .venv and runs/
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pio
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# A stamp is newer than pyproject.toml once what it names is installed, so a second call starts at once.
$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "installing tinynas into $(VENV) (TensorFlow is 250 MB; this happens once)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "installing tinynas and its development tools into $(VENV) (TensorFlow is 250 MB; this happens once)"
	@$(PIP) install --editable '.[dev,firmware,virtual]'
	@touch $@ $(VENV)/.installed

# pip, not python: a virtual environment whose making failed half-way has the latter alone.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "tinynas needs Python 3.11 to 3.13: install it with 'apt-get install python3 python3-venv'." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "tinynas needs Python 3.11 to 3.13 and $(PYTHON) is $$($(PYTHON) -V 2>&1): name another, as in 'make PYTHON=python3.12 ...'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing $$package, which Debian and Ubuntu keep apart from Python"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$package; } >/dev/null; \
	  else \
	    echo "Python's venv module is missing: run 'sudo apt-get install $$package', then make again." >&2; exit 1; \
	  fi; }
	@$(PYTHON) -m venv $(VENV)
