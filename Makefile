# `make demo` and `make test` do all their own set-up, and never use a key: they cannot cost anything.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Whatever is set outside, everything made from here goes to the local sandbox, in its own environment.
FREE := env -u VIRTUAL_ENV -u KLING_API_KEY -u KLING_BASE_URL -u KLING_WORKSPACE KLING_SANDBOX=1
# These tests have a target of their own: they need a browser, and the packages of two front ends.
NO_BROWSER := --ignore=tests/browser

.PHONY: help demo lab test test-all test-slow test-kernels test-browser bench bench-short check format notebooks clean

help:
	@echo "make demo          run the quickstart in the sandbox and write a page to look at"
	@echo "make test          run the tests (about eight minutes)"
	@echo "make lab           open the quickstart in JupyterLab"
	@echo "make check         lint, types, layers"
	@echo "make test-all      all tests, also the slow ones: every kill, every interrupt"
	@echo "make test-slow     only the slow ones"
	@echo "make test-kernels  the magic's tests with the oldest IPython and ipykernel supported"
	@echo "make test-browser  the tests in JupyterLab and Notebook 7; needs Chromium (apt-get install chromium)"
	@echo "make bench         measure against what people would use instead, in under ten minutes"
	@echo "make bench-short   the same once and small, to see that every row works"
	@echo "make format        put the code into its standard form"
	@echo "make notebooks     execute the notebooks anew, in place"

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kling_nb needs Python 3.11 or newer; this is $(PYTHON) " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/with-%: $(VENV)/made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group $*
	@touch $@

demo: $(VENV)/with-demo
	@$(FREE) $(BIN)/python notebooks/execute.py notebooks/quickstart.ipynb demo

lab: $(VENV)/with-lab
	$(FREE) $(BIN)/python notebooks/execute.py --copy-only notebooks/quickstart.ipynb demo
	cd demo && $(FREE) ../$(BIN)/jupyter-lab quickstart.ipynb

test: $(VENV)/with-test
	$(FREE) $(BIN)/python -m pytest -n 2 $(NO_BROWSER) -m "not slow" $(AGAIN)

test-all: $(VENV)/with-test
	$(FREE) $(BIN)/python -m pytest -n 2 $(NO_BROWSER)

test-slow: $(VENV)/with-test
	$(FREE) $(BIN)/python -m pytest -n 2 $(NO_BROWSER) -m slow

# The oldest shell and kernel that are supported, in an environment of their own.
test-kernels: pyproject.toml
	$(PYTHON) -m venv $(VENV)-old
	$(VENV)-old/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-old/bin/python -m pip install --quiet --editable . --group test "ipython==8.20.*" "ipykernel==6.29.*"
	$(FREE) $(VENV)-old/bin/python -m pytest -n 2 tests/magics tests/test_notebooks.py

test-browser: $(VENV)/with-browser
	$(FREE) $(BIN)/python -m pytest -n 2 tests/browser $(if $(ONLY),-m "$(ONLY)") $(AGAIN)

# Where what people would use instead cannot be installed, its rows say so and the others are measured.
$(VENV)/with-bench: $(VENV)/with-demo pyproject.toml
	$(BIN)/python -m pip install --quiet --group bench || \
	  for each in bigquery-magics ipyplot jupysql jupyter-ai-magics jupyter-client matplotlib mediapy numpy pandas; do \
	    $(BIN)/python -m pip install --quiet $$each || echo "$$each cannot be had here"; done
	@touch $@

bench: $(VENV)/with-bench
	$(FREE) $(BIN)/python -m tests.benchmarks --json bench.json

# Without what people would use instead, whose rows then say so: it takes minutes to install.
bench-short: $(VENV)/with-test
	$(FREE) $(BIN)/python -m tests.benchmarks --short

check: $(VENV)/with-lint $(VENV)/with-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(FREE) $(BIN)/python -m pytest -q tests/test_architecture.py

format: $(VENV)/with-lint
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

notebooks: $(VENV)/with-test
	$(FREE) $(BIN)/python notebooks/execute.py --in-place notebooks/*.ipynb

clean:
	rm -rf $(VENV) $(VENV)-old demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
