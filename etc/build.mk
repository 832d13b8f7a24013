# The build proper, called by the top-level Makefile with O (build folder) and
# SAN (empty, asan or fuzz). rules.mk in O has the rules of each file.

include config.mk

# No rules but ours: make would take common/conf.y for the source of conf.c.
.SUFFIXES:

SAN_FLAGS_ =		$(HARDEN)
SAN_FLAGS_asan =	-O1 -g -fno-omit-frame-pointer -fPIE -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_fuzz =	-O1 -g -fno-omit-frame-pointer -fPIE -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -DMSAD_FUZZ
SAN_LD_ =		$(LDHARDEN)
SAN_LD_asan =		-pie -fsanitize=address,undefined
SAN_LD_fuzz =		-pie -fsanitize=address,undefined
SAN_CC_ =		$(CC)
SAN_CC_asan =		$(CC)
SAN_CC_fuzz =		$(CLANG)

COMPILE =	$(SAN_CC_$(SAN)) $(WARN) $(SAN_FLAGS_$(SAN)) $(DEFS) -I$(O) -MMD -MP
LINK =		$(SAN_CC_$(SAN)) $(SAN_FLAGS_$(SAN)) $(SAN_LD_$(SAN))
COMMON_A =	$(O)/libcommon.a
LIBS =		$(LIB_event) $(LIB_bsd) $(LIB_sandbox)

LIBS_msad_frontend =	$(LIB_tls) $(LIB_ssl) $(LIB_crypto) $(LIB_idn2)
LIBS_msad_auth =	$(LIB_crypto) $(LIB_crypt) $(LIB_idn) $(LIB_jansson)
LIBS_msad_pam =		$(LIB_pam) -ldl $(SAN_PAM_$(SAN))
# the sanitizer's crypt_r() needs libcrypt at the start, not with pam_unix
SAN_PAM_asan =		-Wl,--no-as-needed -lcrypt
LIBS_msad_keys =	$(LIB_crypto)
LIBS_msad_queue =	$(LIB_crypto) $(LIB_idn2)
LIBS_msad_relay =	$(LIB_tls) $(LIB_ssl) $(LIB_crypto) $(LIB_idn2)
LIBS_msad_resolver =	$(LIB_unbound)
LIBS_msad_control =	$(LIB_jansson)
LIBS_msad_lookup =	$(LIB_sqlite) $(LIB_ldap)
LIBS_msactl =		$(LIB_jansson) $(LIB_crypto) $(LIB_idn)

# libidn2 is for what takes common/idna.c out of libcommon.a
TEST_LIBS_UNIT =	$(LIB_cmocka) $(LIB_idn2)
TEST_LIBS_CRASH =	$(LIB_cmocka)
TEST_LD_FUZZ =		-fsanitize=fuzzer
TEST_LIBS_FUZZ =	$(LIB_idn2)
TEST_LIBS_BENCH =	$(LIB_ssl) $(LIB_crypto) $(LIB_idn2)

# The first target of rules.mk is not the one to make when none is named.
default: all

include $(O)/rules.mk

all: $(PROGRAMS)
unit-build: $(UNIT) $(CRASH)
fuzz-build: $(FUZZ)
bench-build: $(BENCH)
helpers-build: $(HELPERS)

unit: unit-build
	@for t in $(UNIT); do $$t || exit 1; done

$(COMMON_A): $(COMMON_OBJS)
	@rm -f $@
	ar rc $@ $(COMMON_OBJS)

SBIN =		$(DESTDIR)$(PREFIX)/sbin
LIBEXEC =	$(DESTDIR)$(PREFIX)/libexec/msad
MAN =		$(DESTDIR)$(PREFIX)/share/man
DOC =		$(DESTDIR)$(PREFIX)/share/doc/msad
UNIT_DIR =	$(DESTDIR)$(PREFIX)/lib/systemd/system

install: all
	install -d -m 755 $(SBIN) $(LIBEXEC) $(MAN)/man5 $(MAN)/man8 $(DESTDIR)$(SYSCONFDIR)/msad
	install -d -m 755 $(DESTDIR)$(LOCALSTATEDIR)/empty/msad
	install -m 755 $(O)/msad $(O)/msactl $(SBIN)/
	for p in $(PROGRAMS); do case $$p in */msad|*/msactl) ;; *) install -m 755 $$p $(LIBEXEC)/ || exit 1;; esac; done
	for m in msad/*.[58] msactl/*.8; do install -m 644 $$m $(MAN)/man$${m##*.}/ || exit 1; done
	install -d -m 755 $(DOC) $(UNIT_DIR)
	install -m 644 README LICENSE CHANGES etc/msad.conf $(DOC)/
	install -m 644 etc/pam.d/msad $(DOC)/pam.d-msad
	install -m 755 etc/rc.d/msad $(DOC)/rc.d-msad
	sed 's@/usr/local/sbin@$(PREFIX)/sbin@' etc/systemd/msad.service >$(UNIT_DIR)/msad.service
	test -e $(DESTDIR)$(SYSCONFDIR)/msad/msad.conf || install -m 644 etc/msad.conf $(DESTDIR)$(SYSCONFDIR)/msad/

# Only when asked: the host may have a sendmail of another make.
install-sendmail: install
	for n in sendmail mailq newaliases; do ln -sf msactl $(SBIN)/$$n || exit 1; done

install-users:
	sh etc/users

lint:
	sh etc/lint

.PHONY: all unit-build fuzz-build bench-build helpers-build unit install install-sendmail install-users lint
