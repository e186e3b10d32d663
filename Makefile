# A thin face: Meson holds the sources and the tests, scripts/ the steps.
.PHONY: all deps build run check demo figures browsers bench fuzz clean

all: build

deps:
	scripts/deps
build:
	scripts/build normal
run:
	./run
check:
	./check
# The paper's pool test with real programs on emulated lines; without root or /dev/net/tun, in the simulator.
demo: deps build
	scripts/demo
# The evaluation in the lab and the simulator, into docs/results/: over an hour, as root, alone on the machine; goes on where it
# was interrupted. ONLY="pool fair" (sets), BUDGET=20m (begins nothing that would end later), JOBS=1 (one after the other),
# QUICK=1, FRESH=1.
figures: deps build
	/usr/bin/python3 lab/figures
# Crowds of Chromium on emulated lines, into docs/results/browsers.jsonl: some ten minutes, as root, alone on the machine; goes
# on where it was interrupted, FRESH=1 begins anew.
browsers: deps build
	node lab/browsers/main.mjs
# One JSON line for each measurement, kept under docs/results/.
bench: deps build
	scripts/bench
# Every fuzz target for FUZZ_SECONDS each (60).
fuzz: deps
	scripts/fuzz
clean:
	rm -rf build build-sanitize build-fuzz build-threads
