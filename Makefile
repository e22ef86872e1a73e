# `make demo` and `make test` are the two commands; each sets up what it needs in .venv.
VENV   := .venv
PYTHON ?= python3
PY     := $(VENV)/bin/python

.PHONY: demo test lint bench fuzz clean

demo: $(VENV)/.ready
	$(PY) -m emporion demo

test: lint
	$(PY) -m pytest

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy -p emporion

bench: $(VENV)/.ready
	# Without a network the peers stay away, and the benchmark says so.
	-$(PY) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(PY) benchmarks/run.py $(BENCH)

# `make fuzz SECONDS=3600`: the fuzzers alone, for longer than in `make test`.
SECONDS ?= 600
fuzz: $(VENV)/.ready
	EMPORION_FUZZ_SECONDS=$(SECONDS) $(PY) -m pytest -s tests/fuzz

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[test]'
	# mypy wants the package under its own name, whatever the folder of the checkout is called.
	mkdir -p $(VENV)/typed && ln -sfn ../.. $(VENV)/typed/emporion
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
