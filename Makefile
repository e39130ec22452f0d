# The README's two commands, and what they are made of. Everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin
# These layers are small: one thread a process is the fastest, and leaves the other cores to other runs.
export OMP_NUM_THREADS ?= 1

.PHONY: pretrain test check install format bench clean

pretrain: install ## the main job, on the embedded default dataset
	$(BIN)/python pretrain/fit.py --dataset mujoco/hopper/bundled-v0 --download false

test: install ## every check: style, types, import contracts, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

check: test

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("diffsr-hub needs Python 3.11 or newer, found " + sys.version.split()[0] \
		+ "; choose one with: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

format: install ## rewrite what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## the tables of docs/benchmarks.md
	$(BIN)/python benchmarks/speed/update_time.py
	$(BIN)/python benchmarks/speed/lightning_overhead.py
	$(BIN)/python benchmarks/speed/lightning_overhead.py --batch_size 1024
	$(BIN)/python benchmarks/speed/data_loading.py
	$(BIN)/python benchmarks/speed/online_step.py
	$(BIN)/python benchmarks/speed/acting.py
	$(BIN)/python benchmarks/speed/rendering.py

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
