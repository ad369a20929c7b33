# Everything a newcomer runs. The work is done by CMake and by the scripts in tools/.

BUILD ?= build
JOBS  ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# What `make drill` runs after the build, from the top of the clone.
DRILL ?= tools/drill $(BUILD)

.PHONY: help build drill test disasters simulate bench bench-verify bench-recover bench-corruption fuzz format lint sanitize nightly clean

help:
	@echo 'make drill      install what is missing, build, lose a region of the lab and recover it, report'
	@echo 'make test       install what is missing, build, run every test'
	@echo 'make build      install what is missing, leave the program at build/kedge'
	@echo 'make bench      print the benchmark tables, the peer beside ours'
	@echo 'make bench-verify  time the verifiers beside their peers on a gigabyte of data'
	@echo 'make bench-recover  time recoveries beside pg_restore, cp and pgBackRest on a gigabyte of dump'
	@echo 'make bench-corruption  damage backups in 1,300 ways a format and count who finds it'
	@echo 'make fuzz       fuzz what reads foreign bytes, each for a minute (FUZZ_SECONDS=60)'
	@echo 'make format     put all sources into the project'"'"'s format'
	@echo 'make lint       check format and source (clang-tidy) of all files'
	@echo 'make disasters  run the long tests on the real lab, on a machine that does nothing else'
	@echo 'make simulate   two hundred thousand simulated disasters, every call failed, every pair of crashes'
	@echo 'make sanitize   run the tests under ASan and UBSan, then under TSan'
	@echo 'make nightly    tests, disasters real and simulated, lint, sanitizers, benchmarks'
	@echo 'make clean      remove what was built'

build: packages-build $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS) programs

$(BUILD)/build.ninja:
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null

packages-%:
	@tools/install-packages $(subst -, ,$*)

drill: packages-build-lab build
	@$(DRILL)

test: packages-build-lab-test
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null
	@ninja -C $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --no-tests=error --output-on-failure -j $(JOBS)

bench: packages-build-lab-test-bench
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null
	@ninja -C $(BUILD) -j $(JOBS)
	@ninja -C $(BUILD) bench

bench-verify: packages-build-lab-test-bench
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) bench-verify

bench-recover: packages-build-lab-test-bench
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) bench-recover

bench-corruption: packages-build-lab-test-bench
	@cmake -S . -B $(BUILD) -G Ninja >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) bench-corruption

fuzz: packages-build-lab-fuzz
	@tools/fuzz $(FUZZ_SECONDS)

format: packages-lint
	@git ls-files -z '*.cpp' '*.h' | xargs -0 -r clang-format -i

lint: packages-build-lint
	@tools/lint all

sanitize: packages-build-lab-test
	@tools/sanitize address
	@tools/sanitize thread

nightly: test simulate disasters lint sanitize bench

# What takes minutes on the real lab: kedge killed at many boundaries, partitions, estates on which plans must refuse.
disasters: test
	@ctest --test-dir $(BUILD) -C nightly -R '^(kills|partition|withstand|verification|recovery|promotion|redis_recovery|rollback|index_rebuild)$$' --no-tests=error --output-on-failure

# Every mode of the simulator, on every plan that ships.
simulate: test
	@ctest --test-dir $(BUILD) -C nightly -R '^sim_night$$' --no-tests=error --output-on-failure

clean:
	rm -rf $(BUILD) build-*
