# Every target sets up what it needs; a second call finds it done.
# LOCK=requirements-ci.lock installs exactly what CI has tested, with the sums of all files but torch's.
PYTHON ?= python3
VENV ?= .venv
LOCK ?=
BIN := $(VENV)/bin
TRIALS ?= 50
BUDGET ?=
# One more than the cores that are usual here: tests wait for processes to start, and for disks.
TEST_PROCESSES ?= 3
SLICE ?= 1/1
COVERAGE ?= --cov --cov-report=term
# pip does not compile: Python compiles a module when it is first imported, and most never are. If PYTHONDONTWRITEBYTECODE is set, Python
# keeps nothing that it compiled, and every worker of a search would compile torch and Ray again; then pip compiles them here, once.
PIP = $(BIN)/python -m pip install --quiet $(if $(PYTHONDONTWRITEBYTECODE),,--no-compile)
LOCKED = $(PIP) --require-hashes --no-deps -r $(LOCK) && $(PIP) "$$(sed -n 's/^. \(torch==.*\)/\1/p' $(LOCK))"
EDITABLE = $(PIP) $(if $(LOCK),--no-build-isolation) -e
TOOLS := build/release-tools/bin
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --durations 10 --durations-min 20

.PHONY: search test test-all lowest check docs hooks bench soak faults fuzz ui lock audit release clean

search: $(VENV)/.installed  ## the main job on the bundled sample images
	$(BIN)/python experiments/search.py --trials $(TRIALS) $(if $(BUDGET),--budget $(BUDGET))

test: $(VENV)/.installed-dev  ## the tests that are not marked slow, about ten minutes on two cores
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.installed-dev  ## the whole test suite, with the share of lines and branches that it runs; CI runs this
	$(PYTEST) $(COVERAGE)

lowest: $(TOOLS)/.installed  ## the tests of `make test` on the lowest versions of all dependencies; LOWEST=--any-torch: but torch's
	$(TOOLS)/python release/lowest.py build/lowest.txt $(LOWEST)
	$(PYTHON) -m venv --clear build/lowest
	build/lowest/bin/python -m pip install --quiet -r build/lowest.txt
	build/lowest/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	build/lowest/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "not slow" \
		-W default  # old versions warn of what they use, and leave files open

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

lock: $(VENV)/.installed-dev $(TOOLS)/.installed  ## requirements-ci.lock: the versions in .venv with the sums of their files
	$(TOOLS)/python release/lock.py --tested $(BIN)/python

audit: $(TOOLS)/.installed  ## known holes in what requirements-ci.lock names; asks a database on the internet
	$(TOOLS)/python release/artefacts.py --pins build/pins.txt
	$(TOOLS)/pip-audit --strict --no-deps --disable-pip -r build/pins.txt

release: $(TOOLS)/.installed  ## dist/: the packages, the list of their parts (CycloneDX), and the SHA-256 sums of all
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(TOOLS)/python -m build --no-isolation --outdir dist .
	$(TOOLS)/twine check --strict dist/*
	$(TOOLS)/python release/artefacts.py dist
	cd dist && sha256sum --check --quiet SHA256SUMS

clean:  ## the environment and the caches; runs and data stay
	rm -rf $(VENV) build/docs build/doctrees build/release-tools build/lowest .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* *.egg-info

$(VENV)/.installed: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(if $(LOCK),$(LOCKED))
	$(EDITABLE) '.[search]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(EDITABLE) '.[dev]'
	touch $@

$(TOOLS)/.installed: release/tools.in
	$(PYTHON) -m venv build/release-tools
	$(TOOLS)/python -m pip install --quiet --require-hashes --no-deps -r release/tools.lock
	touch $@
