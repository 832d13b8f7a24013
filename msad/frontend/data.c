/*
 * DATA and BDAT to clean octets: only CRLF ends a line, only CRLF.CRLF ends the
 * message, a dot that begins a line is taken away. Part of the front-end;
 * pure; the input is what the client sends and may be split anywhere.
 *
 * A message with a bare CR, a bare LF or a NUL is read to its true end all the
 * same, so that nobody sees an end that others do not see (X-smug-1). What is
 * decoded from such a message is not to be used.
 *
 * Lines are found by memchr and what lies between two removed dots is given
 * as one slice: a usual message is one slice a buffer.
 */

#include "msad/frontend/data.h"

/* Give the octets from..to to the run. */
static void
run_add(struct data *d, struct data_run *run, const char *from, const char *to)
{
	size_t	n = (size_t)(to - from);

	if (n == 0)
		return;
	if (memchr(from, '\0', n) != NULL)
		d->faults |= DATA_NUL;
	run->slices[run->n++] = SLICE(from, n);
	run->octets += n;
	d->size += n;
}

static void
line_add(struct data *d, size_t n)
{
	d->line += n;
	if (d->line > DATA_LINE_MAX)
		d->faults |= DATA_LONG;
	if (d->line > DATA_LINE_STOP || (d->line_stop != 0 &&
	    d->line > d->line_stop))
		d->faults |= DATA_STOP;
}

/*
 * Text of a line from p up to end: past its LF if there is one. Sets the state
 * behind it. d->state is DATA_TEXT or DATA_CR.
 */
static const char *
text(struct data *d, const char *p, const char *end)
{
	const char	*lf = memchr(p, '\n', (size_t)(end - p));
	const char	*stop = lf == NULL ? end : lf;
	size_t		 n = (size_t)(stop - p);
	bool		 cr;

	if (d->state == DATA_CR && n > 0) {
		d->faults |= DATA_BARE_CR;
		line_add(d, 1);
	}
	cr = n > 0 ? stop[-1] == '\r' : d->state == DATA_CR;
	if (n > 1 && memchr(p, '\r', n - 1) != NULL)
		d->faults |= DATA_BARE_CR;
	line_add(d, n - (n > 0 && cr));
	if (lf == NULL) {
		d->state = cr ? DATA_CR : DATA_TEXT;
		return end;
	}
	if (cr) {
		d->state = DATA_START;
		d->line = 0;
	} else {
		d->faults |= DATA_BARE_LF;
		d->state = DATA_TEXT;
		line_add(d, 1);
	}
	return lf + 1;
}

/*
 * Behind the dot of a line at p, maybe with its CR. True when the octets
 * there belong to the text of the line; false when p was taken (*p moves).
 */
static bool
dot(struct data *d, const char **p)
{
	if (d->state == DATA_DOT) {
		if (**p != '\r') {
			d->state = DATA_TEXT;
			return true;
		}
		d->state = DATA_DOT_CR;
		(*p)++;
		return false;
	}
	if (**p == '\n') {
		d->state = DATA_END;
		(*p)++;
		return false;
	}
	d->faults |= DATA_BARE_CR;
	d->state = DATA_TEXT;
	line_add(d, 1);
	return true;
}

size_t
data_decode(struct data *d, struct slice in, struct data_run *run)
{
	const char	*p = in.p, *end = in.p + in.len, *from = in.p;

	run->n = 0;
	run->octets = 0;
	while (p < end && run->n < DATA_SLICES - 1 && d->state != DATA_END) {
		switch (d->state) {
		case DATA_START:
			if (*p == '.') {
				run_add(d, run, from, p);
				from = ++p;
				d->state = DATA_DOT;
				break;
			}
			d->state = DATA_TEXT;
			/* FALLTHROUGH */
		case DATA_TEXT:
		case DATA_CR:
			p = text(d, p, end);
			break;
		default:
			if (!dot(d, &p))
				from = p;
			break;
		}
	}
	run_add(d, run, from, p);
	return (size_t)(p - in.p);
}

void
data_chunk(struct data *d, struct slice in, struct data_run *run)
{
	const char	*p = in.p, *end = in.p + in.len;

	run->n = 0;
	run->octets = 0;
	while (p < end) {
		if (d->state == DATA_START)
			d->state = DATA_TEXT;
		p = text(d, p, end);
	}
	run_add(d, run, in.p, end);
}

bool
data_chunk_end(struct data *d)
{
	bool	open = d->state != DATA_START;

	if (d->state == DATA_CR)
		d->faults |= DATA_BARE_CR;
	d->state = DATA_END;
	return open;
}

const char *
data_fault(unsigned int faults)
{
	if (faults & DATA_BARE_LF)
		return "a bare line feed, where only CRLF may end a line";
	if (faults & DATA_BARE_CR)
		return "a bare carriage return";
	if (faults & DATA_NUL)
		return "a NUL octet";
	if (faults & DATA_STOP)
		return "a line that is too long to be taken";
	if (faults & DATA_LONG)
		return "a line longer than 998 octets";
	return NULL;
}
