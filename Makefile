# PYTHON=python3.13 chooses the Python that .venv is made with, LAB="--no-browser --port 9999" is
# handed to JupyterLab.

PY := .venv/bin/python
LESSONS := $(sort $(wildcard notebooks/*.ipynb))

# Jupyter, IPython, matplotlib and pip write below HOME; where they cannot, they get another.
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(CURDIR)/.venv/home
endif

.PHONY: help .venv lab fresh learning test browser lessons docs site frameworks soak bench

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s%s\n", $$1, $$2 }' Makefile

.venv:
	@sh tools/setup.sh "$(PYTHON)"

lab: learning  ## Open your own copy of the first lesson in JupyterLab.
	$(PY) -m jupyterlab --ServerApp.root_dir=. \
	    --LabApp.default_url=/lab/tree/learning/$(notdir $(firstword $(LESSONS))) \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB)

fresh: .venv  ## Begin a lesson again, LESSON=03 for example; what you wrote in it is kept.
	@$(PY) -m tools.learning --fresh "$(LESSON)"

learning: .venv  ## Make or renew your copy of the lessons in learning/, without opening it.
	@$(PY) -m tools.learning

test: .venv  ## Check style, servers, judge and stored lessons; ALL=1: also in a browser, and all answers.
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -n auto $(if $(ALL),-m "not soak") tests
	$(PY) -m pytest -n auto --dist loadfile --nbval notebooks
	$(PY) -m tools.execute --check $(LESSONS)
	@$(if $(ALL),,echo "All passed. Every answer, and the browser: make test ALL=1.")

browser: .venv  ## Do and see in JupyterLab what a learner does, and photograph every screen.
	$(PY) -m tools.browser $(LESSONS) --out pictures

lessons: .venv  ## Run every lesson and store what it shows.
	$(PY) -m tools.execute $(LESSONS)
	$(PY) -m echo.lab.show.replay notebooks/09_io_uring.ipynb
	$(PY) -m tools.docs

docs: .venv  ## Write what README.md and docs/ say about the lessons and the tests anew.
	$(PY) -m tools.docs

site: .venv  ## Make static pages of the lessons in build/site, and check them.
	@sh tools/setup.sh "$(PYTHON)" site docs/constraints.txt
	rm -rf build/site
	$(PY) -m sphinx -q -W --keep-going -E -c docs -d build/doctrees . build/site
	$(PY) -m pytest --site build/site tests/tools/test_site.py \
	    tests/project/test_environment.py

frameworks: .venv  ## Install what lesson 08 asks the kernel about, and say what must come from elsewhere.
	@sh tools/setup.sh "$(PYTHON)" frameworks docs/strangers/constraints.txt
	@$(PY) -m echo.lab.run.foreign --build

soak: .venv  ## Repeat what depends on time, in ten rounds on a busy machine (up to 60 minutes).
	$(PY) -m tools.soak

bench: .venv  ## Measure our servers beside others, in 12 minutes; QUICK=1: a look, in one.
	$(PY) -m benchmarks.run $(if $(QUICK),--quick)
