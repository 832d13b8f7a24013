/*
 * The header section of a message: fields, dates, message ids (RFC 5322). The
 * front-end repairs with it, the queue checks every octet again with it, so
 * that both see the same list of fields. Takes octets from outside; pure;
 * slices point into the caller's section and nothing is allocated.
 *
 * Linear in the size of the section: every octet is looked at a fixed number
 * of times, whatever folds and comments there are (X-hdr-2).
 */

#include <stdio.h>

#include "common/conf_limits.h"
#include "common/header.h"

struct header_limits	 header_limits = {
	HEADER_SECTION_MAX, HEADER_FIELD_MAX, HEADER_FIELDS_MAX,
	HEADER_RECEIVED_MAX
};

void
header_limits_set(const struct conf_limits *l)
{
	header_limits.section = (size_t)l->header_size;
	header_limits.field = (size_t)l->header_field;
	header_limits.fields = (unsigned int)l->header_fields;
	header_limits.received = (unsigned int)l->received;
}

#define COMMENT_DEPTH	32

const char header_too_big[] = "a header field is longer than 65536 octets";

void
header_begin(struct header *h, struct slice section)
{
	h->rest = section;
	h->nfields = 0;
}

/*
 * The next line of s with its CRLF: its length, or 0 and *reason when it is
 * not one.
 */
static size_t
line_length(struct slice s, const char **reason)
{
	const char	*lf = memchr(s.p, '\n', s.len);
	size_t		 n;

	if (lf == NULL || lf == s.p || lf[-1] != '\r') {
		*reason = "a header line does not end in CRLF";
		return 0;
	}
	n = (size_t)(lf - s.p) + 1;
	if (memchr(s.p, '\r', n - 2) != NULL)
		*reason = "a bare carriage return in the header";
	else if (memchr(s.p, '\0', n) != NULL)
		*reason = "a NUL octet in the header";
	else if (n - 2 > HEADER_LINE_MAX)
		*reason = "a header line is longer than 998 octets";
	else if (n == 2)
		*reason = "an empty line within the header";
	else
		return n;
	return 0;
}

/* Take the field name off its first line: 0, or -1 with *reason. */
static int
field_name(struct slice line, struct header_field *f, const char **reason)
{
	size_t		 n, i;
	unsigned char	 c;

	for (n = 0; n < line.len; n++) {
		c = (unsigned char)line.p[n];
		if (c < 33 || c > 126 || c == ':')
			break;
	}
	for (i = n; i < line.len && (line.p[i] == ' ' || line.p[i] == '\t');)
		i++;
	if (n == 0 || i == line.len || line.p[i] != ':') {
		*reason = "a header line is not a field with a name and a "
		    "colon";
		return -1;
	}
	f->name = SLICE(line.p, n);
	f->body = slice_from(line, i + 1);
	return 0;
}

int
header_next(struct header *h, struct header_field *f, const char **reason)
{
	size_t	n, line;

	if (h->rest.len == 0)
		return 0;
	if (h->nfields++ == header_limits.fields) {
		*reason = "more than 1000 header fields";
		return -1;
	}
	if (h->rest.p[0] == ' ' || h->rest.p[0] == '\t') {
		*reason = "the header begins with a continuation line";
		return -1;
	}
	if ((n = line_length(h->rest, reason)) == 0 ||
	    field_name(SLICE(h->rest.p, n), f, reason) == -1)
		return -1;
	while (n < h->rest.len &&
	    (h->rest.p[n] == ' ' || h->rest.p[n] == '\t')) {
		if ((line = line_length(slice_from(h->rest, n), reason)) == 0)
			return -1;
		n += line;
		if (n > header_limits.field) {
			*reason = header_too_big;
			return -1;
		}
	}
	f->all = SLICE(h->rest.p, n);
	f->body.len = (size_t)(f->all.p + n - f->body.p);
	h->rest = slice_from(h->rest, n);
	return 1;
}

/*
 * Dates and ids: a small scanner over structured text. skip_cfws() drops
 * folds, white space and comments; -1 when a comment is broken.
 */
static int
skip_comment(struct slice *s)
{
	unsigned int	depth = 0;
	size_t		i;

	for (i = 0; i < s->len; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '(' && ++depth > COMMENT_DEPTH)
			return -1;
		else if (s->p[i] == ')' && --depth == 0) {
			*s = slice_from(*s, i + 1);
			return 0;
		}
	}
	return -1;
}

int
header_skip_cfws(struct slice *s)
{
	while (s->len > 0) {
		if (s->p[0] == '(') {
			if (skip_comment(s) == -1)
				return -1;
		} else if (strchr(" \t\r\n", s->p[0]) != NULL &&
		    s->p[0] != '\0')
			*s = slice_from(*s, 1);
		else
			break;
	}
	return 0;
}

/* Skip CFWS, then one octet c and CFWS again. 0 or -1. */
static int
expect(struct slice *s, char c)
{
	if (header_skip_cfws(s) == -1 || s->len == 0 || s->p[0] != c)
		return -1;
	*s = slice_from(*s, 1);
	return header_skip_cfws(s);
}

/* A number of min to max digits, CFWS before it dropped; -1 if none. */
static int
number(struct slice *s, size_t min, size_t max)
{
	size_t	n;
	int	v = 0;

	if (header_skip_cfws(s) == -1)
		return -1;
	for (n = 0; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		if (n == max)
			return -1;
		v = v * 10 + (s->p[n] - '0');
	}
	if (n < min)
		return -1;
	*s = slice_from(*s, n);
	return v;
}

/* A three-letter name of the list, its index, or -1. */
static int
name_index(struct slice *s, const char *names)
{
	int	i;

	if (header_skip_cfws(s) == -1 || s->len < 3)
		return -1;
	for (i = 0; names[i * 3] != '\0'; i++)
		if (strncasecmp(s->p, names + i * 3, 3) == 0) {
			*s = slice_from(*s, 3);
			return i;
		}
	return -1;
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int
month_days(int year, int month)
{
	static const int	days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	bool			leap;

	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month] + (month == 1 && leap);
}

/* Day of the week, 0 Sunday, of the Gregorian calendar. */
static int
weekday(int year, int month, int day)
{
	static const int	shift[] = {
		0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4
	};

	if (month < 2)
		year--;
	return (year + year / 4 - year / 100 + year / 400 + shift[month] +
	    day) % 7;
}

/* A year of four digits or more, or one of the obsolete two or three. */
static int
date_year(struct slice *s)
{
	size_t	before;
	int	year;

	if (header_skip_cfws(s) == -1)
		return -1;
	before = s->len;
	if ((year = number(s, 2, 6)) == -1)
		return -1;
	switch (before - s->len) {
	case 2:
		return year < 50 ? 2000 + year : 1900 + year;
	case 3:
		return 1900 + year;
	default:
		return year;
	}
}

/* Zones by name (RFC 5322 section 4.3); others say nothing: -0000. */
static const struct {
	const char	*name;
	const char	*digits;
} zones[] = {
	{ "UT", "+0000" }, { "GMT", "+0000" },
	{ "EST", "-0500" }, { "EDT", "-0400" },
	{ "CST", "-0600" }, { "CDT", "-0500" },
	{ "MST", "-0700" }, { "MDT", "-0600" },
	{ "PST", "-0800" }, { "PDT", "-0700" },
};

struct date {
	int	wday;			/* 0 Sunday; -1: not said */
	int	day;
	int	month;			/* 0 January */
	int	year;
	int	hour;
	int	min;
	int	sec;
	char	zone[6];		/* with its sign */
};

static bool
date_time(struct slice *s, struct date *d)
{
	d->sec = 0;
	if ((d->hour = number(s, 2, 2)) == -1 || expect(s, ':') == -1 ||
	    (d->min = number(s, 2, 2)) == -1 || header_skip_cfws(s) == -1)
		return false;
	if (s->len > 0 && s->p[0] == ':' &&
	    (expect(s, ':') == -1 || (d->sec = number(s, 2, 2)) == -1))
		return false;
	return d->hour <= 23 && d->min <= 59 && d->sec <= 60;
}

/* A zone of n letters at p as digits. */
static void
zone_named(struct date *d, const char *p, size_t n)
{
	size_t	i;

	strlcpy(d->zone, "-0000", sizeof(d->zone));
	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (slice_is_nocase(SLICE(p, n), zones[i].name))
			strlcpy(d->zone, zones[i].digits, sizeof(d->zone));
}

/* +hhmm, or an obsolete name of letters (RFC 5322 section 4.3). */
static bool
date_zone(struct slice *s, struct date *d)
{
	const char	*sign;
	size_t		 before, n;
	int		 v;

	if (header_skip_cfws(s) == -1 || s->len == 0)
		return false;
	sign = s->p;
	if (*sign == '+' || *sign == '-') {
		*s = slice_from(*s, 1);
		before = s->len;
		v = number(s, 4, 4);
		if (v == -1 || before - s->len != 4 || v % 100 > 59)
			return false;
		memcpy(d->zone, sign, 5);
		d->zone[5] = '\0';
		return true;
	}
	for (n = 0; n < s->len && ((s->p[n] >= 'A' && s->p[n] <= 'Z') ||
	    (s->p[n] >= 'a' && s->p[n] <= 'z')); n++)
		;
	zone_named(d, s->p, n);
	*s = slice_from(*s, n);
	return n >= 1 && n <= 5;
}

/* Read a date-time in current or obsolete form; false: it is not one. */
static bool
date_parse(struct slice s, struct date *d)
{
	if (header_skip_cfws(&s) == -1)
		return false;
	if ((d->wday = name_index(&s, day_names)) != -1 &&
	    expect(&s, ',') == -1)
		return false;
	if ((d->day = number(&s, 1, 2)) == -1 ||
	    (d->month = name_index(&s, month_names)) == -1 ||
	    (d->year = date_year(&s)) == -1 || d->year < 1900)
		return false;
	if (d->day < 1 || d->day > month_days(d->year, d->month) ||
	    (d->wday != -1 && d->wday != weekday(d->year, d->month, d->day)))
		return false;
	if (!date_time(&s, d) || !date_zone(&s, d))
		return false;
	return header_skip_cfws(&s) == 0 && s.len == 0;
}

/* Take white space (folds too) off s, at least min octets. */
static bool
skip_fws(struct slice *s, size_t min)
{
	size_t	n = 0;

	while (n < s->len && strchr(" \t\r\n", s->p[n]) != NULL &&
	    s->p[n] != '\0')
		n++;
	*s = slice_from(*s, n);
	return n >= min;
}

/* Take min to max digits off s (99: any number). */
static bool
skip_digits(struct slice *s, size_t min, size_t max)
{
	size_t	n = 0;

	while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	*s = slice_from(*s, n);
	return n >= min && n <= max;
}

static bool
skip_octet(struct slice *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

/* Is a date that date_parse() took written as section 3.3 has it? */
static bool
date_current(struct slice s)
{
	(void)skip_fws(&s, 0);
	if (s.len > 3 && (s.p[0] < '0' || s.p[0] > '9')) {
		s = slice_from(s, 3);		/* the day's name */
		if (!skip_octet(&s, ','))
			return false;
	}
	(void)skip_fws(&s, 0);
	if (!skip_digits(&s, 1, 2) || !skip_fws(&s, 1) || s.len < 3)
		return false;
	s = slice_from(s, 3);			/* the month's */
	if (!skip_fws(&s, 1) || !skip_digits(&s, 4, 99) || !skip_fws(&s, 1) ||
	    !skip_digits(&s, 2, 2) || !skip_octet(&s, ':') ||
	    !skip_digits(&s, 2, 2))
		return false;
	if (skip_octet(&s, ':') && !skip_digits(&s, 2, 2))
		return false;
	return skip_fws(&s, 1) && (skip_octet(&s, '+') ||
	    skip_octet(&s, '-')) && skip_digits(&s, 4, 4);
}

bool
header_date_ok(struct slice s)
{
	struct date	d;

	return date_parse(s, &d);
}

int
header_date_fix(struct slice s, char *buf, size_t size)
{
	struct date	d;
	int		n;

	if (!date_parse(s, &d))
		return -1;
	if (date_current(s))
		return 0;
	n = snprintf(buf, size, "%.3s, %d %.3s %04d %02d:%02d:%02d %s",
	    day_names + 3 * weekday(d.year, d.month, d.day), d.day,
	    month_names + 3 * d.month, d.year, d.hour, d.min, d.sec, d.zone);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

int
header_date(char *buf, size_t size, time_t t)
{
	struct tm	tm;
	int		n;

	if (gmtime_r(&t, &tm) == NULL)
		return -1;
	n = snprintf(buf, size,
	    "%.3s, %d %.3s %04d %02d:%02d:%02d +0000",
	    day_names + 3 * tm.tm_wday, tm.tm_mday,
	    month_names + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

static bool
is_atext(unsigned char c, bool utf8)
{
	if (c >= 0x80)
		return utf8;
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || (c > 32 && c < 127 &&
	    strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Octets of a dot-atom at the start of s; 0 when there is none. */
static size_t
dot_atom(struct slice s, bool utf8)
{
	size_t	i, atom = 0;

	for (i = 0; i < s.len; i++) {
		if (is_atext((unsigned char)s.p[i], utf8))
			atom++;
		else if (s.p[i] == '.' && atom > 0)
			atom = 0;
		else
			break;
	}
	return atom > 0 ? i : 0;
}

/* Octets of a text from open to close without folds; 0: none. */
static size_t
enclosed(struct slice s, char open, char close)
{
	size_t	i;
	bool	escaped = false;

	if (s.len < 2 || s.p[0] != open)
		return 0;
	for (i = 1; i < s.len; i++) {
		if (s.p[i] < 33 || s.p[i] > 126)
			return 0;
		if (escaped)
			escaped = false;
		else if (s.p[i] == close)
			return i + 1;
		else if (s.p[i] == open)
			return 0;
		else
			escaped = s.p[i] == '\\';
	}
	return 0;
}

static bool
msgid_ok(struct slice s, bool utf8)
{
	size_t	n;

	if (header_skip_cfws(&s) == -1 || s.len == 0 || s.p[0] != '<')
		return false;
	s = slice_from(s, 1);
	if ((n = dot_atom(s, utf8)) == 0 && (n = enclosed(s, '"', '"')) == 0)
		return false;
	s = slice_from(s, n);
	if (s.len == 0 || s.p[0] != '@')
		return false;
	s = slice_from(s, 1);
	if ((n = dot_atom(s, utf8)) == 0 && (n = enclosed(s, '[', ']')) == 0)
		return false;
	s = slice_from(s, n);
	if (s.len == 0 || s.p[0] != '>')
		return false;
	s = slice_from(s, 1);
	return header_skip_cfws(&s) == 0 && s.len == 0;
}

bool
header_msgid_ok(struct slice body)
{
	return msgid_ok(body, false);
}

bool
header_msgid_utf8_ok(struct slice body)
{
	return msgid_ok(body, true);
}
