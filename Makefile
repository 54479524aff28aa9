# Every target works on a fresh clone: the environment is made when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1
# with bytecode, tests and the processes that they start import faster
unexport PYTHONDONTWRITEBYTECODE
# alone: it asks for torchvision, which the package index has for CUDA only; the tests give it a stand-in
TIMM := timm>=1

.PHONY: demo test test-random test-lowest test-newest nightly soak lint types tables pictures docs docs-check
demo: .venv/ready
	$(BIN)/coterie demo

# the tests of pages open them in a browser: one that is here, or the machine's package manager's; three processes share
# two cores, as many tests wait
test: .venv/ready
	@sh .ci/browser
	$(BIN)/pytest -n 3 --dist worksteal

TESTS ?= tests src
test-random: .venv/ready
	$(BIN)/pytest -n 2 --random-order --random-order-bucket=global $(TESTS)

# the suite with the lowest versions that pyproject.toml allows, torch excepted, and with the newest
test-lowest: build/lowest/ready
	build/lowest/bin/python -m pytest -n 2 $(TESTS)

test-newest: .venv/ready
	$(PYTHON) -m venv build/newest
	build/newest/bin/pip install --quiet --upgrade --upgrade-strategy eager -c constraints/cpu.txt -e '.[dev]'
	build/newest/bin/pip install --quiet --upgrade --no-deps '$(TIMM)'
	build/newest/bin/pytest -n 2 $(TESTS)

# hundreds of kills, changed models and random calls; what is lost, hangs or ends with a traceback: exit code 1
nightly: .venv/ready
	$(BIN)/python -m tests.nightly

# the same work for hours in one process: memory stays flat, nothing is left
MINUTES ?= 120
soak: .venv/ready
	$(BIN)/python -m tests.nightly.soak --minutes $(MINUTES)

# only what differs from .venv is installed: the rest, with torch, is found there
build/lowest/ready: .venv/ready constraints/lowest.txt
	$(PYTHON) -m venv --clear --without-pip build/lowest
	build/lowest/bin/python .ci/share.py build/lowest .venv
	$(BIN)/pip --python build/lowest/bin/python install --quiet --no-warn-conflicts -r constraints/lowest.txt
	touch $@

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/ready
	$(BIN)/mypy

tables: .venv/ready
	$(BIN)/python -m benchmarks.tables

# screenshots of a real run, for the README and the docs
pictures: .venv/ready
	@sh .ci/browser
	$(BIN)/python -m docs.pictures

# runs every guide: minutes
docs: .venv/docs
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints/cpu.txt -e '.[sentences]'
	MPLBACKEND=Agg $(BIN)/sphinx-build -W --keep-going docs build/docs

# all pages, but no guide is run
docs-check: .venv/docs
	$(BIN)/sphinx-build -q -W --keep-going -D plot_gallery=0 docs build/docs-check

.venv/docs: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints/cpu.txt -e '.[docs]'
	touch $@

.venv/ready: pyproject.toml constraints/cpu.txt
	@echo "making .venv: pip downloads PyTorch and about 60 other packages, once; some minutes"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -c constraints/cpu.txt -e '.[dev]'
	$(BIN)/pip install --disable-pip-version-check --no-deps '$(TIMM)'
	touch $@
