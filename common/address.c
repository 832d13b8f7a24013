/*
 * Mailboxes as SMTP writes them (RFC 5321 section 4.1.2). The front-end reads
 * MAIL and RCPT with it, the queue checks again and compares, the tables of
 * senders are read with it. Takes octets from outside; trusts nothing; slices
 * point into the caller's memory and nothing is allocated.
 *
 * A local part is a dot-string or a quoted string. For comparison both are
 * reduced to the octets that they mean; address_normal() writes those with
 * the least quoting that the grammar allows (R5321-4.1.2-a).
 */

#include <sys/socket.h>

#include <arpa/inet.h>

#include <ctype.h>

#include "common/address.h"
#include "common/mailbox.h"

#define LOCAL_MAX	64
#define DOMAIN_MAX	255
#define LABEL_MAX	63
#define PATH_MAX_OCTETS	256	/* brackets counted */

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* RFC 5322 section 3.2.3 atext; utf8: RFC 6531 section 3.3. */
static bool
is_atext(unsigned char c, bool utf8)
{
	if (c >= 0x80)
		return utf8;
	return is_alnum(c) || (c != '\0' &&
	    strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Octets of a dot-string at the start of s; 0 when there is none. */
static size_t
dot_string(struct slice s, bool utf8)
{
	size_t	i = 0, atom = 0;

	for (; i < s.len; i++) {
		if (is_atext((unsigned char)s.p[i], utf8))
			atom++;
		else if (s.p[i] == '.' && atom > 0)
			atom = 0;
		else
			break;
	}
	return atom > 0 ? i : 0;
}

/* Octets of a quoted string at the start of s; 0 when there is none. */
static size_t
quoted_string(struct slice s, bool utf8)
{
	size_t		 i;
	unsigned char	 c;
	bool		 pair;

	if (s.len < 2 || s.p[0] != '"')
		return 0;
	for (i = 1; i < s.len; i++) {
		c = (unsigned char)s.p[i];
		if (c == '"')
			return i + 1;
		if ((pair = c == '\\') && ++i == s.len)
			return 0;
		c = (unsigned char)s.p[i];
		if (c < 32 || c == 127 || (c > 127 && (pair || !utf8)))
			return 0;
	}
	return 0;
}

static bool
has_8bit(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

static bool
literal_ok(struct slice s)
{
	char		 buf[INET6_ADDRSTRLEN];
	unsigned char	 addr[sizeof(struct in6_addr)];
	int		 family = AF_INET;

	if (s.len < 3 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	s = SLICE(s.p + 1, s.len - 2);
	if (s.len > 5 && strncasecmp(s.p, "IPv6:", 5) == 0) {
		s = slice_from(s, 5);
		family = AF_INET6;
	}
	if (s.len >= sizeof(buf) || memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return inet_pton(family, buf, addr) == 1;
}

static bool
domain_ok(struct slice s, bool literal, bool utf8)
{
	size_t		 i, label = 0;
	unsigned char	 c;

	if (s.len == 0 || s.len > DOMAIN_MAX)
		return false;
	if (s.p[0] == '[')
		return literal && literal_ok(s);
	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.p[i];
		if (c == '.') {
			if (label == 0 || s.p[i - 1] == '-')
				return false;
			label = 0;
		} else if (!is_alnum(c) && (c != '-' || label == 0) &&
		    (c < 0x80 || !utf8))
			return false;
		else if (++label > LABEL_MAX && !utf8)
			return false;
	}
	return label > 0 && s.p[s.len - 1] != '-';
}

bool
address_domain_ok(struct slice s, bool literal)
{
	return domain_ok(s, literal, false);
}

static enum address_verdict
parse(struct slice in, struct address *a, bool utf8)
{
	size_t	n;

	if (in.len == 0 || in.len > PATH_MAX_OCTETS - 2)
		return ADDRESS_BAD;
	n = in.p[0] == '"' ? quoted_string(in, utf8) : dot_string(in, utf8);
	if (n == 0 || n > LOCAL_MAX || n == in.len || in.p[n] != '@')
		return ADDRESS_BAD;
	a->local = SLICE(in.p, n);
	a->domain = slice_from(in, n + 1);
	if (utf8 && has_8bit(a->domain))
		return domain_ok(a->domain, false, true) &&
		    mailbox_utf8_ok(in) ? ADDRESS_OK : ADDRESS_BAD;
	return domain_ok(a->domain, true, false) &&
	    (!utf8 || mailbox_utf8_ok(a->local)) ? ADDRESS_OK : ADDRESS_BAD;
}

enum address_verdict
address_parse(struct slice in, struct address *a)
{
	return parse(in, a, false);
}

enum address_verdict
address_parse_utf8(struct slice in, struct address *a)
{
	return parse(in, a, true);
}

/*
 * Octets of a source route "@a,@b:" at the start of s, 0 when there is none,
 * -1 when it is broken.
 */
static ssize_t
source_route(struct slice s, bool utf8)
{
	size_t	i, start = 0;

	if (s.len == 0 || s.p[0] != '@')
		return 0;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] != ',' && s.p[i] != ':')
			continue;
		if (s.p[start] != '@' || !domain_ok(
		    SLICE(s.p + start + 1, i - start - 1), false, utf8))
			return -1;
		if (s.p[i] == ':')
			return (ssize_t)i + 1;
		if ((start = i + 1) == s.len)
			return -1;
	}
	return -1;
}

/* Where the path that begins with '<' ends: index of '>', or 0. */
static size_t
path_end(struct slice in)
{
	size_t	i;
	bool	quoted = false;

	for (i = 1; i < in.len && i < PATH_MAX_OCTETS; i++) {
		if (quoted && in.p[i] == '\\')
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && in.p[i] == '>')
			return i;
	}
	return 0;
}

static enum address_verdict
parse_path(struct slice in, struct address *a, struct slice *path,
    size_t *used, bool utf8)
{
	struct slice	 s;
	ssize_t		 route;
	size_t		 end;

	*used = 0;
	if (in.len < 2 || in.p[0] != '<' || (end = path_end(in)) == 0)
		return ADDRESS_BAD;
	*used = end + 1;
	s = SLICE(in.p + 1, end - 1);
	a->local = a->domain = *path = SLICE(s.p, 0);
	if (s.len == 0)
		return ADDRESS_NULL;
	if ((route = source_route(s, utf8)) == -1 ||
	    (utf8 && !mailbox_utf8_ok(s)))
		return ADDRESS_BAD;
	s = slice_from(s, (size_t)route);
	*path = s;
	if (route == 0 && slice_is_nocase(s, "postmaster")) {
		a->local = s;
		return ADDRESS_OK;
	}
	return parse(s, a, utf8);
}

enum address_verdict
address_parse_path(struct slice in, struct address *a, struct slice *path,
    size_t *used)
{
	return parse_path(in, a, path, used, false);
}

enum address_verdict
address_parse_path_utf8(struct slice in, struct address *a,
    struct slice *path, size_t *used)
{
	return parse_path(in, a, path, used, true);
}

/*
 * Write the octets that a local part means, without its quoting. buf has room
 * for a->local.len; returns how many.
 */
static size_t
local_octets(struct slice local, char *buf)
{
	size_t	i, n = 0;

	if (local.len < 2 || local.p[0] != '"') {
		memcpy(buf, local.p, local.len);
		return local.len;
	}
	for (i = 1; i + 1 < local.len; i++) {
		if (local.p[i] == '\\' && i + 2 < local.len)
			i++;
		buf[n++] = local.p[i];
	}
	return n;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	char	x[LOCAL_MAX], y[LOCAL_MAX];
	size_t	n;

	if (a->local.len > LOCAL_MAX || b->local.len > LOCAL_MAX ||
	    a->domain.len != b->domain.len ||
	    strncasecmp(a->domain.p, b->domain.p, a->domain.len) != 0)
		return false;
	if (slice_eq(a->local, b->local))
		return true;
	if (a->domain.len == 0)		/* <Postmaster> in any case */
		return a->local.len == b->local.len &&
		    strncasecmp(a->local.p, b->local.p, a->local.len) == 0;
	n = local_octets(a->local, x);
	return n == local_octets(b->local, y) && memcmp(x, y, n) == 0;
}

int
address_normal(const struct address *a, char *buf, size_t size)
{
	char	raw[LOCAL_MAX], out[LOCAL_MAX * 2 + 2];
	size_t	i, n, o = 0;
	bool	quote;

	if (a->local.len > LOCAL_MAX)
		return -1;
	n = local_octets(a->local, raw);
	quote = n == 0 || dot_string(SLICE(raw, n), true) != n;
	if (quote)
		out[o++] = '"';
	for (i = 0; i < n; i++) {
		if (quote && (raw[i] == '"' || raw[i] == '\\'))
			out[o++] = '\\';
		out[o++] = raw[i];
	}
	if (quote)
		out[o++] = '"';
	if (o + (a->domain.len > 0) + a->domain.len + 1 > size)
		return -1;
	memcpy(buf, out, o);
	if (a->domain.len > 0) {
		buf[o++] = '@';
		memcpy(buf + o, a->domain.p, a->domain.len);
		o += a->domain.len;
	}
	buf[o] = '\0';
	return (int)o;
}
