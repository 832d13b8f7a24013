/*
 * The command line of sendmail(8), as mail programs, cron and scripts write
 * it. Runs in msactl when it is called by that name; all words are the
 * caller's own. Options that steer a daemon of another make are passed over
 * where leaving them out changes nothing that was asked for.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "msactl/sendmail_args.h"

enum kind {
	PLAIN = 1,		/* no argument */
	NEEDED,			/* the rest of the word, or the next one */
	ATTACHED		/* the rest of the word, which may be empty */
};

static const struct option {
	char		 letter;
	enum kind	 kind;
} options[] = {
	{ 'A', NEEDED }, { 'B', NEEDED }, { 'C', NEEDED }, { 'F', NEEDED },
	{ 'G', PLAIN }, { 'I', PLAIN }, { 'L', NEEDED }, { 'N', NEEDED },
	{ 'O', NEEDED }, { 'R', NEEDED }, { 'S', NEEDED }, { 'U', PLAIN },
	{ 'V', NEEDED }, { 'X', NEEDED }, { 'b', NEEDED }, { 'd', ATTACHED },
	{ 'e', NEEDED }, { 'f', NEEDED }, { 'h', NEEDED }, { 'i', PLAIN },
	{ 'm', PLAIN }, { 'n', PLAIN }, { 'o', NEEDED }, { 'p', NEEDED },
	{ 'q', ATTACHED }, { 'r', NEEDED }, { 't', PLAIN }, { 'v', PLAIN },
	{ 'x', PLAIN }
};

static enum kind
kind_of(char letter)
{
	size_t	 i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].letter == letter)
			return options[i].kind;
	return 0;
}

/* -b: what to do. */
static int
mode(struct sendmail_args *a, const char *arg)
{
	static const struct {
		const char		*word;
		enum sendmail_mode	 mode;
	} modes[] = {
		{ "m", SENDMAIL_SEND }, { "s", SENDMAIL_SMTP },
		{ "p", SENDMAIL_LIST }, { "i", SENDMAIL_NOTHING }
	};
	size_t	 i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(arg, modes[i].word) == 0) {
			a->mode = modes[i].mode;
			return 0;
		}
	return -1;
}

/* -N: never, or some of success, failure and delay; RFC 3461 section 4.1. */
static int
notify(struct sendmail_args *a, const char *arg)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	unsigned int	 seen = 0;
	size_t		 i, len;

	a->notify[0] = '\0';
	if (strcasecmp(arg, "never") == 0) {
		strlcpy(a->notify, "NEVER", sizeof(a->notify));
		return 0;
	}
	for (;; arg++) {
		len = strcspn(arg, ",");
		for (i = 0; i < 3; i++)
			if (strlen(words[i]) == len &&
			    strncasecmp(arg, words[i], len) == 0)
				break;
		if (i == 3 || seen & 1U << i)
			return -1;
		if (seen != 0)
			strlcat(a->notify, ",", sizeof(a->notify));
		seen |= 1U << i;
		strlcat(a->notify, words[i], sizeof(a->notify));
		arg += len;
		if (*arg == '\0')
			return 0;
	}
}

static int
ret(struct sendmail_args *a, const char *arg)
{
	if (strcasecmp(arg, "full") == 0)
		a->ret = "FULL";
	else if (strcasecmp(arg, "hdrs") == 0)
		a->ret = "HDRS";
	else
		return -1;
	return 0;
}

/* RFC 3461 section 4.4: printable, at most 100 octets. */
static int
envid(struct sendmail_args *a, const char *arg)
{
	const unsigned char	*p;

	for (p = (const unsigned char *)arg; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			return -1;
	if (*arg == '\0' || strlen(arg) > 100)
		return -1;
	a->envid = arg;
	return 0;
}

/* What goes into a command line of SMTP or a field must stay in its line. */
static int
line(const char **slot, const char *arg)
{
	if (strpbrk(arg, "\r\n") != NULL)
		return -1;
	*slot = arg;
	return 0;
}

static int
take(struct sendmail_args *a, char letter, const char *arg)
{
	switch (letter) {
	case 'F':
		return line(&a->name, arg);
	case 'I':
		a->mode = SENDMAIL_NOTHING;
		return 0;
	case 'N':
		return notify(a, arg);
	case 'R':
		return ret(a, arg);
	case 'S':
		a->socket = arg;
		return 0;
	case 'V':
		return envid(a, arg);
	case 'b':
		return mode(a, arg);
	case 'f':
	case 'r':
		return line(&a->from, arg);
	case 'i':
		a->dots = true;
		return 0;
	case 'o':
		if (strcmp(arg, "i") == 0)
			a->dots = true;
		return 0;
	case 'q':
		a->mode = SENDMAIL_FLUSH;
		return *arg == '\0' || strcmp(arg, "f") == 0 ? 0 : -1;
	case 't':
		a->headers = true;
		return 0;
	default:
		return 0;	/* nothing that changes what we do */
	}
}

/* One word of options; *next is the word behind, used where one needs it. */
static int
word(struct sendmail_args *a, const char *p, const char *next, int *used,
    char *error, size_t size)
{
	const char	*arg;
	enum kind	 kind;

	for (; *p != '\0'; p++) {
		arg = "";
		if ((kind = kind_of(*p)) == 0) {
			snprintf(error, size, "unknown option -%c", *p);
			return -1;
		}
		if (kind == ATTACHED || (kind == NEEDED && p[1] != '\0'))
			arg = p + 1;
		else if (kind == NEEDED) {
			if (next == NULL) {
				snprintf(error, size, "option -%c needs an "
				    "argument", *p);
				return -1;
			}
			arg = next;
			*used = 1;
		}
		if (take(a, *p, arg) == -1) {
			snprintf(error, size, "option -%c: %.200s does not "
			    "fit here", *p, arg);
			return -1;
		}
		if (kind != PLAIN)
			return 0;
	}
	return 0;
}

/* What the program's name asks for. */
static enum sendmail_mode
mode_of(const char *path)
{
	const char	*name = strrchr(path, '/');

	name = name != NULL ? name + 1 : path;
	if (strcmp(name, "mailq") == 0)
		return SENDMAIL_LIST;
	return strcmp(name, "newaliases") == 0 ? SENDMAIL_NOTHING :
	    SENDMAIL_SEND;
}

int
sendmail_args(struct sendmail_args *a, int argc, char *const *argv,
    char *error, size_t size)
{
	int	 i, used;

	memset(a, 0, sizeof(*a));
	a->mode = mode_of(argv[0]);
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0';
	    i += 1 + used) {
		used = 0;
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (word(a, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL,
		    &used, error, size) == -1)
			return -1;
	}
	a->rcpts = argv + i;
	a->nrcpts = argc - i;
	if (a->mode == SENDMAIL_SEND && !a->headers && a->nrcpts == 0) {
		strlcpy(error, "no recipient: give addresses, or -t to take "
		    "them from the header", size);
		return -1;
	}
	for (i = 0; i < a->nrcpts; i++)
		if (strpbrk(a->rcpts[i], "\r\n") != NULL) {
			strlcpy(error, "an address holds a line end", size);
			return -1;
		}
	return 0;
}
