# Two commands for a new user: `make demo` and `make test`. Each installs what is missing and is quick when nothing is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):/usr/sbin:/sbin:$(PATH)

.PHONY: help setup demo demo-down test test-lab test-cloud test-beside test-fast check bench bench-setup bench-planner lab-up lab-down clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

setup:
	@lab/bootstrap.sh lab/packages.txt

demo: setup  ## The main job on an embedded lab of real hypervisors, end to end
	@$(BIN)/python -m lab.demo

demo-down: setup  ## Take the demonstration and its lab away
	@$(BIN)/kasumi lab down

test: setup  ## All tests, those on the lab's real hypervisors and cloud included
	@$(MAKE) --no-print-directory --jobs 2 test-lab test-beside

# Two at a time, whatever the machine: the libvirt lab's tests wait for guests, the others for services and for processors.
test-beside: setup
	@$(MAKE) --no-print-directory test-fast
	@$(MAKE) --no-print-directory test-cloud

test-lab: setup  ## On the lab only: real hypervisors and legacy servers; needs root
	@set -o pipefail; $(BIN)/python -m pytest -v --durations=30 -m lab --ignore=tests/openstack | sed --unbuffered 's/^/lab: /'

test-cloud: setup  ## On the lab's OpenStack only; needs root
	@set -o pipefail; $(BIN)/python -m pytest -v --durations=30 -m lab tests/openstack | sed --unbuffered 's/^/cloud: /'

test-fast: setup  ## Without the lab: no root, a few minutes
	@set -o pipefail; $(BIN)/python -m pytest -v --durations=30 -m "not lab" | sed --unbuffered ''

check: setup  ## Formatting, lint, types, import contracts, playbooks, monitoring rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@cd playbooks && ansible-lint
	@promtool check config monitoring/prometheus.yml
	@promtool check rules monitoring/rules/*.yml monitoring/alerts/*.yml
	@promtool test rules monitoring/tests/*.yml

bench-setup:
	@lab/bootstrap.sh lab/packages.txt lab/bench-packages.txt

bench: bench-setup  ## Ratios against peers and physical limits, in one run
	@$(BIN)/python -m benchmarks

bench-planner: bench-setup  ## The planner: INSTANCES="FILES…" BUDGET=SECONDS, or a standard set beside its peers
	@$(BIN)/python -m benchmarks.planner --budget $(or $(BUDGET),10) $(INSTANCES)

lab-up: setup  ## Real libvirt hosts and legacy servers on this machine
	@$(BIN)/kasumi lab up

lab-down: setup  ## Take the lab away, all of it
	@$(BIN)/kasumi lab down

clean:  ## Remove what was built here; the lab and image caches stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
