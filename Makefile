# One verb per job; CI calls the same verbs.
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export FEAST_USAGE := false

# A process that ends is not replaced: with groups, xdist 3.8 then waits for ever and says no result.
TEST := $(BIN)/python -m pytest -n 2 --dist loadgroup --max-worker-restart 0 --cov --cov-report=term --durations=20
MORE := --examples 200 --fuzz-examples 1000 --requests 1500 --kills 12 \
	--live-events 10000 --writer-events 1000 --log-slates 10000

# Settings are read by infra/settings.py, not here. make run DATASET=my_shop INPUT=/path/to/files says which data set, and
# where its files are; any other setting may follow, as RERANK_PORT=8080. Docs: docs/settings.md.
ifeq ($(origin DATASET),command line)
export RERANK_DATASET := $(value DATASET)
endif
ifeq ($(origin INPUT),command line)
ifneq ($(origin DATASET),command line)
$(error INPUT needs a name for the data set: make run DATASET=my_shop INPUT=/path/to/files)
endif
export INPUT_PATH := $(value INPUT)
INIT := python -m feature_repo.init "$$RERANK_DATASET" --input "$$INPUT_PATH" &&
endif

.PHONY: FORCE run pipeline serve recommend test test-all check lint types clean

# An environment names its folder, in its commands and in the editable install: one that was moved or copied is made anew.
MADE_FOR := $(shell cat .venv/installed 2>/dev/null)
ifneq ($(MADE_FOR),)
ifneq ($(MADE_FOR),$(CURDIR))
CLEAR := --clear
.venv/installed: FORCE
endif
endif
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(CLEAR) .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[pipeline,fast,recommend,browser]'
	@echo "$(CURDIR)" > $@

FORCE:

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[pipeline,fast,recommend,browser,sequences,test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

# Everything, from nothing to an answering scorer; Ctrl-C stops the scorer and Redis.
run: .venv/installed
	@$(INIT) infra/run.sh

# The pipeline alone; Redis is left running.
pipeline: .venv/installed
	@$(INIT) infra/pipeline.sh --stay

# The scorer alone, over what the pipeline left.
serve: .venv/installed
	@infra/serve.sh

# The pipeline, then the batch: who is worth a message in the next days, and 25 items for each.
recommend: .venv/installed
	@$(INIT) infra/pipeline.sh --stay
	@dvc repro training/recommend/dvc.yaml

# What is quick; the goal is ten minutes on two cores. No network.
test: .venv/installed-test
	$(TEST) -m "not slow" --cov-fail-under=85

# All tests, the slow ones too, with more examples; options: tests/README.md.
test-all: .venv/installed-test
	$(TEST) --cov-fail-under=85 $(MORE)

check: lint types docs test

lint: .venv/installed-test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/installed-test
	$(BIN)/mypy

.PHONY: docs
# The documentation as a site, in var/site; a broken link is an error.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:
	-$(BIN)/python -m infra.redis_server stop
	rm -rf .venv data var effective.yaml dvc.lock training/gru4rec/dvc.lock training/recommend/dvc.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
