/*
 * Replies: the table of reply.h, and how a row of it becomes lines. Part of
 * the front-end. A reply that is not in the table cannot be sent (the lists of
 * EHLO and SASL challenges are built where they belong).
 *
 * Details may come from the queue or from a client; only printable ASCII of
 * them gets out.
 */

#include <stdio.h>
#include <string.h>

#include "common/mailbox.h"
#include "common/orcpt.h"
#include "msad/frontend/reply.h"

struct row {
	unsigned int	 code;
	const char	*enhanced;
	const char	*text;
};

static const struct row rows[REPLY_MAX] = {
	[REPLY_NONE] = { 451, "4.3.0", "Local trouble" },
#define X(name, code, enh, text)	[REPLY_##name] = { code, enh, text },
	REPLY_TABLE(X)
#undef X
};

static const enum reply verdicts[VERDICT_MAX] = {
	[VERDICT_OK] = REPLY_OK,
	[VERDICT_TROUBLE] = REPLY_TROUBLE,
	[VERDICT_NO_SPACE] = REPLY_NO_SPACE,
	[VERDICT_NO_GRANT] = REPLY_NEED_AUTH,
	[VERDICT_SENDER_DENIED] = REPLY_SENDER_DENIED,
	[VERDICT_RCPT_DENIED] = REPLY_RCPT_DENIED,
	[VERDICT_NO_ROUTE] = REPLY_NO_ROUTE,
	[VERDICT_BAD_SENDER] = REPLY_BAD_SENDER,
	[VERDICT_BAD_RCPT] = REPLY_BAD_RCPT,
	[VERDICT_TOO_MANY_RCPTS] = REPLY_TOO_MANY_RCPTS,
	[VERDICT_TOO_BIG] = REPLY_TOO_BIG,
	[VERDICT_MALFORMED] = REPLY_MALFORMED,
	[VERDICT_LOOP] = REPLY_LOOP,
	[VERDICT_SEQUENCE] = REPLY_SEQUENCE,
	[VERDICT_FROM_DENIED] = REPLY_FROM_DENIED,
	[VERDICT_AUTH_FAILED] = REPLY_AUTH_FAILED,
	[VERDICT_AUTH_BUSY] = REPLY_AUTH_BUSY,
	[VERDICT_AUTH_DISABLED] = REPLY_AUTH_DISABLED,
	[VERDICT_AUTH_CANCELLED] = REPLY_AUTH_CANCELLED,
	[VERDICT_AUTH_BASE64] = REPLY_BAD_BASE64,
	[VERDICT_AUTH_MECHANISM] = REPLY_BAD_MECHANISM,
	[VERDICT_AUTH_WEAK] = REPLY_AUTH_WEAK,
	[VERDICT_AUTH_EXPIRED] = REPLY_AUTH_EXPIRED,
	[VERDICT_AUTH_LAST] = REPLY_AUTH_FAILED,
	[VERDICT_RATE] = REPLY_RATE,
	[VERDICT_PAUSED] = REPLY_PAUSED,
	[VERDICT_RULE] = REPLY_RULE,
	[VERDICT_HELD_QUOTA] = REPLY_HELD_QUOTA,
	[VERDICT_PRIORITY_SIZE] = REPLY_PRIORITY_SIZE,
	[VERDICT_PRIORITY_LATER] = REPLY_PRIORITY_LATER,
	[VERDICT_PRIORITY_FLOOR] = REPLY_PRIORITY_FLOOR,
	[VERDICT_PRIORITY_CHANGED] = REPLY_TROUBLE,	/* a yes, to MAIL */
	[VERDICT_QUEUE_FULL] = REPLY_QUEUE_FULL,
	[VERDICT_BAD_PARAMETER] = REPLY_BAD_PARAMETER,
};

unsigned int
reply_code(enum reply r)
{
	return rows[r].code;
}

const char *
reply_enhanced(enum reply r)
{
	return rows[r].enhanced;
}

const char *
reply_text(enum reply r)
{
	return rows[r].text;
}

enum reply
reply_of_verdict(unsigned int v)
{
	return v < VERDICT_MAX ? verdicts[v] : REPLY_TROUBLE;
}

/*
 * Write the character that s begins with as printable ASCII: one outside it
 * as \x{E9} (RFC 6533 section 3), what is none as a question mark. Returns
 * the octets taken of s.
 */
static size_t
escape(const char *s, char *buf, size_t size)
{
	unsigned char	c = (unsigned char)*s;
	size_t		n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	char		one[2] = { *s, '\0' };

	if (c >= 0xc2 && strnlen(s, n) == n && mailbox_utf8_ok(SLICE(s, n)) &&
	    orcpt_escape(SLICE(s, n), buf, size) != -1)
		return n;
	strlcpy(buf, c >= ' ' && c <= '~' ? one : "?", size);
	return 1;
}

/* Add s to buf, escaped, as far as there is room. */
static void
add_text(char *buf, size_t size, size_t *len, const char *s)
{
	char	text[16];
	size_t	n;

	if (s == NULL)
		return;
	while (*s != '\0') {
		s += escape(s, text, sizeof(text));
		n = strlen(text);
		if (*len + n >= size)
			break;
		memcpy(buf + *len, text, n);
		*len += n;
	}
}

/* The sentence of r with host, detail and session id in it. */
static size_t
sentence(char *buf, size_t size, enum reply r, const struct reply_args *a)
{
	const char	*p;
	char		 one[2] = "";
	size_t		 len = 0;

	for (p = rows[r].text; *p != '\0'; p++) {
		if (*p != '%') {
			one[0] = *p;
			add_text(buf, size, &len, one);
		} else if (*++p == 'h')
			add_text(buf, size, &len, a->host);
		else
			add_text(buf, size, &len, a->detail);
	}
	if (a->sid != NULL && rows[r].code >= 400) {
		add_text(buf, size, &len, " (");
		add_text(buf, size, &len, a->sid);
		add_text(buf, size, &len, ")");
	}
	return len;
}

/* How many octets of the n at p go on a line with room for max. */
static size_t
line_cut(const char *p, size_t n, size_t max)
{
	size_t	i;

	if (n <= max)
		return n;
	for (i = max; i > max / 2; i--)
		if (p[i] == ' ')
			return i;
	return max;
}

size_t
reply_format(char *buf, enum reply r, const struct reply_args *a)
{
	const struct row	*row = &rows[r];
	char			 text[1024];
	size_t			 n, cut, off = 0, out = 0;
	int			 w;

	n = sentence(text, sizeof(text), r, a);
	do {
		cut = line_cut(text + off, n - off, REPLY_LINE_MAX - 16);
		w = snprintf(buf + out, REPLY_TEXT_MAX - out,
		    "%u%c%s%s%.*s\r\n", row->code,
		    off + cut < n ? '-' : ' ', row->enhanced,
		    row->enhanced[0] != '\0' ? " " : "", (int)cut,
		    text + off);
		if (w < 0)
			break;
		out += (size_t)w;
		for (off += cut; off < n && text[off] == ' '; off++)
			;
	} while (off < n);
	return out;
}
