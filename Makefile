# msad's top-level Makefile, for GNU make and BSD make alike.
#
# It configures on first use, writes the rules for the sources that are there
# (etc/mkrules) and hands over to etc/build.mk. O is the folder of the build.

O ?=		build
ASAN_O ?=	$(O)/asan
FUZZ_O ?=	$(O)/fuzz
SUB =		$(MAKE) -f etc/build.mk

all: rules
	@$(SUB) O=$(O) all

config.mk config.h: configure
	sh ./configure

rules: config.mk
	@mkdir -p $(O) && sh etc/mkrules $(O)

install install-sendmail install-users unit lint: rules
	@$(SUB) O=$(O) $@

asan: config.mk
	@mkdir -p $(ASAN_O) && sh etc/mkrules $(ASAN_O)
	@$(SUB) O=$(ASAN_O) SAN=asan all unit-build

fuzz: config.mk
	@mkdir -p $(FUZZ_O) && sh etc/mkrules $(FUZZ_O)
	@$(SUB) O=$(FUZZ_O) SAN=fuzz fuzz-build

regress:
	sh regress/run

bench: rules
	@$(SUB) O=$(O) all bench-build
	MSAD_BUILD=$(O) sh regress/bench/run

bench-slow: rules
	@$(SUB) O=$(O) all bench-build
	MSAD_BUILD=$(O) perl regress/bench/slow.pl

bench-queue: rules
	@$(SUB) O=$(O) all bench-build
	MSAD_BUILD=$(O) perl regress/bench/queue.pl

crash: rules
	@$(SUB) O=$(O) all unit-build helpers-build bench-build
	MSAD_BUILD=$(O) sh regress/crash/run

crash-bugs: config.mk
	sh regress/crash/find-bugs

clean:
	rm -rf $(O)

distclean: clean
	rm -f config.mk config.h config.log

.PHONY: all rules install install-sendmail install-users unit lint asan fuzz regress crash crash-bugs bench bench-slow bench-queue clean distclean
