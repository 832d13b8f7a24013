/*
 * The messages that a command line of msactl selects, as text for the queue.
 *
 * Runs in msactl, called by parser.c with words of the command line and by
 * steer.c, which adds ids from standard input. Both are the caller's own; the
 * queue parses what comes of them again.
 */
#include <sys/types.h>

#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/selection.h"
#include "msactl/picked.h"

#define ID_DIGITS	16
/* Octets of "id " with an id and a line feed. */
#define ID_TERM		(3 + ID_DIGITS + 1)

uint64_t
picked_id_read(const char *word)
{
	size_t	 len;

	word += strspn(word, "0");
	len = strlen(word);
	if (len == 0 || len > ID_DIGITS ||
	    strspn(word, "0123456789abcdefABCDEF") != len)
		return 0;
	return strtoull(word, NULL, 16);
}

void
picked_term(struct picked *p, const char *key, const char *value)
{
	p->terms = reallocarray(p->terms, p->nterms + 1, sizeof(*p->terms));
	if (p->terms == NULL ||
	    asprintf(&p->terms[p->nterms++], "%s %s", key, value) == -1)
		errx(1, "out of memory");
}

void
picked_id(struct picked *p, uint64_t id)
{
	/* room is doubled: at 64, 128 and so on */
	if ((p->nids & (p->nids - 1)) == 0 && (p->nids == 0 || p->nids >= 64)) {
		p->ids = reallocarray(p->ids, p->nids == 0 ? 64 : p->nids * 2,
		    sizeof(*p->ids));
		if (p->ids == NULL)
			errx(1, "out of memory");
	}
	p->ids[p->nids++] = id;
}

/* The next word, cut to what fits; false: no more. */
static bool
next_word(FILE *in, char *word, size_t size)
{
	size_t	 n = 0;
	int	 ch;

	while ((ch = getc(in)) != EOF && isspace(ch))
		;
	for (; ch != EOF && !isspace(ch); ch = getc(in))
		if (n < size - 1)
			word[n++] = ch == '\0' ? '?' : (char)ch;
	word[n] = '\0';
	return n > 0;
}

int
picked_read(struct picked *p, FILE *in, char *error, size_t size)
{
	char		 word[64];
	uint64_t	 id;

	while (next_word(in, word, sizeof(word))) {
		if ((id = picked_id_read(word)) == 0) {
			snprintf(error, size, "not a queue id on standard "
			    "input: %s", word);
			return -1;
		}
		picked_id(p, id);
	}
	if (!ferror(in))
		return 0;
	snprintf(error, size, "standard input cannot be read");
	return -1;
}

bool
picked_any(const struct picked *p)
{
	return p->all || p->input || p->nterms > 0 || p->nids > 0;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t	*x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
picked_sort(struct picked *p)
{
	size_t	 i, n = 0;

	if (p->nids == 0)
		return;
	qsort(p->ids, p->nids, sizeof(*p->ids), by_number);
	for (i = 0; i < p->nids; i++)
		if (n == 0 || p->ids[i] != p->ids[n - 1])
			p->ids[n++] = p->ids[i];
	p->nids = n;
}

/* Octets of the terms, each with a line feed. */
static size_t
terms_len(const struct picked *p)
{
	size_t	 i, len = 0;

	for (i = 0; i < p->nterms; i++)
		len += strlen(p->terms[i]) + 1;
	return len;
}

/* How many ids find room beside the terms; at least one is tried. */
static size_t
ids_max(const struct picked *p)
{
	size_t	 len = terms_len(p), n;

	if (len + ID_TERM > SELECTION_TEXT_MAX ||
	    p->nterms >= SELECTION_TERMS_MAX)
		return 1;
	n = (SELECTION_TEXT_MAX - len) / ID_TERM;
	return n < SELECTION_TERMS_MAX - p->nterms ? n :
	    SELECTION_TERMS_MAX - p->nterms;
}

char *
picked_batch(const struct picked *p, size_t *pos)
{
	size_t	 i, n, size, len = 0;
	char	*text;

	if (*pos > p->nids || (*pos == p->nids && *pos > 0))
		return NULL;
	if ((n = p->nids - *pos) > ids_max(p))
		n = ids_max(p);
	size = terms_len(p) + n * ID_TERM + sizeof("all\n");
	if ((text = calloc(1, size)) == NULL)
		errx(1, "out of memory");
	if (p->all)
		len += (size_t)snprintf(text, size, "all\n");
	for (i = 0; i < p->nterms; i++)
		len += (size_t)snprintf(text + len, size - len, "%s\n",
		    p->terms[i]);
	for (i = *pos; i < *pos + n; i++)
		len += (size_t)snprintf(text + len, size - len, "id %llx\n",
		    (unsigned long long)p->ids[i]);
	if (len > 0)
		text[len - 1] = '\0';
	*pos = n == 0 ? p->nids + 1 : *pos + n;
	return text;
}

int
picked_check(const struct picked *p, char *error, size_t size)
{
	struct selection	 sel;
	size_t			 i, pos = 0;
	char			*text;
	int			 ret;

	for (i = 0; i < p->nterms; i++) {
		if (strchr(p->terms[i], '\n') == NULL)
			continue;
		snprintf(error, size, "control characters are not allowed");
		return -1;
	}
	if (!p->all && p->nterms == 0)
		return 0;	/* ids alone are checked already */
	if (p->all && p->input) {
		snprintf(error, size, "all stands alone");
		return -1;
	}
	text = picked_batch(p, &pos);
	ret = selection_parse(&sel, SLICE_STR(text), error, size);
	free(text);
	if (ret == 0)
		selection_free(&sel);
	return ret;
}

void
picked_free(struct picked *p)
{
	size_t	 i;

	for (i = 0; i < p->nterms; i++)
		free(p->terms[i]);
	free(p->terms);
	free(p->ids);
	memset(p, 0, sizeof(*p));
}
