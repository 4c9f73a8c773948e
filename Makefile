# Every target does its own set-up in .venv and .cache; `make` alone lists them.
# On Linux PyPI's torch is the large build for graphics cards: PIP_EXTRA_INDEX_URL can name PyTorch's index of CPU builds.

PYTHON ?= python3
IMAGE ?=
SERVE ?=
TESTS ?=

BIN := .venv/bin
JS_TESTS := $(shell find tests -name '*.test.mjs')
# Most of these tests wait; the files are shared out, so that a ComfyUI or an emulator serves all tests of a file.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile
RUN := PYTHONPATH=tests $(BIN)/python -m

.PHONY: help demo test venv comfyui emulator bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: venv ## a clip from a picture, with no account and no money [IMAGE=photo.jpg] [SERVE=1: leaves ComfyUI open]
	@$(RUN) demo $(if $(IMAGE),--image "$(IMAGE)") $(if $(SERVE),--serve)

test: comfyui .cache/lowest ## the whole test-suite [TESTS="tests/unit -k journal": only these]
	@.ci/system-packages tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(JS_TESTS),node --test $(JS_TESTS))
	$(if $(TESTS),,timeout --kill-after=30 2400 $(BIN)/pytest -ra tests/browser)
	$(BIN)/pytest -ra $(if $(TESTS),$(TESTS),--ignore=tests/browser $(PARALLEL))

venv: .venv/ready ## .venv alone: all that the pack and its tests import [PYTHON=python3.12]

.venv/ready: requirements.txt requirements-test.txt
	@.ci/system-packages python
	@echo "Installing what the pack and its tests need into .venv; the first time takes some minutes ..."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@.ci/system-packages opencv
	@touch $@

# The lowest versions that requirements.txt allows, beside the newest: addresses, answers and colours must be the same there.
# A version that was never built for this Python is left out, and the tests that need it say so.
.cache/lowest: .venv/ready
	@rm -rf $@
	for lowest in $$(sed -n '/^[a-z]/s/>=/==/p' requirements.txt); do \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --upgrade --target $@ $$lowest \
			|| echo "$$lowest was not built for this Python." >&2; \
	done
	@touch $@

comfyui: venv ## a real ComfyUI for the tests and the demo [COMFYUI_PATH=folder: that one]
	@$(RUN) comfyui.install

emulator: venv ## RunComfy's API on this machine, and how to point a ComfyUI of yours to it
	@$(RUN) emulator

bench: venv ## figures: decoding, fitting, the page, the start, the engine
	@$(RUN) benchmarks

clean: ## removes everything that was made here
	rm -rf .venv .cache demo-output test-output
