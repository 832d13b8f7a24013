/*
 * msactl passwd: the verifiers and app passwords of a passwd file
 * (msad-passwd(5)).
 *
 * Works on the file alone, as the caller, and asks no daemon; msad takes the
 * file with its next reload. An app password is made here, shown once and
 * forgotten. What is written is first read by the parser that msad-auth has.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <readpassphrase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "common/passwd_line.h"
#include "common/saslprep.h"
#include "msactl/passwd.h"
#include "msactl/passwd_file.h"
#include "msactl/session.h"

#define SECRET_MAX	1024
#define APP_GROUPS	5	/* of 5 letters, from 32: 125 bits */
#define APP_GROUP	5

/* What the words after "add", "remove" ... say. */
struct request {
	char		 user[256];	/* in the form of SASLprep */
	const char	*label;		/* or NULL */
	const char	*path;
	char		 words[PASSWD_LINE_MAX / 2];	/* the third field */
	bool		 ask;		/* the password is given, not made */
	bool		 sha1;
};

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: msactl passwd add user [label name] "
	    "[password] [scram-sha-1]\n"
	    "           [expires date] [network list] [mech list] [from list] "
	    "[to list]\n"
	    "           [rate n/hour] [no-relay-before date] [file path]\n"
	    "       msactl passwd remove user [label name] [file path]\n"
	    "       msactl passwd list [user] [file path]\n"
	    "       msactl passwd verifier [scram-sha-1]\n");
	exit(EXIT_USAGE);
}

/* --- words --- */

static void
take_user(struct request *r, const char *name)
{
	if (saslprep(SLICE_STR(name), r->user, sizeof(r->user)) == -1 ||
	    strpbrk(r->user, ":/\n") != NULL)
		errx(EXIT_USAGE, "%s: not a user name", name);
}

/* "90d", "12w" or "24h" from now; others stay as they are. */
static const char *
date_of(const char *value, char *buf, size_t size)
{
	const char	*error;
	char		 number[16];
	size_t		 n = strlen(value);
	struct tm	*tm;
	time_t		 t;
	int64_t		 unit, count;

	if (n < 2 || n > sizeof(number) ||
	    strspn(value, "0123456789") != n - 1)
		return value;
	unit = value[n - 1] == 'h' ? 3600 : value[n - 1] == 'd' ? 86400 :
	    value[n - 1] == 'w' ? 7 * 86400 : 0;
	memcpy(number, value, n - 1);
	number[n - 1] = '\0';
	count = strtonum(number, 1, 1000000, &error);
	t = time(NULL) + (time_t)(unit * count);
	if (unit == 0 || error != NULL || (tm = gmtime(&t)) == NULL ||
	    strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", tm) == 0)
		return value;
	return buf;
}

/* A restriction, checked as msad-auth will. */
static void
take_word(struct request *r, const char *word, const char *value)
{
	static struct passwd_line	 line;
	char				 text[PASSWD_LINE_MAX / 4], date[32];
	const char			*reason;

	if (strcmp(word, "expires") == 0 ||
	    strcmp(word, "no-relay-before") == 0)
		value = date_of(value, date, sizeof(date));
	if (snprintf(text, sizeof(text), "%s=%s", word, value) >=
	    (int)sizeof(text) || strpbrk(value, " \n\r") != NULL)
		errx(EXIT_USAGE, "%s: %s: not a value", word, value);
	memset(&line, 0, sizeof(line));
	if (passwd_word_parse(SLICE_STR(text), &line, &reason) == -1)
		errx(EXIT_USAGE, "%s: %s", value, reason);
	if (r->words[0] != '\0')
		strlcat(r->words, " ", sizeof(r->words));
	if (strlcat(r->words, text, sizeof(r->words)) >= sizeof(r->words))
		errx(EXIT_USAGE, "the restrictions are too long");
}

static void
take_words(struct request *r, int argc, char **argv, bool add)
{
	static const char *const	 known[] = { "expires", "network",
		"mech", "from", "to", "rate", "no-relay-before" };
	size_t				 i;

	for (; argc > 0; argc--, argv++) {
		if (add && strcmp(*argv, "password") == 0) {
			r->ask = true;
			continue;
		}
		if (add && strcmp(*argv, "scram-sha-1") == 0) {
			r->sha1 = true;
			continue;
		}
		if (argc < 2)
			usage();
		argc--;
		argv++;
		if (strcmp(argv[-1], "file") == 0)
			r->path = *argv;
		else if (strcmp(argv[-1], "label") == 0)
			r->label = *argv;
		else {
			for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
				if (add && strcmp(argv[-1], known[i]) == 0)
					break;
			if (i == sizeof(known) / sizeof(known[0]))
				usage();
			take_word(r, argv[-1], *argv);
		}
	}
	if (r->label != NULL && add)
		take_word(r, "label", r->label);
}

/* --- secrets --- */

/* A new app password: easy to type, impossible to guess. */
static void
make_secret(char *buf, size_t size)
{
	static const char	 letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	size_t			 i, n = 0;

	for (i = 0; i < APP_GROUPS * APP_GROUP && n + 2 < size; i++) {
		if (i > 0 && i % APP_GROUP == 0)
			buf[n++] = '-';
		buf[n++] = letters[arc4random_uniform(sizeof(letters) - 1)];
	}
	buf[n] = '\0';
}

static void
ask_once(const char *prompt, char *buf, size_t size)
{
	size_t	 n;

	if (isatty(STDIN_FILENO)) {
		if (readpassphrase(prompt, buf, size, RPP_REQUIRE_TTY) == NULL)
			err(EXIT_ERROR, "password");
		return;
	}
	if (fgets(buf, (int)size, stdin) == NULL)
		errx(EXIT_ERROR, "no password on standard input");
	n = strcspn(buf, "\n");
	if (buf[n] == '\0' && !feof(stdin))
		errx(EXIT_ERROR, "the password is too long");
	buf[n] = '\0';
}

static void
ask_secret(char *buf, size_t size)
{
	char	 again[SECRET_MAX];

	ask_once("Password: ", buf, size);
	if (isatty(STDIN_FILENO)) {
		ask_once("The same again: ", again, sizeof(again));
		if (strcmp(buf, again) != 0)
			errx(EXIT_ERROR, "the two are not the same");
		explicit_bzero(again, sizeof(again));
	}
	if (buf[0] == '\0')
		errx(EXIT_ERROR, "the password is empty");
}

/* Append a verifier of the secret to buf, with the salt that v has. */
static void
add_verifier(char *buf, size_t size, enum scram_hash hash, const char *secret,
    struct scram_verifier *v)
{
	char	 prepared[2 * SECRET_MAX], text[SCRAM_TEXT_MAX];

	/* What SASLprep refuses a client sends as it is. */
	if (saslprep(SLICE_STR(secret), prepared, sizeof(prepared)) == -1)
		strlcpy(prepared, secret, sizeof(prepared));
	if (v->nsalt == 0) {
		v->iterations = SCRAM_ITERATIONS;
		v->nsalt = SCRAM_SALT;
		arc4random_buf(v->salt, v->nsalt);
	}
	if (scram_derive(hash, SLICE_STR(prepared), v) == -1 ||
	    scram_print(hash, v, text, sizeof(text)) == -1)
		errx(EXIT_ERROR, "out of memory");
	explicit_bzero(prepared, sizeof(prepared));
	if (buf[0] != '\0')
		strlcat(buf, " ", size);
	strlcat(buf, hash == SCRAM_SHA1 ? "{SCRAM-SHA-1}" :
	    "{SCRAM-SHA-256}", size);
	if (strlcat(buf, text, size) >= size)
		errx(EXIT_ERROR, "the line is too long");
}

/* --- lines --- */

static bool
label_is(const struct passwd_line *l, const char *label)
{
	return slice_is(l->label, label != NULL ? label : "");
}

/* Is it a line of r's user? Lines that msad would refuse end the program. */
static bool
line_of(const struct passwd_file *f, const struct request *r,
    struct slice text, unsigned int number, struct passwd_line *l)
{
	const char	*reason;

	if (passwd_line_blank(text))
		return false;
	if (passwd_line_parse(text, l, &reason) == -1)
		errx(EXIT_ERROR, "%s:%u: %s", f->path, number, reason);
	return r->user[0] == '\0' || slice_is(l->user, r->user);
}

/*
 * Take the salts of the user's other entries: with one salt for all, SCRAM
 * works with each of them (see msad-passwd(5)).
 */
static void
passwd_salt(const struct passwd_line *l, struct scram_verifier *sha256,
    struct scram_verifier *sha1)
{
	if (l->has_sha256 && (sha256->nsalt == 0 || l->label.len == 0))
		*sha256 = l->sha256;
	if (l->has_sha1 && (sha1->nsalt == 0 || l->label.len == 0))
		*sha1 = l->sha1;
}

/* --- the commands --- */

/* Will msad-auth read what is about to be written, and read it so? */
static void
check_line(const struct request *r, struct slice line)
{
	static struct passwd_line	 l;
	const char			*reason;
	char				 name[sizeof(r->user)];

	if (passwd_line_blank(line))
		errx(EXIT_USAGE, "%s: not a user name: its line would be a "
		    "comment", r->user);
	if (passwd_line_parse(line, &l, &reason) == -1)
		errx(EXIT_ERROR, "%s", reason);
	if (!slice_is(l.user, r->user) || !label_is(&l, r->label) ||
	    !l.has_sha256 || l.has_sha1 != r->sha1 ||
	    saslprep(l.user, name, sizeof(name)) == -1 ||
	    strcmp(name, r->user) != 0)
		errx(EXIT_ERROR, "%s: its line would be read as another",
		    r->user);
}

static int
passwd_add(const struct request *r)
{
	static struct passwd_line	 l;
	static char			 line[PASSWD_LINE_MAX];
	struct scram_verifier		 sha256 = { 0 }, sha1 = { 0 };
	struct passwd_file		 f;
	struct slice			 text;
	char				 verifiers[2 * SCRAM_TEXT_MAX] = "";
	char				 secret[SECRET_MAX], *whole;
	size_t				 off = 0, n;
	unsigned int			 number = 0;

	if (r->ask)
		ask_secret(secret, sizeof(secret));
	else
		make_secret(secret, sizeof(secret));
	passwd_file_open(&f, r->path, true);
	while (passwd_file_line(&f, &off, &text)) {
		if (!line_of(&f, r, text, ++number, &l))
			continue;
		if (label_is(&l, r->label))
			errx(EXIT_ERROR, "%s:%u: it is there already; remove "
			    "it first", f.path, number);
		passwd_salt(&l, &sha256, &sha1);
	}
	add_verifier(verifiers, sizeof(verifiers), SCRAM_SHA256, secret,
	    &sha256);
	if (r->sha1)
		add_verifier(verifiers, sizeof(verifiers), SCRAM_SHA1, secret,
		    &sha1);
	n = (size_t)snprintf(line, sizeof(line), "%s:%s%s%s", r->user,
	    verifiers, r->words[0] != '\0' ? ":" : "", r->words);
	if (n >= sizeof(line))
		errx(EXIT_ERROR, "the line is too long");
	check_line(r, SLICE(line, n));
	/* The old text may have no newline at its end. */
	if ((whole = malloc(f.len + n + 2)) == NULL)
		err(EXIT_ERROR, NULL);
	memcpy(whole, f.text, f.len);
	off = f.len;
	if (off > 0 && whole[off - 1] != '\n')
		whole[off++] = '\n';
	memcpy(whole + off, line, n);
	whole[off + n] = '\n';
	passwd_file_replace(&f, SLICE(whole, off + n + 1));
	freezero(whole, f.len + n + 2);
	passwd_file_close(&f);
	if (!r->ask)
		printf("%s\n", secret);
	explicit_bzero(secret, sizeof(secret));
	return EXIT_FINE;
}

static int
passwd_remove(const struct request *r)
{
	static struct passwd_line	 l;
	struct passwd_file		 f;
	struct slice			 text;
	char				*whole;
	size_t				 off = 0, was = 0, n = 0;
	unsigned int			 number = 0, removed = 0;

	passwd_file_open(&f, r->path, true);
	if ((whole = malloc(f.len + 1)) == NULL)
		err(EXIT_ERROR, NULL);
	for (; passwd_file_line(&f, &off, &text); was = off) {
		if (line_of(&f, r, text, ++number, &l) &&
		    label_is(&l, r->label)) {
			removed++;
			continue;
		}
		if (off > f.len)
			off = f.len;
		memcpy(whole + n, f.text + was, off - was);
		n += off - was;
	}
	if (removed > 0)
		passwd_file_replace(&f, SLICE(whole, n));
	else
		warnx("%s: no such user or label", f.path);
	freezero(whole, f.len + 1);
	passwd_file_close(&f);
	return removed > 0 ? EXIT_FINE : EXIT_NO_MATCH;
}

/* One line an entry: user, kinds of verifiers, restrictions. */
static int
passwd_list(const struct request *r)
{
	static struct passwd_line	 l;
	struct passwd_file		 f;
	struct slice			 text, words;
	size_t				 off = 0, i;
	unsigned int			 number = 0;

	passwd_file_open(&f, r->path, false);
	while (passwd_file_line(&f, &off, &text)) {
		if (!line_of(&f, r, text, ++number, &l))
			continue;
		words = slice_from(text, l.user.len + 1);
		for (i = 0; i < words.len && words.p[i] != ':'; i++)
			;
		words = slice_from(words, i + 1);
		printf("%.*s%s%s%s%s%.*s\n", SLICE_FMT(l.user),
		    l.has_sha256 ? " scram-sha-256" : "",
		    l.has_sha1 ? " scram-sha-1" : "",
		    l.crypt.len > 0 ? " crypt" : "",
		    words.len > 0 ? " " : "", SLICE_FMT(words));
	}
	passwd_file_close(&f);
	return EXIT_FINE;
}

static int
passwd_verifier(const struct request *r)
{
	struct scram_verifier	 sha256 = { 0 }, sha1 = { 0 };
	char			 buf[2 * SCRAM_TEXT_MAX] = "";
	char			 secret[SECRET_MAX];

	ask_secret(secret, sizeof(secret));
	add_verifier(buf, sizeof(buf), SCRAM_SHA256, secret, &sha256);
	if (r->sha1)
		add_verifier(buf, sizeof(buf), SCRAM_SHA1, secret, &sha1);
	explicit_bzero(secret, sizeof(secret));
	printf("%s\n", buf);
	return EXIT_FINE;
}

int
passwd_main(int argc, char **argv)
{
	static struct request	 r;
	int			 code;

	r.path = MSAD_PASSWD;
	if (argc < 2)
		usage();
	if (strcmp(argv[1], "add") == 0 && argc > 2) {
		take_user(&r, argv[2]);
		take_words(&r, argc - 3, argv + 3, true);
		code = passwd_add(&r);
	} else if (strcmp(argv[1], "remove") == 0 && argc > 2) {
		take_user(&r, argv[2]);
		take_words(&r, argc - 3, argv + 3, false);
		code = passwd_remove(&r);
	} else if (strcmp(argv[1], "list") == 0) {
		if (argc % 2 == 1) {
			take_user(&r, argv[2]);
			argc--;
			argv++;
		}
		take_words(&r, argc - 2, argv + 2, false);
		code = passwd_list(&r);
	} else if (strcmp(argv[1], "verifier") == 0) {
		r.sha1 = argc == 3 && strcmp(argv[2], "scram-sha-1") == 0;
		if (argc > 3 || (argc == 3 && !r.sha1))
			usage();
		code = passwd_verifier(&r);
	} else
		usage();
	if (fflush(stdout) == EOF || ferror(stdout)) {
		warn("standard output");
		return EXIT_ERROR;
	}
	return code;
}
