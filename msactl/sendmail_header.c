/*
 * What sendmail -t reads from a message's header: who it is for. Runs in
 * msactl with the caller's own message; msad checks everything again, so that
 * nothing here decides what may be sent. Pure functions on octets with CRLF
 * line ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "msactl/sendmail_header.h"

/* Where in a value the search stands. */
struct scan {
	const char	*p;
	const char	*end;
	const char	*first;		/* of the address being gathered */
	const char	*last;		/* behind its last octet */
	bool		 angle;		/* it stands in brackets */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment that begins at s->p. */
static void
skip_comment(struct scan *s)
{
	unsigned int	 depth = 0;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')' && --depth == 0) {
			s->p++;
			return;
		}
	}
}

/* Behind the quoted string that begins at s->p. */
static void
skip_quoted(struct scan *s)
{
	for (s->p++; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '"') {
			s->p++;
			return;
		}
	}
}

/* Take a word from begin to s->p to the address. */
static void
gather(struct scan *s, const char *begin)
{
	if (s->first == NULL)
		s->first = begin;
	s->last = s->p;
}

static void
forget(struct scan *s)
{
	s->first = s->last = NULL;
}

/* <address>, <@route:address>: s->p is behind '<' and goes behind '>'. */
static void
in_brackets(struct scan *s)
{
	const char	*begin;

	forget(s);
	while (s->p < s->end && *s->p != '>') {
		begin = s->p;
		if (is_blank(*s->p)) {
			s->p++;
			continue;
		}
		if (*s->p == '(') {
			skip_comment(s);
			continue;
		}
		if (*s->p == '"')
			skip_quoted(s);
		else if (*s->p++ == ':' && s->first != NULL &&
		    *s->first == '@') {
			forget(s);	/* a source route ends here */
			continue;
		}
		gather(s, begin);
	}
	if (s->p < s->end)
		s->p++;
	s->angle = true;
}

static int
report(struct scan *s, int (*fn)(void *, struct slice), void *arg)
{
	int	 r = 0;

	if (s->first != NULL)
		r = fn(arg, SLICE(s->first, (size_t)(s->last - s->first)));
	forget(s);
	s->angle = false;
	return r;
}

/* One step on; what fn returned. */
static int
step(struct scan *s, int (*fn)(void *, struct slice), void *arg)
{
	const char	*begin = s->p;

	switch (*s->p) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		s->p++;
		return 0;
	case '(':
		skip_comment(s);
		return 0;
	case '<':
		s->p++;
		in_brackets(s);
		return 0;
	case ',':
	case ';':
		s->p++;
		return report(s, fn, arg);
	case ':':		/* that was the name of a group */
		s->p++;
		forget(s);
		return 0;
	case '"':
		skip_quoted(s);
		break;
	case '[':		/* an address literal, with its colons */
		while (s->p < s->end && *s->p != ']')
			s->p++;
		if (s->p < s->end)
			s->p++;
		break;
	default:
		s->p++;
	}
	if (!s->angle)
		gather(s, begin);
	return 0;
}

int
header_addresses(struct slice value, int (*fn)(void *, struct slice),
    void *arg)
{
	struct scan	 s = { .p = value.p, .end = value.p + value.len };
	int		 r;

	while (s.p < s.end)
		if ((r = step(&s, fn, arg)) != 0)
			return r;
	return report(&s, fn, arg);
}

size_t
header_field(struct slice text)
{
	size_t	 i = 0;

	while (i < text.len && text.p[i] > ' ' && text.p[i] < 0x7f &&
	    text.p[i] != ':')
		i++;
	if (i == 0)
		return 0;
	while (i < text.len && (text.p[i] == ' ' || text.p[i] == '\t'))
		i++;		/* obsolete: blanks before the colon */
	if (i == text.len || text.p[i] != ':')
		return 0;
	for (i++; i < text.len; i++)
		if (text.p[i - 1] == '\n' && text.p[i] != ' ' &&
		    text.p[i] != '\t')
			break;
	return i;
}

bool
header_named(struct slice field, const char *name, struct slice *value)
{
	size_t	 n = strlen(name);

	if (field.len <= n || strncasecmp(field.p, name, n) != 0)
		return false;
	while (n < field.len && (field.p[n] == ' ' || field.p[n] == '\t'))
		n++;
	if (n == field.len || field.p[n] != ':')
		return false;
	*value = SLICE(field.p + n + 1, field.len - n - 1);
	return true;
}

/* Is it a field of one of the names? NULL ends them. */
static bool
named_of(struct slice field, const char *const *names, struct slice *value)
{
	for (; *names != NULL; names++)
		if (header_named(field, *names, value))
			return true;
	return false;
}

static const char *const	 plain[] = { "To", "Cc", "Bcc", NULL };
static const char *const	 resent[] = { "Resent-To", "Resent-Cc",
				    "Resent-Bcc", NULL };
static const char *const	 blind[] = { "Bcc", "Resent-Bcc", NULL };
static const char *const	 qualified[] = { "From", "Sender", "Reply-To",
				    "To", "Cc", "Bcc", "Resent-From",
				    "Resent-Sender", "Resent-To", "Resent-Cc",
				    "Resent-Bcc", NULL };

void
header_look(struct slice header, struct header_facts *facts)
{
	struct slice	 field, value;
	size_t		 n;

	memset(facts, 0, sizeof(*facts));
	for (; (n = header_field(header)) > 0; header = SLICE(header.p + n,
	    header.len - n)) {
		field = SLICE(header.p, n);
		if (header_named(field, "From", &value))
			facts->from = true;
		else if (named_of(field, resent, &value))
			facts->resent = true;
	}
}

int
header_recipients(struct slice header, const struct header_facts *facts,
    int (*fn)(void *, struct slice), void *arg)
{
	struct slice	 value;
	size_t		 n;
	int		 r;

	for (; (n = header_field(header)) > 0; header = SLICE(header.p + n,
	    header.len - n))
		if (named_of(SLICE(header.p, n), facts->resent ? resent :
		    plain, &value) &&
		    (r = header_addresses(value, fn, arg)) != 0)
			return r;
	return 0;
}

struct rewrite {
	FILE		*out;
	const char	*host;
	const char	*done;	/* written up to here */
};

/* A word without a domain gets one; anything else is msad's to judge. */
static int
qualify(void *arg, struct slice address)
{
	struct rewrite	*w = arg;
	size_t		 i;

	for (i = 0; i < address.len; i++)
		if (address.p[i] == '@' || is_blank(address.p[i]) ||
		    address.p[i] == '(')
			return 0;
	fwrite(w->done, 1, (size_t)(address.p + address.len - w->done),
	    w->out);
	fprintf(w->out, "@%s", w->host);
	w->done = address.p + address.len;
	return 0;
}

char *
header_rewrite(struct slice header, const char *host, bool bcc, size_t *len)
{
	struct rewrite	 w = { .host = host };
	struct slice	 field, value;
	char		*text = NULL;
	size_t		 n;

	if ((w.out = open_memstream(&text, len)) == NULL)
		return NULL;
	for (; (n = header_field(header)) > 0; header = SLICE(header.p + n,
	    header.len - n)) {
		field = SLICE(header.p, n);
		if (!bcc && named_of(field, blind, &value))
			continue;
		w.done = field.p;
		if (named_of(field, qualified, &value))
			(void)header_addresses(value, qualify, &w);
		fwrite(w.done, 1, (size_t)(field.p + field.len - w.done),
		    w.out);
	}
	if (fclose(w.out) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}
