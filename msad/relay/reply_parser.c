/*
 * The parser of a next hop's replies, in msad-relay.
 *
 * The client feeds it what came in, in pieces of any size. It trusts nothing:
 * each line begins with three digits, 2 to 5 the first, and a space, a hyphen
 * or the end of line; all lines of a reply carry the same code. A line over
 * REPLY_LINE_MAX or a reply over REPLY_MAX octets is broken, as is anything
 * else (R5321-4.2-b, X-nh-1). LF ends a line, with or without CR before it.
 * Control octets in the text become '?', so that it never holds NUL, and may
 * go to the log and into a report.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/relay/reply_parser.h"

#define REPLY_KEEP	4096	/* a larger buffer is not kept */

void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
}

void
reply_reset(struct reply *r)
{
	char	*text = r->text;
	size_t	 size = r->size;

	if (size > REPLY_KEEP) {
		free(text);
		text = NULL;
		size = 0;
	}
	reply_init(r);
	r->text = text;
	r->size = size;
}

void
reply_free(struct reply *r)
{
	free(r->text);
	reply_init(r);
}

static enum reply_status
reply_broken(struct reply *r, const char *reason)
{
	r->bad = 1;
	r->reason = reason;
	return REPLY_BROKEN;
}

static int
reply_keep(struct reply *r, char c)
{
	char	*text;
	size_t	 size;

	if (r->len == r->size) {
		size = r->size == 0 ? 256 : r->size * 2;
		if ((text = realloc(r->text, size)) == NULL)
			return -1;
		r->text = text;
		r->size = size;
	}
	r->text[r->len++] = c;
	return 0;
}

/* One of the first four octets of a line. NULL, or what is wrong with it. */
static const char *
reply_head(struct reply *r, char c)
{
	if (r->column < 3) {
		if (c < '0' || c > '9')
			return "a line without a reply code";
		if (r->column == 0 && (c < '2' || c > '5'))
			return "a reply code outside 200 to 599";
		r->line_code = r->line_code * 10 + (unsigned int)(c - '0');
		return NULL;
	}
	if (r->nlines > 0 && r->line_code != r->code)
		return "lines with different reply codes";
	r->code = r->line_code;
	if (c == '-')
		r->last = 0;
	else if (c != ' ')
		return "no space after the reply code";
	return NULL;
}

/* LF came: 1 when the reply is done, 0 when it goes on, -1 bad. */
static int
reply_eol(struct reply *r, const char **reason)
{
	if (r->column < 3) {
		*reason = "a line without a reply code";
		return -1;
	}
	if (r->column == 3 && (*reason = reply_head(r, ' ')) != NULL)
		return -1;
	if (reply_keep(r, '\n') == -1) {
		*reason = "out of memory";
		return -1;
	}
	r->nlines++;
	r->column = 0;
	r->line_code = 0;
	r->cr = 0;
	return r->last;
}

/* One octet that is not LF. NULL, or what is wrong with it. */
static const char *
reply_octet(struct reply *r, char c)
{
	const char	*reason;

	if (r->cr) {			/* a CR that ended no line */
		r->cr = 0;
		if (r->column < 4)
			return "a bare CR after the reply code";
		if (reply_keep(r, '?') == -1)
			return "out of memory";
	}
	if (r->column == 0)
		r->last = 1;
	if (c == '\r' && r->column >= 3) {
		r->cr = 1;
		return NULL;
	}
	if (r->column < 4) {
		if ((reason = reply_head(r, c)) != NULL)
			return reason;
		r->column++;
		return NULL;
	}
	r->column++;
	if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
		c = '?';
	return reply_keep(r, c) == -1 ? "out of memory" : NULL;
}

enum reply_status
reply_feed(struct reply *r, const char *p, size_t len, size_t *used)
{
	const char	*reason = NULL;
	size_t		 i;
	int		 done;

	*used = 0;
	if (r->bad)
		return REPLY_BROKEN;
	for (i = 0; i < len; i++) {
		if (++r->total > REPLY_MAX)
			return reply_broken(r, "a reply without end");
		if (p[i] != '\n') {
			if (r->column >= REPLY_LINE_MAX - 2 && p[i] != '\r')
				return reply_broken(r, "a line too long");
			if ((reason = reply_octet(r, p[i])) != NULL)
				return reply_broken(r, reason);
			continue;
		}
		if ((done = reply_eol(r, &reason)) == -1)
			return reply_broken(r, reason);
		if (done) {
			*used = i + 1;
			return REPLY_DONE;
		}
	}
	*used = len;
	return REPLY_MORE;
}

/* One to three digits at p; their number, or 0. */
static size_t
digits(const char *p, size_t len)
{
	size_t	 n;

	for (n = 0; n < len && n < 4; n++)
		if (p[n] < '0' || p[n] > '9')
			break;
	return n == 4 ? 0 : n;
}

/* The length of the enhanced status code that text begins with, or 0. */
static size_t
enhanced_len(const char *p, size_t len, unsigned int class)
{
	size_t	 subject, detail, end;

	if (len < 5 || p[0] != (char)('0' + class) || p[1] != '.')
		return 0;
	if ((subject = digits(p + 2, len - 2)) == 0)
		return 0;
	if (2 + subject >= len || p[2 + subject] != '.')
		return 0;
	if ((detail = digits(p + 3 + subject, len - 3 - subject)) == 0)
		return 0;
	end = 3 + subject + detail;
	if (end < len && p[end] != ' ' && p[end] != '\t')
		return 0;
	return end;
}

void
reply_enhanced(const struct reply *r, char *buf, size_t size)
{
	const char	*p;
	size_t		 len, n = 0;
	unsigned int	 class = r->code / 100;

	buf[0] = '\0';
	if (class != 2 && class != 4 && class != 5)
		return;
	if (reply_line(r, 0, &p, &len) == 0)
		n = enhanced_len(p, len, class);
	if (n > 0 && n < size) {
		memcpy(buf, p, n);
		buf[n] = '\0';
	} else if (size > 5) {
		memcpy(buf, "x.0.0", 6);
		buf[0] = (char)('0' + class);
	}
}

void
reply_text(const struct reply *r, char *buf, size_t size)
{
	size_t	 i, n;

	n = r->len;
	while (n > 0 && r->text[n - 1] == '\n')
		n--;
	if (n >= size)
		n = size - 1;
	for (i = 0; i < n; i++)
		buf[i] = r->text[i] == '\n' ? ' ' : r->text[i];
	buf[n] = '\0';
	if (n == size - 1 && n > 3 && r->len > n + 1)
		memcpy(buf + n - 3, "...", 3);
}

int
reply_line(const struct reply *r, unsigned int n, const char **p, size_t *len)
{
	const char	*s = r->text, *end = r->text + r->len, *lf;

	for (; s < end; s = lf + 1) {
		if ((lf = memchr(s, '\n', (size_t)(end - s))) == NULL)
			return -1;
		if (n-- == 0) {
			*p = s;
			*len = (size_t)(lf - s);
			return 0;
		}
	}
	return -1;
}
