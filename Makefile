# Two commands: `make film` sets up and renders presets/first-light.toml; `make test` checks format, lint, types, tests.
PYTHON ?= python3
VENV   ?= .venv
# torch alone: another build (CUDA, ROCm, or the CPU's where pip would take CUDA's) is had by pip's own options, as in
#   make film TORCH_PIP="--index-url <the address that the selector on pytorch.org names>"
TORCH     ?= torch==2.13.0
TORCH_PIP ?=
# openvino is the fast engine on x86 processors; leave it out with EXTRAS=dev,cluster,show,midi,sound where it has no wheel
EXTRAS ?= dev,openvino,cluster,show,midi,sound
OUT    ?= out/first-light
# test files at a time: two processes of pytest are done in little more than half the time of one
JOBS   ?= 2
BIN    := $(VENV)/bin

.PHONY: film test check docs mutate clean wheel
film: $(VENV)/.ready
	$(BIN)/latentworld film first-light -o $(OUT) --overwrite

test: check
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile
	$(BIN)/python -m pytest -m "cluster and not slow"

check: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# the API page, out/api/index.html, of the docstrings; a warning is an error
docs: $(VENV)/.ready
	$(BIN)/python -m mkdocs build --quiet --strict -f docs/mkdocs.yml

# what the tests hold: the code changed one line at a time (benchmarks/mutate.py); MODULES, COUNT and SEED choose what
MODULES ?=
COUNT   ?= 14
SEED    ?= 1
mutate: $(VENV)/.ready
	$(BIN)/python benchmarks/mutate.py $(MODULES) --count $(COUNT) --seed $(SEED)

wheel: $(VENV)/.ready
	$(BIN)/python -m build --outdir dist .

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH_PIP) "$(TORCH)"
	# alone: the torchvision that it asks for breaks transformers where torch is a build for processors
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt spandrel einops
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf out dist build .pytest_cache .mypy_cache .ruff_cache
