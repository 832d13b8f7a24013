/*
 * The last look at message octets before they leave, in msad-relay.
 *
 * The client writes them to a next hop with dots stuffed, the Maildir writer
 * to a file with LF ends. The queue has checked every octet before; here the
 * same rule is applied once more, because a bare CR or LF that got out could
 * end the message early at a careless next hop and smuggle another one in.
 */

#include <sys/types.h>

#include <string.h>

#include "msad/relay/dot.h"

void
dot_init(struct dot *d)
{
	memset(d, 0, sizeof(*d));
}

/*
 * Find the end of the line at p: its length with CRLF; len when no end is
 * there yet (*cr tells that it ends with CR); 0 when CR or LF is bare.
 */
static size_t
line_length(const char *p, size_t len, int *cr)
{
	const char	*c;
	size_t		 n;

	*cr = 0;
	c = memchr(p, '\r', len);
	n = c == NULL ? len : (size_t)(c - p);
	if (memchr(p, '\n', n) != NULL)
		return 0;
	if (c == NULL)
		return len;
	if (n + 1 == len) {
		*cr = 1;
		return len;
	}
	return p[n + 1] == '\n' ? n + 2 : 0;
}

ssize_t
dot_stuff(struct dot *d, const char *in, size_t len, char *out)
{
	const char	*end = in + len;
	char		*o = out;
	size_t		 n;
	int		 cr;

	if (len == 0)
		return 0;
	if (d->cr) {
		if (*in != '\n')
			return -1;
		*o++ = '\r';
		*o++ = *in++;
		d->cr = d->mid_line = 0;
	}
	while (in < end) {
		if ((n = line_length(in, (size_t)(end - in), &cr)) == 0)
			return -1;
		if (!d->mid_line && *in == '.')
			*o++ = '.';
		memcpy(o, in, n);
		o += n;
		in += n;
		d->mid_line = o[-1] != '\n';
		if (cr) {
			d->cr = 1;
			o--;
		}
	}
	return o - out;
}

ssize_t
dot_end(struct dot *d, char *out)
{
	char	*o = out;

	if (d->cr)
		return -1;
	if (d->mid_line) {
		*o++ = '\r';
		*o++ = '\n';
	}
	memcpy(o, ".\r\n", 3);
	return o + 3 - out;
}

ssize_t
dot_lf(struct dot *d, const char *in, size_t len, char *out)
{
	const char	*end = in + len;
	char		*o = out;
	size_t		 n;
	int		 cr;

	if (len == 0)
		return 0;
	if (d->cr) {
		if (*in++ != '\n')
			return -1;
		*o++ = '\n';
		d->cr = d->mid_line = 0;
	}
	while (in < end) {
		if ((n = line_length(in, (size_t)(end - in), &cr)) == 0)
			return -1;
		memcpy(o, in, n);
		o += n;
		in += n;
		d->mid_line = o[-1] != '\n';
		if (cr) {
			d->cr = 1;
			o--;
		} else if (!d->mid_line) {
			o--;
			o[-1] = '\n';
		}
	}
	return o - out;
}

ssize_t
dot_lf_end(struct dot *d, char *out)
{
	if (d->cr)
		return -1;
	if (!d->mid_line)
		return 0;
	*out = '\n';
	return 1;
}
