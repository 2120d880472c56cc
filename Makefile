# Everything runs in .venv, which the first target that needs it makes: Python 3.11+, git and make are enough.

VENV     := .venv
BIN      := $(VENV)/bin
LOCK     := requirements/lock.txt
DEMO     := build/demo
# What share of the slow tests `make test` runs: the same ones each time, chosen by their ids.
SLOW     ?= 0.1
JOBS     ?= 2
PYTEST   := $(BIN)/pytest -n $(JOBS)
PATHS    := gopt tests examples tools docs $(wildcard benchmarks)

# The first interpreter that is new enough; `make PYTHON=...` names another.
PYTHON   ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help venv demo test test-all tensorrt rknn docs lint format types bench lock clean distclean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# Stamps, so that a second call installs nothing: one for the environment, one for what is locked, one for gopt itself.
$(BIN)/.made:
	@test -n "$(PYTHON)" || { echo "gopt needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(BIN)/.locked: $(LOCK) $(BIN)/.made
	$(BIN)/python -m pip install --quiet --requirement $(LOCK)
	@touch $@

$(BIN)/.installed: pyproject.toml $(BIN)/.locked
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

venv: $(BIN)/.installed  ## the environment: .venv with the locked packages and gopt itself

demo: venv  ## make a small model, optimize and verify it, print what changed
	@mkdir -p $(DEMO)
	$(BIN)/python examples/make_demo_model.py $(DEMO)/demo.onnx
	$(BIN)/gopt run $(DEMO)/demo.onnx -o $(DEMO)/demo.opt.onnx --force

test: venv  ## the quick tests and a share of the slow ones (SLOW=0.1)
	$(PYTEST) --slow-share $(SLOW)

test-all: venv  ## all tests; GOPT_MODELS=FOLDER names real models to run on
	$(PYTEST) --slow-share 1

# NVIDIA's builder works without a GPU. It is proprietary and nothing that gopt needs: where it cannot be had, that is said.
TRT := build/tensorrt
$(TRT)/.installed: | venv
	@mkdir -p $(TRT)
	$(PYTHON) -m venv $(TRT)
	if $(TRT)/bin/python -m pip install --quiet 'tensorrt-rtx>=1.2'; then touch $@; fi

tensorrt: venv $(TRT)/.installed  ## build models of five families with NVIDIA's own builder
	@if test -f $(TRT)/.installed; \
	then GOPT_TENSORRT_PYTHON=$(CURDIR)/$(TRT)/bin/python $(PYTEST) tests/unit/backends/tensorrt tests/models/test_tensorrt.py; \
	else echo "tensorrt-rtx cannot be installed here: no model is built"; fi

# The toolkit for Rockchip NPUs, in an environment of its own below build/.
rknn: venv  ## convert small models with rknn-toolkit2 and simulate them
	@export GOPT_RKNN_ENV=$(CURDIR)/build/rknn; status=0; $(BIN)/gopt rknn setup || status=$$?; \
	case $$status in \
	0) $(PYTEST) --slow-share 1 tests/unit/backends/rknn/test_toolkit.py ;; \
	6|7) echo "rknn-toolkit2 cannot be installed here (status $$status): no model is converted" ;; \
	*) exit $$status ;; esac

docs: venv  ## write docs/passes.md anew from the docstrings
	$(BIN)/python docs/generate.py

lint: venv  ## format check and lint
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/ruff check $(PATHS)

format: venv  ## format the code, mend what can be mended
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

types: venv  ## type check
	$(BIN)/mypy --strict gopt

bench: venv  ## run each benchmarks/bench_*.py
	@for b in benchmarks/bench_*.py; do \
		test -f "$$b" || { echo "no benchmarks/bench_*.py here" >&2; exit 1; }; \
		echo "== $$b"; $(BIN)/python "$$b" || exit 1; done

lock:  ## resolve the newest versions anew and write requirements/lock.txt
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --upgrade --requirement requirements/lock.in
	{ sed -n 's/^#= /# /p' requirements/lock.in; build/lock/bin/python -m pip freeze --all --exclude pip; } > $(LOCK)
	rm -rf build/lock

clean:  ## remove what was built, keep .venv
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

distclean: clean  ## remove .venv too
	rm -rf $(VENV)
