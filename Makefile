# The commands of this project. `make` alone lists them.
#
# Needs nothing but make and Python 3.11 or later. Everything is installed into
# .venv from constraints.txt, whose hashes pip verifies; .venv/.installed tells
# that it was, so that a second `make` starts at once.

PYTHON ?= python3
PYTEST_ARGS ?=
WORKERS ?= 3
SECONDS ?= 60
FUZZ_ARGS ?=
LOCK_ARGS ?=

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed

# Tests start a thousand processes, which need not compile the same again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install format lint test test-long test-all test-newest test-units test-deploy fuzz bench figures docs reference pictures screenshots wheel lock clean

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: $(INSTALLED)  ## show connwatch at work on throwaway data, without any account
	@$(BIN)/connwatch demo

install: $(INSTALLED)  ## build .venv with all that development needs

format: $(INSTALLED)  ## lay out the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(INSTALLED)  ## check layout, habits and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The browser's driver keeps an event loop running, which no other test can stand: its tests
# have a process of their own. It runs beside the others, which end last, and whose line counts.
test: lint  ## all checks: lint, then every test (PYTEST_ARGS="-k quota" for some)
	$(if $(PYTEST_ARGS),$(TESTS) $(PYTEST_ARGS),@$(BESIDE_BROWSER))

TESTS = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --ignore tests/browser \
	--ignore tests/deploy

define BESIDE_BROWSER
said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
$(BIN)/python -m pytest tests/browser >"$$said" 2>&1 & browser=$$!; \
status=0; $(TESTS) || status=$$?; \
if wait $$browser; then \
	sed -n 's/^=* \(.* in [0-9].*[^ =]\) =*$$/tests\/browser: \1/p; /^SKIPPED/p' "$$said"; \
else \
	status=$$?; cat "$$said"; \
fi; \
exit $$status
endef

# What takes minutes: rounds of kill -9 and the long fuzz.
test-long: $(INSTALLED)  ## the tests that take minutes: crash rounds, fuzz
	$(BIN)/python -m pytest -m long --numprocesses 2 --dist loadfile -rP --ignore tests/browser --ignore tests/deploy \
		$(PYTEST_ARGS)

# Each interpreter has a .venv-X.Y of its own. PYTHONS names some that are not on PATH.
test-all:  ## the whole suite on each Python of this machine that the project promises
	@found=$$(.ci/interpreters) && echo "$$found" | while read -r version python; do \
		$(MAKE) --no-print-directory VENV=.venv-$$version PYTHON=$$python test </dev/null || exit 1; \
	done

# Compared with what `make test` runs on: what that is says .venv, once it is there.
test-newest:  ## unit and integration tests on the newest Python, if make test runs on an older
	@found=$$(.ci/interpreters --newest $(firstword $(wildcard $(BIN)/python) $(PYTHON))) && \
	if [ -n "$$found" ]; then \
		$(MAKE) --no-print-directory VENV=.venv-$${found%% *} PYTHON="$${found#* }" test-units; \
	fi

# All but what starts a browser, a machine, or the program as people do, and the fuzz. What
# ruff says is the same on each Python; what mypy says is not.
test-units: $(INSTALLED)  ## types, unit and integration tests
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --ignore tests/browser \
		--ignore tests/deploy --ignore tests/e2e --ignore tests/fuzz $(PYTEST_ARGS)

fuzz: $(INSTALLED)  ## feed it hostile input for SECONDS=60 (FUZZ_ARGS="--seed 7 --area config")
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(FUZZ_ARGS)

# Boots a machine and builds the image: as root, on Debian. What it needs and does
# not find makes it skip; what it made is kept in /var/cache/connwatch-test.
test-deploy: $(INSTALLED)  ## start the systemd unit and the image for real
	$(BIN)/python -m pytest tests/deploy $(PYTEST_ARGS)

bench: $(INSTALLED)  ## measure what the design promises about speed and size
	$(BIN)/python -m tests.benchmarks

figures: $(INSTALLED)  ## print how the code is laid out: names, circles, sizes, climbs
	@$(BIN)/python -m tests.benchmarks.figures

docs: $(INSTALLED)  ## make a site of docs/ in dist/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file .ci/mkdocs.yml

reference: $(INSTALLED)  ## write docs/configuration.md anew from the settings
	$(BIN)/python -m monitor.config.describe > docs/configuration.md

pictures: $(INSTALLED)  ## take the pictures of README and docs anew, with Chromium
	$(BIN)/python -m tests.browser.pictures

screenshots: pictures

wheel: $(INSTALLED)  ## build dist/connwatch-*.whl
	$(BIN)/python -m build --wheel --no-isolation

# uv writes the lock for all platforms at once, which pip cannot; it is needed
# for nothing else and therefore not part of the lock.
lock: $(BIN)/pip  ## write constraints.txt anew (LOCK_ARGS=--upgrade for newer versions)
	$(PIP) install --quiet uv
	$(BIN)/python -m uv pip compile pyproject.toml --group dev --extra postgres --universal \
		--python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
		--no-emit-index-url --no-emit-find-links --quiet $(LOCK_ARGS) \
		--output-file constraints.txt

clean:  ## remove .venv and everything that was built
	rm -rf .venv* build dist screenshots .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The project itself has no hash, hence the second step; hatchling, which
# builds it, is in the lock like everything else.
$(INSTALLED): constraints.txt pyproject.toml | $(BIN)/pip
	$(PIP) install --quiet --require-hashes --requirement constraints.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"connwatch needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + \
		": name another one, as in `make PYTHON=python3.12`")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(install_ensurepip)
	$(PYTHON) -m venv $(VENV)

# Debian and Ubuntu keep a part of Python in a package of its own.
define install_ensurepip
{ \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq --yes python3-venv; \
	else \
		echo "$(PYTHON) cannot make virtual environments: install the package python3-venv" >&2; \
		exit 1; \
	fi; \
}
endef
