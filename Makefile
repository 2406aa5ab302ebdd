PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEV := $(wildcard ../shared/eval/dev.jsonl)
GOLD := $(addprefix --gold ,$(DEV))

.PHONY: demo test lint types train corpus-check bench-speed bench-quality bench-service serve-demo clean

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.service: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[service]'
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.bench: $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

demo: $(VENV)/.base
	mkdir -p demo-output
	$(BIN)/jianke classify data/samples/catalog.xlsx -o demo-output/catalog.xlsx

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/jianke-train corpus check
	$(BIN)/pytest

train: $(VENV)/.dev
	$(BIN)/jianke-train fast $(GOLD)

corpus-check: $(VENV)/.dev
	$(BIN)/jianke-train corpus check

bench-speed: $(VENV)/.bench
	$(BIN)/python -m benchmarks.speed --write

bench-service: $(VENV)/.bench
	$(BIN)/python -m benchmarks.service --write

serve-demo: $(VENV)/.service
	docs/serve-demo.sh $(abspath $(BIN))/jianke

bench-quality: $(VENV)/.bench
	$(BIN)/python -m benchmarks.quality --write $(GOLD)

clean:
	rm -rf $(VENV) build *.egg-info demo-output
