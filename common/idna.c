/*
 * Domains with U-labels, by libidn2, and the comparison of mailboxes that
 * hold them. Used by msad-frontend and msad-queue on what clients send and on
 * tables of senders, by msad-relay on next hops; a file of its own, so that
 * no other program needs the library. Takes octets from outside. libidn2 is
 * asked for UTF-8 alone and so never looks at locale, environment or files.
 *
 * The rules are those of IDNA2008 and not the wider mapping of UTS 46: a
 * program behind us that maps differently must not read another domain.
 */
#include <ctype.h>
#include <string.h>

#include <idn2.h>

#include "common/idna.h"
#include "common/mailbox.h"

#define PATH_OCTETS	254	/* without brackets */

static bool
is_ascii(struct slice s)
{
	unsigned char	all = 0;
	size_t		i;

	for (i = 0; i < s.len; i++)
		all |= (unsigned char)s.p[i];
	return all < 0x80;
}

/* Copy s in lower case of ASCII with a NUL; its length or -1. */
static int
lower(struct slice s, char *buf, size_t size)
{
	size_t	i;

	if (s.len >= size)
		return -1;
	for (i = 0; i < s.len; i++)
		buf[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ?
		    (char)(s.p[i] | 0x20) : s.p[i];
	buf[s.len] = '\0';
	return (int)s.len;
}

/* RFC 5891 section 4.2.3.1: no label begins or ends with a hyphen. */
static bool
hyphens_ok(const char *s)
{
	size_t	n = strlen(s);

	return s[0] != '-' && s[n - 1] != '-' && strstr(s, ".-") == NULL &&
	    strstr(s, "-.") == NULL;
}

int
idna_to_ascii(struct slice domain, char *buf, size_t size)
{
	char	 given[IDNA_DOMAIN_MAX + 1];
	uint8_t	*out = NULL;
	int	 n = -1;

	if (domain.len == 0 || domain.len > IDNA_DOMAIN_MAX)
		return -1;
	if (is_ascii(domain))
		return address_domain_ok(domain, false) ?
		    lower(domain, buf, size) : -1;
	if (!mailbox_utf8_ok(domain) || memchr(domain.p, '\0',
	    domain.len) != NULL || lower(domain, given, sizeof(given)) ==
	    -1 || !hyphens_ok(given))
		return -1;
	if (idn2_lookup_u8((const uint8_t *)given, &out,
	    IDN2_NO_TR46 | IDN2_NFC_INPUT) == IDN2_OK &&
	    address_domain_ok(SLICE_STR((char *)out), false))
		n = lower(SLICE_STR((char *)out), buf, size);
	idn2_free(out);
	return n;
}

bool
idna_domain_ok(struct slice domain, bool literal)
{
	char	buf[IDNA_DOMAIN_MAX + 1];

	if (domain.len > 0 && domain.p[0] == '[')
		return address_domain_ok(domain, literal);
	return idna_to_ascii(domain, buf, sizeof(buf)) != -1;
}

bool
idna_domain_equal(struct slice a, struct slice b)
{
	char	x[IDNA_DOMAIN_MAX + 1], y[IDNA_DOMAIN_MAX + 1];

	if (is_ascii(a) && is_ascii(b))
		return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
	return idna_to_ascii(a, x, sizeof(x)) != -1 &&
	    idna_to_ascii(b, y, sizeof(y)) != -1 && strcmp(x, y) == 0;
}

bool
idna_address_ok(const struct address *a)
{
	char	buf[IDNA_DOMAIN_MAX + 1];
	int	n;

	if (a->domain.len == 0 || is_ascii(a->domain))
		return true;	/* the parser has looked at it */
	n = idna_to_ascii(a->domain, buf, sizeof(buf));
	return n != -1 && a->local.len + 1 + (size_t)n <= PATH_OCTETS;
}

enum address_verdict
idna_address_parse(struct slice s, struct address *a)
{
	enum address_verdict	v = address_parse_utf8(s, a);

	return v == ADDRESS_OK && !idna_address_ok(a) ? ADDRESS_BAD : v;
}

bool
idna_address_equal(const struct address *a, const struct address *b)
{
	struct address	x = *a, y = *b;
	char		buf[2][IDNA_DOMAIN_MAX + 1];
	int		n;

	if (!is_ascii(x.domain)) {
		if ((n = idna_to_ascii(x.domain, buf[0], sizeof(buf[0]))) ==
		    -1)
			return false;
		x.domain = SLICE(buf[0], (size_t)n);
	}
	if (!is_ascii(y.domain)) {
		if ((n = idna_to_ascii(y.domain, buf[1], sizeof(buf[1]))) ==
		    -1)
			return false;
		y.domain = SLICE(buf[1], (size_t)n);
	}
	return address_equal(&x, &y);
}

int
idna_address_key(const struct address *a, char *buf, size_t size)
{
	struct address	x = *a;
	char		domain[IDNA_DOMAIN_MAX + 1];
	int		n, i;

	if (!is_ascii(a->domain)) {
		if ((n = idna_to_ascii(a->domain, domain, sizeof(domain))) ==
		    -1)
			return -1;
		x.domain = SLICE(domain, (size_t)n);
	}
	if ((n = address_normal(&x, buf, size)) == -1)
		return -1;
	for (i = n - (int)x.domain.len; i < n; i++)
		buf[i] = (char)tolower((unsigned char)buf[i]);
	return n;
}

int
idna_path_to_ascii(const char *path, char *buf, size_t size)
{
	const char	*at = strrchr(path, '@');
	size_t		 local = at == NULL ? 0 : (size_t)(at + 1 - path);

	if (is_ascii(SLICE_STR(path)))
		return strlcpy(buf, path, size) < size ? 0 : -1;
	if (at == NULL || local >= size || !is_ascii(SLICE(path, local)))
		return -1;
	memcpy(buf, path, local);
	return idna_to_ascii(SLICE_STR(at + 1), buf + local, size - local) ==
	    -1 ? -1 : 0;
}
