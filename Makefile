# make demo       repaint sample photos with the bundled styles, into impasto-demo/, and train one (MINUTES=2)
# make test       check style, types and import rules, then run the tests
# make test-slow  the tests that take minutes
# make gallery    train the bundled styles further (PHOTOS=, PAINTINGS=, LOSS_WEIGHTS=, STEPS=)
# Each builds the virtual environment first where there is none.

PYTHON ?= python3
STEPS ?= 10000
MINUTES ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test test-slow lint gallery benchmark clean

demo: $(READY)
	$(BIN)/impasto demo --minutes $(MINUTES)

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: $(READY)
	$(BIN)/python benchmarks/train_step.py

gallery: $(READY)
	for base in classic turbo; do \
	  $(BIN)/python scripts/train_base.py $$base --photos "$(PHOTOS)" --paintings "$(PAINTINGS)" \
	    --loss-weights "$(LOSS_WEIGHTS)" --steps "$(STEPS)" || exit 1; \
	done

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "impasto needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) impasto-demo
