# Every target sets up what it needs; a second call finds it done.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TRIALS ?= 50
TEST_PROCESSES ?= 2
SLICE ?= 1/1
COVERAGE ?= --cov --cov-report=term

.PHONY: search test check docs hooks bench soak faults fuzz ui clean

search: $(VENV)/.installed  ## the main job on the bundled sample images
	$(BIN)/python experiments/search.py --trials $(TRIALS)

test: $(VENV)/.installed-dev  ## the whole test suite, with the share of lines and branches that it runs
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(COVERAGE)

check: $(VENV)/.installed-dev  ## style, types, the directions of imports, and the pages of docs/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory docs

docs: $(VENV)/.installed-dev  ## the pages of docs/, into build/docs; what has not changed is not built again; a warning is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky -d build/doctrees docs build/docs \
		|| { rm -rf build/doctrees; exit 1; }  # pages that were read are not read again, nor their warnings shown
	@echo "the pages: build/docs/index.html"

hooks: $(VENV)/.installed-dev  ## `make check` before every commit
	$(BIN)/pre-commit install

bench: $(VENV)/.installed  ## every section of the benchmark, two hours and more; one of them: see experiments/bench.py
	$(BIN)/python experiments/bench.py all --json experiments/results/bench.json

soak: $(VENV)/.installed-dev  ## searches killed at random moments, on SQLite and on PostgreSQL; half an hour and more
	$(BIN)/python experiments/soak.py --store sqlite --driver-kills 20 --worker-kills 20
	$(BIN)/python experiments/soak.py --store postgresql --driver-kills 20 --worker-kills 20

faults: $(VENV)/.installed-dev  ## jobs and a search broken at every point at which they write, and resumed; hours; with SLICE=1/100 a part of it
	$(BIN)/python experiments/faults.py small --slice $(SLICE)
	$(BIN)/python experiments/faults.py search --some --slice $(SLICE)

fuzz: $(VENV)/.installed-dev  ## the readers of files, a minute each; a finding is kept in build/fuzz
	$(BIN)/python -m pip install --quiet -e '.[fuzz]'
	$(BIN)/python experiments/fuzz.py all

ui: $(VENV)/.installed  ## the runs, at http://127.0.0.1:5000; prints the address that compares the trials of the newest search
	@$(BIN)/python -c "from srcnn.tuning.tracking.views import newest_address; \
	print('the trials of the newest search:', newest_address('sqlite:///$(CURDIR)/mlruns/mlflow.db'))"
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlruns/mlflow.db

clean:  ## the environment and the caches; runs and data stay
	rm -rf $(VENV) build/docs build/doctrees .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* *.egg-info

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[search]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@
