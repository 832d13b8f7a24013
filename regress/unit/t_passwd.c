/* passwd files: lines, the file as a whole, passwords against verifiers. */
/* links: msad/auth/passfile.c msad/auth/credential.c msad/auth/sasl_text.c */
/* links: msad/auth/hasher.c msad/queue/scope.c msad/queue/form.c */
/* libs: crypto crypt idn idn2 */

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/passwd_line.h"
#include "common/saslprep.h"
#include "msad/auth/hasher.h"
#include "msad/auth/passfile.h"
#include "msad/queue/scope.h"

/* Made by doveadm pw and by mkpasswd, of this password. */
#define PASSWORD	"Gr\xc3\xbc\xc3\x9f" "e 1"
#define SCRAM256 \
	"{SCRAM-SHA-256}4096,lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFNq" \
	"fCXjkkRDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6LxwQYOZYiYJPr0" \
	"hBkDPo3tftc="
#define SCRAM1 \
	"{SCRAM-SHA-1}4096,9dFUm2vHBlAkDb7RdXdxMQ==,qFZc9CZjY3T" \
	"Ud5zkFG7esHNN62M=,fxdxzWil000qBqN5w2I4GpJWnDg="
#define YESCRYPT \
	"$y$j9T$ehLr9YAOFyclN5prOCVUr.$IWxuB28quzXBoTTV1ZAe4otiR" \
	"j0QbG3OUOxguBMJ1A8"
#define SHA512 \
	"$6$KTeontk3F.jnXduT$JJePvfFserBWZ8yo0wNSYgOj7o4OdvlamtDsu" \
	"Af/1ApjbKe.nEuN2y4AtroHXOZg8RxWmUo8cENzcv6pbAl7x1"
#define SHA256 \
	"$5$iNLlaorLjL6DLpdq$z1ar/hUoICTlJP5R34KDeOzIMXx78.H0Feqi4BSi1S4"
#define BCRYPT	"$2b$05$QZwmerqZnEs39HPKhE0uyOE069rOYDkYsqUHJ4SHlCVIiqrnRN7zy"

static const char *const	 made[] = {
	SCRAM256, SCRAM1, YESCRYPT, SHA512, SHA256, BCRYPT,
	"{CRYPT}$2y$05$5xpmeCK1dUm7E0hpG7MNrO9ymLl1XIgQts5OCXrs7wgpm2ycNnmGG",
	"{SHA512-CRYPT}$6$/ILr8qAkxZukCzLM$Q0112GC14hP/AHVErSjoVmSEFpO4Blx3Wt"
	    "hfsIYW5WnjyWS2R1YM1DfwDwfzcRzbRFNA5EPbFl8V0qhe6890R/",
	"{SHA256-CRYPT}$5$M.XVkIpI4oNQ0wkK$HhUrTOgDeR/agDgGs5NAxFVqbTqRuQizbeF"
	    "Pq166BW1",
	"{BLF-CRYPT}$2y$05$hRO9unhcR/C0ApXEh5Vj5.0ujd9gT/SBtSeFachxLm3wJ00f9Lw"
	    "0O",
	"$gy$j9T$JptljW1how9I60ZIqY9N7/$cBiUy4wvc.AjclUrNTi8jeQKpH9n3hWf7rlPZ1"
	    "YLANA",
	"$7$CU..../....T3ySLH.k.BlUacOS7MTwU0$F8gZbMOmti1PfTz9DOZBv1Y4rImTdGd5"
	    "YYJ2LKKm9bC",
	"$2a$05$47SuEtg8XnXGw6LJ/..keeIbujJ4P5jjvY8bjCMEACdz4HmnlKyLu"
};

#define NMADE	(sizeof(made) / sizeof(made[0]))

static struct passwd_line	 l;

static int
parse(const char *text)
{
	const char	*reason = "unset";
	char		*copy = test_malloc(strlen(text) + 1);
	static char	*kept;
	int		 rv;

	/* Exactly as long, so that a sanitizer sees a read past the end. */
	if (kept != NULL)
		test_free(kept);
	kept = copy;
	memcpy(copy + 1, text, strlen(text));
	rv = passwd_line_parse(SLICE(copy + 1, strlen(text)), &l, &reason);
	if (rv == 0)
		assert_null(reason);
	else
		assert_non_null(reason);
	if (strcmp(text, "") == 0) {
		test_free(kept);
		kept = NULL;
	}
	return rv;
}

static void
lines(void **state)
{
	size_t	 i;
	char	 text[1024];

	(void)state;
	for (i = 0; i < NMADE; i++) {
		snprintf(text, sizeof(text), "ann:%s", made[i]);
		if (parse(text) == -1)
			fail_msg("refused: %s", text);
	}
	assert_int_equal(parse("ann@x.example:" YESCRYPT " " SCRAM256 "  "
	    SCRAM1 ":label=print-er_1.x  expires=2031-12-31 "
	    "network=192.0.2.0/24,2001:db8::/32,::1 "
	    "from=ann@x.example,@y.example to=z.example,w.example "
	    "rate=20/hour no-relay-before=2030-01-02T03:04:05Z "
	    "mech=scram-sha-256,plain"), 0);
	assert_true(slice_is(l.user, "ann@x.example"));
	assert_true(slice_is(l.crypt, YESCRYPT));
	assert_true(l.has_sha256 && l.has_sha1);
	assert_int_equal(l.sha256.iterations, 4096);
	assert_int_equal(l.sha256.nsalt, 16);
	assert_true(slice_is(l.label, "print-er_1.x"));
	assert_int_equal(l.expires, 1956441600);
	assert_int_equal(l.relay_after, 1893553445);
	assert_int_equal(l.rate, 20);
	assert_int_equal(l.mechs, CONF_MECH_PLAIN | CONF_MECH_SCRAM_SHA256);
	assert_int_equal(l.nnetworks, 3);
	assert_int_equal(l.networks[0].prefix, 24);
	assert_int_equal(l.networks[1].prefix, 32);
	assert_int_equal(l.nsenders, 2);
	assert_true(slice_is(l.senders[1], "@y.example"));
	assert_int_equal(l.ndomains, 2);
	assert_true(slice_is(l.domains[0], "z.example"));
	assert_int_equal(parse("ann:" BCRYPT ":"), 0);
	assert_true(passwd_line_blank(SLICE_STR("  # x")));
	assert_true(passwd_line_blank(SLICE_STR("")));
	assert_false(passwd_line_blank(SLICE_STR("x#")));
	(void)parse("");
}

static void
bad_lines(void **state)
{
	static const char *const	 texts[] = {
		"", "ann", "ann:", ":" BCRYPT, "ann: ", "ann:secret",
		"ann:{PLAIN}secret", "ann:{SCRAM-SHA-256}",
		"ann:{SCRAM-SHA-256}4095,c2FsdHNhbHQ=,x,y",
		"ann:{SCRAM-SHA-256}04096,lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFN"
		    "qfCXjkkRDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6Lx"
		    "wQYOZYiYJPr0hBkDPo3tftc=",
		"ann:{SCRAM-SHA-256}1000001,lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFNqf"
		    "CXjkkRDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6LxwQY"
		    "OZYiYJPr0hBkDPo3tftc=",
		"ann:{SCRAM-SHA-256}4096,c2FsdA==,D1biFnFNqfCXjkkRDcEsVcImvybmb"
		    "XL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6LxwQYOZYiYJPr0hBkDPo3tft"
		    "c=",
		"ann:{SCRAM-SHA-1}4096,lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFNqfCXjkk"
		    "RDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6LxwQYOZYiY"
		    "JPr0hBkDPo3tftc=",
		"ann:" SCRAM256 ",x", "ann:" SCRAM256 " " SCRAM256,
		"ann:" BCRYPT " " SHA512,
		"ann:$1$abcdefgh$0123456789012345678901",
		"ann:$5$short", "ann:" BCRYPT "*", "ann:" BCRYPT " x",
		"ann:" BCRYPT ":x", "ann:" BCRYPT ":unknown=1",
		"ann:" BCRYPT ":label=", "ann:" BCRYPT ":label=a,b",
		"ann:" BCRYPT ":label=a label=b",
		"ann:" BCRYPT ":expires=tomorrow", "ann:" BCRYPT
		":expires=2031-02-30", "ann:" BCRYPT ":expires=2031-13-01",
		"ann:" BCRYPT ":expires=2031-1-1",
		"ann:" BCRYPT ":expires=2031-12-31T24:00:00Z",
		"ann:" BCRYPT ":expires=2031-12-31T00:00:00",
		"ann:" BCRYPT ":network=",
		"ann:" BCRYPT ":network=192.0.2.1/24",
		"ann:" BCRYPT ":network=192.0.2.0/24,",
		"ann:" BCRYPT ":network=somewhere", "ann:" BCRYPT ":from=ann",
		"ann:" BCRYPT ":from=a@b,,c@d", "ann:" BCRYPT ":from=a<b@c",
		"ann:" BCRYPT ":to=@x.example", "ann:" BCRYPT ":to=x y",
		"ann:" BCRYPT ":mech=", "ann:" BCRYPT ":mech=magic",
		"ann:" BCRYPT ":mech=plain,plain",
		"ann:" BCRYPT ":mech=plain mech=login",
		"ann:" BCRYPT ":rate=20", "ann:" BCRYPT ":rate=0/hour",
		"ann:" BCRYPT ":rate=20/minute", "ann:" BCRYPT ":rate=/hour",
		"ann:" BCRYPT ":rate=1/hour rate=2/hour"
	};
	char				 text[4000];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (parse(texts[i]) == 0)
			fail_msg("taken: %s", texts[i]);
	/* 64 of a list, and one too many */
	strlcpy(text, "ann:" BCRYPT ":to=d0", sizeof(text));
	for (i = 1; i < 64; i++)
		strlcat(text, ",domain.example", sizeof(text));
	assert_int_equal(parse(text), 0);
	strlcat(text, ",domain.example", sizeof(text));
	assert_int_equal(parse(text), -1);
	(void)parse("");
}

/* A hash that would hold up everybody's logins is none. */
static void
crypt_cost(void **state)
{
#define TAIL	"$0123456789012345678901234567890123456789012"
	static const char *const	 good[] = {
		"$2b$04" TAIL, "$2y$16" TAIL, "$5$rounds=1000000" TAIL,
		"$6$rounds=1000" TAIL, "$6$roundssalt" TAIL,
		"$y$j9T" TAIL, "$y$jET" TAIL,	/* 2^17 * 32 = 2^22 */
		"$gy$jET" TAIL, "$y$jG5" TAIL,	/* 2^19 * 8 */
		"$7$FU..../....salt" TAIL,	/* 2^17 * 32 * 1 */
		"$7$EU....0....salt" TAIL	/* 2^16 * 32 * 2 */
	};
	static const struct {
		const char	*hash, *reason;
	} bad[] = {
		{ "$2b$17" TAIL, "bcrypt" }, { "$2a$31" TAIL, "bcrypt" },
		{ "$2b$03" TAIL, "bcrypt" }, { "$2b$5" TAIL, "bcrypt" },
		{ "$2b$016" TAIL, "bcrypt" },
		{ "$5$rounds=1000001" TAIL, "rounds" },
		{ "$6$rounds=99999999999999999999" TAIL, "rounds" },
		{ "$6$rounds=4294968296" TAIL, "rounds" },
		{ "$6$rounds=" TAIL, "rounds" },
		{ "$6$rounds=50x" TAIL, "rounds" },
		{ "$6$rounds=5000000000000000000000000", "rounds" },
		{ "$y$jFT" TAIL, "yescrypt" }, { "$gy$jFT" TAIL, "yescrypt" },
		{ "$y$jEU" TAIL, "yescrypt" }, { "$y$jzT" TAIL, "yescrypt" },
		{ "$y$j9z" TAIL, "yescrypt" }, { "$y$jT/T" TAIL, "yescrypt" },
		{ "$y$j9T..z" TAIL, "yescrypt" }, { "$y$j9" TAIL, "yescrypt" },
		{ "$7$GU..../....salt" TAIL, "scrypt" },
		{ "$7$FV..../....salt" TAIL, "scrypt" },
		{ "$7$FU....0....salt" TAIL, "scrypt" },
		{ "$7$/zzzzzzzzzzsalt" TAIL, "scrypt" },
		{ "$7$z/..../....salt" TAIL, "scrypt" },
		{ "$7$.U..../....salt" TAIL, "scrypt" },
		{ "$7$CU$.../....salt" TAIL, "scrypt" },
		{ "$7$C...../....salt" TAIL, "scrypt" }
	};
	const char	*reason;
	char		 text[200];
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "ann:{CRYPT}%s", good[i]);
		if (parse(text) == -1)
			fail_msg("refused: %s", good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "ann:%s", bad[i].hash);
		if (passwd_line_parse(SLICE_STR(text), &l, &reason) == 0)
			fail_msg("taken: %s", text);
		if (strstr(reason, bad[i].reason) == NULL)
			fail_msg("%s: %s", text, reason);
	}
	(void)parse("");
#undef TAIL
}

/* What is taken here the queue takes as well: see scope_set(). */
static void
scope_entries(void **state)
{
	static const struct {
		const char	*word;
		bool		 taken;
	} words[] = {
		{ "from=ann@x.example", true }, { "from=@x.example", true },
		{ "from=\"a\\\"b\"@x.example", true },
		{ "from=o'neil+a/b@[192.0.2.1]", true },
		{ "from=@[IPv6:2001:db8::1]", true },
		{ "from=gr\xc3\xbc\xc3\x9f@x.example", true },
		{ "from=ann@xn--bcher-kva.example", true },
		{ "to=xn--bcher-kva.example,[192.0.2.1]", true },
		{ "from=ann@b\xc3\xbc" "cher.example", false },
		{ "from=@b\xc3\xbc" "cher.example", false },
		{ "to=b\xc3\xbc" "cher.example", false },
		{ "from=gr\xc3@x.example", false },
		{ "from=a..b@x.example", false },
		{ "from=.a@x.example", false },
		{ "from=a@b@x.example", false }, { "from=@", false },
		{ "from=ann", false }, { "from=ann@", false },
		{ "from=ann@x..example", false },
		{ "from=ann@x.example.", false }, { "from=@x.", false },
		{ "from=@x-.example", false }, { "from=@x.-y", false },
		{ "from=@x_y.example", false }, { "from=@[192.0.2]", false },
		{ "from=\"a@x.example", false },
		{ "to=x..example", false }, { "to=x.example.", false },
		{ "to=x.-y", false }, { "to=x-", false },
		{ "to=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa.example", false }
	};
	char	 text[400];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct scope_claim	 claim = { 0 };
		struct scope		 scope;

		snprintf(text, sizeof(text), "ann:" BCRYPT ":%s",
		    words[i].word);
		if ((parse(text) == 0) != words[i].taken)
			fail_msg("%s", words[i].word);
		if (!words[i].taken)
			continue;
		memcpy(claim.senders, l.senders, sizeof(l.senders));
		memcpy(claim.domains, l.domains, sizeof(l.domains));
		claim.nsenders = l.nsenders;
		claim.ndomains = l.ndomains;
		if (scope_set(&scope, &claim) == -1)
			fail_msg("refused by the queue: %s", words[i].word);
		scope_clear(&scope);
	}
	(void)parse("");
}

/* What a credential may say fits into a GRANT, which has no second part. */
static void
scope_fits(void **state)
{
	char	 text[PASSWD_LINE_MAX], entry[256];
	size_t	 n, octets = 0;
	int	 i;

	(void)state;
	strlcpy(text, "ann:" BCRYPT ":from=", sizeof(text));
	for (i = 0; ; i++) {
		n = (size_t)snprintf(entry, sizeof(entry),
		    "%sl%02d@%060d.%060d.%058d.example",
		    i % 64 == 0 ? "" : ",", i, 0, 0, 0);
		if (i == 64)
			strlcat(text, " to=", sizeof(text));
		if (i >= 64)
			n = (size_t)snprintf(entry, sizeof(entry),
			    "%s%060d.%060d.%058d.example",
			    i == 64 ? "" : ",", 0, 0, 0);
		octets += n + 2 - (i % 64 != 0);
		strlcat(text, entry, sizeof(text));
		if (octets > PASSWD_SCOPE_MAX)
			break;
		assert_int_equal(parse(text), 0);
	}
	assert_true(strlen(text) < PASSWD_LINE_MAX - 1);
	assert_int_equal(parse(text), -1);
	(void)parse("");
}

/* --- files --- */

static char	 why[300];

static struct passfile *
load(const char *text)
{
	FILE		*f = tmpfile();
	struct passfile	*pf;

	assert_non_null(f);
	fputs(text, f);
	fflush(f);
	why[0] = '\0';
	pf = passfile_load(fileno(f), "/p", why, sizeof(why));
	fclose(f);
	return pf;
}

static void
refused(const char *text, const char *reason)
{
	assert_null(load(text));
	assert_string_equal(why, reason);
}

static void
file_order(void **state)
{
	struct credential *const	*first;
	struct passfile			*pf;

	(void)state;
	pf = load("# users\n\nzoe:" BCRYPT "\r\nann:" SHA512 ":label=x\n"
	    "ann:" SHA256 "\n  # more\nbob:" SCRAM256 "\n"
	    "stra\xc3\x9f" "e:" BCRYPT "\nann:" BCRYPT ":label=y");
	assert_non_null(pf);
	assert_int_equal(pf->n, 6);
	assert_int_equal(passfile_find(pf, SLICE_STR("ann"), &first), 3);
	assert_string_equal(first[0]->label, "x");
	assert_string_equal(first[1]->label, "");
	assert_string_equal(first[2]->label, "y");
	assert_int_equal(passfile_find(pf, SLICE_STR("zoe"), &first), 1);
	assert_string_equal(first[0]->crypt, BCRYPT);
	assert_int_equal(passfile_find(pf, SLICE_STR("bob"), &first), 1);
	assert_int_equal(passfile_find(pf, SLICE_STR("Ann"), &first), 0);
	assert_int_equal(passfile_find(pf, SLICE_STR(""), &first), 0);
	assert_int_equal(passfile_find(pf, SLICE_STR("zz"), &first), 0);
	/* Two spellings of one name (SASLprep). */
	assert_int_equal(passfile_find(pf, SLICE_STR("\xef\xbd\x82ob"),
	    &first), 1);
	passfile_release(pf);
	pf = load("");
	assert_non_null(pf);
	assert_int_equal(passfile_find(pf, SLICE_STR("ann"), &first), 0);
	passfile_release(pf);
}

static void
file_errors(void **state)
{
	char	*text, *p;
	size_t	 i;

	(void)state;
	refused("ann:" BCRYPT "\n\nbob\n", "/p:3: no verifier");
	refused("ann:" BCRYPT ":expires=never",
	    "/p:1: expires is not a date such as 2031-12-31");
	refused("\xef\xbd\x82ob:" BCRYPT,
	    "/p:1: the user name is not in the form of SASLprep (RFC 4013)");
	refused("a/b:" BCRYPT,
	    "/p:1: the user name is not in the form of SASLprep (RFC 4013)");
	refused("ann:" BCRYPT "\nann:" SHA256,
	    "/p: user \"ann\" with label \"\" is there twice");
	refused("ann:" BCRYPT ":label=x\nbob:" BCRYPT "\nann:" BCRYPT
	    ":label=x", "/p: user \"ann\" with label \"x\" is there twice");
	text = malloc(200000);
	assert_non_null(text);
	for (p = text, i = 0; i < 65; i++)
		p += snprintf(p, 200, "ann:" BCRYPT ":label=l%zu\n", i);
	refused(text, "/p: user \"ann\" has more than 64 entries");
	/* A line that has no end, at the end of the buffer and beyond. */
	strlcpy(text, "ann:" BCRYPT "\n", 200000);
	memset(text + strlen(text), 'x', 150000);
	text[150000] = '\0';
	refused(text, "/p:2: line is longer than 16384 octets");
	/* Longer than the buffer, whole lines. */
	for (p = text, i = 0; i < 2000; i++)
		p += snprintf(p, 100, "u%zu:" BCRYPT "\n", i);
	{
		struct credential *const	*first;
		struct passfile			*pf = load(text);

		assert_non_null(pf);
		assert_int_equal(pf->n, 2000);
		assert_int_equal(passfile_find(pf, SLICE_STR("u1999"),
		    &first), 1);
		passfile_release(pf);
	}
	free(text);
}

/* R5802-5-d: stable per name, over a reload and with other lines as well. */
static void
fake_salt(void **state)
{
	struct scram_verifier	 a, b, c;
	struct passfile		*pf;

	(void)state;
	pf = load("ann:" SCRAM256 "\n");
	passfile_fake(pf, SCRAM_SHA256, SLICE_STR("nobody"), &a);
	passfile_fake(pf, SCRAM_SHA256, SLICE_STR("no"), &b);
	/* as of users with two verifiers: one salt for both would tell */
	passfile_fake(pf, SCRAM_SHA1, SLICE_STR("nobody"), &c);
	assert_memory_not_equal(a.salt, c.salt, 16);
	passfile_release(pf);
	pf = load("ann:" SCRAM256 "\nbob:" BCRYPT "\n");
	passfile_fake(pf, SCRAM_SHA256, SLICE_STR("nobody"), &c);
	passfile_release(pf);
	assert_int_equal(a.iterations, 4096);
	assert_int_equal(a.nsalt, 16);
	assert_memory_equal(a.salt, c.salt, 16);
	assert_memory_not_equal(a.salt, b.salt, 16);
	/* R7677-3-a: what is said of nobody where nothing is known. */
	pf = load("ann:" BCRYPT "\n");
	passfile_fake(pf, SCRAM_SHA256, SLICE_STR("nobody"), &a);
	assert_int_equal(a.iterations, 15000);
	assert_int_equal(a.nsalt, 16);
	passfile_release(pf);
}

#define KEYS	",lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFNqfCXjkkRDcEsVcImvybmbXL2py" \
	"D/VHu7GWo=,bCWCjKCufMLawljWl6LxwQYOZYiYJPr0hBkDPo3tftc="

/*
 * R5802-5-d: iterations as frequent as in the file; one line more changes
 * those of few; a salt of another length has another length for nobody, too.
 */
static void
fake_cost(void **state)
{
	static char		 text[100 * 200], name[16];
	static uint32_t		 was[1000];
	struct scram_verifier	 v;
	struct passfile		*pf;
	size_t			 i, n = 0, high = 0, moved = 0;

	(void)state;
	for (i = 0; i < 80; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "u%zu:{SCRAM-SHA-256}%s" KEYS "\n", i,
		    i % 4 == 3 ? "15000" : "4096");
	assert_non_null(pf = load(text));
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "nobody%zu", i);
		passfile_fake(pf, SCRAM_SHA256, SLICE_STR(name), &v);
		was[i] = v.iterations;
		assert_true(v.iterations == 4096 || v.iterations == 15000);
		high += v.iterations == 15000;
	}
	passfile_release(pf);
	if (high < 180 || high > 320)
		fail_msg("%zu of 1000, not about 250", high);
	snprintf(text + n, sizeof(text) - n, "zoe:{SCRAM-SHA-256}15000"
	    KEYS "\n");
	assert_non_null(pf = load(text));
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "nobody%zu", i);
		passfile_fake(pf, SCRAM_SHA256, SLICE_STR(name), &v);
		moved += v.iterations != was[i];
	}
	passfile_release(pf);
	if (moved > 50)
		fail_msg("%zu of 1000 have other iterations", moved);
	assert_non_null(pf = load("ann:{SCRAM-SHA-256}4096,"
	    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NQ=="
	    "," "D1biFnFNqfCXjkkRDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLaw"
	    "ljWl6LxwQYOZYiYJPr0hBkDPo3tftc=\n"));
	passfile_fake(pf, SCRAM_SHA256, SLICE_STR("nobody"), &v);
	assert_int_equal(v.nsalt, 46);
	assert_memory_not_equal(v.salt, v.salt + 32, 14);
	assert_memory_not_equal(v.salt + 32, (char[14]){ 0 }, 14);
	passfile_release(pf);
}

/* R4954-6-a: nobody's hash is of the kind that others have, and fits none. */
static void
dummy(void **state)
{
	struct passfile	*pf;

	(void)state;
	pf = load("ann:" SCRAM256 "\n");
	assert_non_null(pf->dummy->sha256);
	assert_int_equal(pf->dummy->sha256->iterations, 4096);
	passfile_release(pf);
	pf = load("ann:" YESCRYPT "\n");
	assert_string_equal(pf->dummy->crypt, YESCRYPT);
	passfile_release(pf);
}

/* --- passwords --- */

static struct hash_request	 req;

static void
password(const char *text)
{
	req.npassword = (uint32_t)strlen(text);
	memcpy(req.password, text, req.npassword + 1);
}

/* Acceptance 7: what doveadm pw and mkpasswd make. */
static void
hashes(void **state)
{
	struct hash_entry	*e = &req.entries[0];
	char			 text[1024];
	size_t			 i;

	(void)state;
	for (i = 0; i < NMADE; i++) {
		memset(&req, 0, sizeof(req));
		snprintf(text, sizeof(text), "ann:%s", made[i]);
		assert_int_equal(parse(text), 0);
		if (l.has_sha256) {
			e->kind = HASH_SCRAM_SHA256;
			e->u.scram = l.sha256;
		} else if (l.has_sha1) {
			e->kind = HASH_SCRAM_SHA1;
			e->u.scram = l.sha1;
		} else {
			e->kind = HASH_CRYPT;
			memcpy(e->u.crypt, l.crypt.p, l.crypt.len);
		}
		req.nentries = 1;
		password(PASSWORD);
		if (hasher_match(&req) != 0)
			fail_msg("not taken: %s", made[i]);
		password(PASSWORD "2");
		assert_int_equal(hasher_match(&req), HASHER_NONE);
		password("");
		assert_int_equal(hasher_match(&req), HASHER_NONE);
	}
	(void)parse("");
}

/* Which of several; one salt for some. SASLprep before SCRAM's hash. */
static void
several(void **state)
{
	size_t	 i;

	(void)state;
	memset(&req, 0, sizeof(req));
	for (i = 0; i < 4; i++) {
		struct scram_verifier	*v = &req.entries[i].u.scram;
		char			 text[2] = { (char)('a' + i), '\0' };

		req.entries[i].kind = HASH_SCRAM_SHA256;
		v->iterations = 4096;
		v->nsalt = 16;
		memset(v->salt, i == 3 ? 1 : 2, 16);
		assert_int_equal(scram_derive(SCRAM_SHA256, SLICE_STR(text),
		    v), 0);
	}
	req.nentries = 4;
	password("a");
	assert_int_equal(hasher_match(&req), 0);
	password("c");
	assert_int_equal(hasher_match(&req), 2);
	password("d");
	assert_int_equal(hasher_match(&req), 3);
	password("e");
	assert_int_equal(hasher_match(&req), HASHER_NONE);
	password("\xc2\xaa");		/* U+00AA, which is "a" */
	assert_int_equal(hasher_match(&req), 0);
	password("\xff");
	assert_int_equal(hasher_match(&req), HASHER_NONE);
}

/* RFC 4013 section 3 */
static void
prep(void **state)
{
	char	 out[32];

	(void)state;
	assert_int_equal(saslprep(SLICE_STR("I\xc2\xadX"), out, 32), 2);
	assert_string_equal(out, "IX");
	assert_int_equal(saslprep(SLICE_STR("user"), out, 32), 4);
	assert_int_equal(saslprep(SLICE_STR("USER"), out, 32), 4);
	assert_string_equal(out, "USER");
	assert_int_equal(saslprep(SLICE_STR("\xc2\xaa"), out, 32), 1);
	assert_string_equal(out, "a");
	assert_int_equal(saslprep(SLICE_STR("\xe2\x85\xa8"), out, 32), 2);
	assert_string_equal(out, "IX");
	assert_int_equal(saslprep(SLICE_STR("\x07"), out, 32), -1);
	assert_int_equal(saslprep(SLICE_STR("\xd8\xa7" "1"), out, 32), -1);
	assert_int_equal(saslprep(SLICE("a\0b", 3), out, 32), -1);
	assert_int_equal(saslprep(SLICE("\xc2\xaa\0b", 4), out, 32), -1);
	assert_int_equal(saslprep(SLICE_STR("\xc2\xad"), out, 32), -1);
	assert_int_equal(saslprep(SLICE_STR("\xc3"), out, 32), -1);
	assert_int_equal(saslprep(SLICE_STR(""), out, 32), -1);
	assert_int_equal(saslprep(SLICE_STR("abcd"), out, 4), -1);
	assert_int_equal(saslprep(SLICE_STR("abc"), out, 4), 3);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(bad_lines),
		cmocka_unit_test(scope_fits), cmocka_unit_test(crypt_cost),
		cmocka_unit_test(scope_entries), cmocka_unit_test(fake_cost),
		cmocka_unit_test(file_order), cmocka_unit_test(file_errors),
		cmocka_unit_test(fake_salt), cmocka_unit_test(dummy),
		cmocka_unit_test(hashes), cmocka_unit_test(several),
		cmocka_unit_test(prep)
	};

	return cmocka_run_group_tests_name("passwd", tests, NULL, NULL);
}
