/*
 * The two content transfer encodings (RFC 2045 sections 6.7 and 6.8), as they
 * stream: a few octets of state, nothing allocated, input split anywhere.
 * Called by mime.c in the front-end for parts that have to be converted;
 * takes any octets and trusts none. What is decoded again is the input.
 */

#include "common/mime_encode.h"

static const char hex[] = "0123456789ABCDEF";
static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Write one octet, as itself or encoded, behind a soft break when due. */
static char *
qp_put(struct qp *q, unsigned char c, bool encode, char *o)
{
	unsigned int	n = encode ? 3 : 1;

	if (q->col + n > MIME_LINE - 1) {
		*o++ = '=';
		*o++ = '\r';
		*o++ = '\n';
		q->col = 0;
		q->soft = true;
	}
	/* A line that the break made must not look like a delimiter. */
	if (q->col == 0 && (c == '.' || (c == '-' && q->soft))) {
		encode = true;
		n = 3;
	}
	if (encode) {
		*o++ = '=';
		*o++ = hex[c >> 4];
		*o++ = hex[c & 15];
	} else
		*o++ = (char)c;
	q->col += n;
	return o;
}

/* What was held back did not stand at the end of a line. */
static char *
qp_release(struct qp *q, char *o)
{
	if (q->blank != 0)
		o = qp_put(q, (unsigned char)q->blank, false, o);
	q->blank = 0;
	if (q->cr)
		o = qp_put(q, '\r', true, o);
	q->cr = false;
	return o;
}

static char *
qp_line_end(struct qp *q, char *o)
{
	if (q->blank != 0)
		o = qp_put(q, (unsigned char)q->blank, true, o);
	*o++ = '\r';
	*o++ = '\n';
	q->blank = 0;
	q->cr = false;
	q->col = 0;
	q->soft = false;
	return o;
}

size_t
qp_encode(struct qp *q, struct slice in, char *out)
{
	char		*o = out;
	size_t		 i;
	unsigned char	 c;

	for (i = 0; i < in.len; i++) {
		c = (unsigned char)in.p[i];
		if (c == '\n' && q->cr) {
			o = qp_line_end(q, o);
			continue;
		}
		if (c == '\r' && !q->cr) {
			q->cr = true;
			continue;
		}
		o = qp_release(q, o);
		if (c == '\r')
			q->cr = true;
		else if (c == ' ' || c == '\t')
			q->blank = (char)c;
		else
			o = qp_put(q, c, c == '=' || c < 32 || c > 126, o);
	}
	return (size_t)(o - out);
}

size_t
qp_end(struct qp *q, bool close, char *out)
{
	char	*o = out;

	if (q->blank != 0 && !q->cr) {
		o = qp_put(q, (unsigned char)q->blank, true, o);
		q->blank = 0;
	}
	o = qp_release(q, o);
	if (close && q->col > 0) {
		memcpy(o, "=\r\n", 3);
		o += 3;
		q->col = 0;
	}
	return (size_t)(o - out);
}

/* One group of up to three octets. */
static char *
b64_group(struct b64 *b, const uint8_t *p, unsigned int n, char *o)
{
	unsigned int	v;

	v = (unsigned int)p[0] << 16;
	if (n > 1)
		v |= (unsigned int)p[1] << 8;
	if (n > 2)
		v |= p[2];
	if (b->col == MIME_LINE) {
		*o++ = '\r';
		*o++ = '\n';
		b->col = 0;
	}
	*o++ = letters[v >> 18];
	*o++ = letters[v >> 12 & 63];
	*o++ = n > 1 ? letters[v >> 6 & 63] : '=';
	*o++ = n > 2 ? letters[v & 63] : '=';
	b->col += 4;
	return o;
}

size_t
b64_encode(struct b64 *b, struct slice in, char *out)
{
	const uint8_t	*p = (const uint8_t *)in.p;
	char		*o = out;
	size_t		 i = 0;

	while (b->nleft > 0 && b->nleft < 3 && i < in.len)
		b->left[b->nleft++] = p[i++];
	if (b->nleft == 3) {
		o = b64_group(b, b->left, 3, o);
		b->nleft = 0;
	}
	for (; in.len - i >= 3; i += 3)
		o = b64_group(b, p + i, 3, o);
	while (i < in.len)
		b->left[b->nleft++] = p[i++];
	return (size_t)(o - out);
}

size_t
b64_end(struct b64 *b, bool close, char *out)
{
	char	*o = out;

	if (b->nleft > 0)
		o = b64_group(b, b->left, b->nleft, o);
	b->nleft = 0;
	if (close && b->col > 0) {
		*o++ = '\r';
		*o++ = '\n';
		b->col = 0;
	}
	return (size_t)(o - out);
}
