/*
 * What a user name and a password may consist of. Pure; called for every
 * login in msad-auth, on octets that come from the network and for the name
 * that PAM gives back.
 *
 * SASLprep is not applied as a mapping: PAM knows names as octets, and two
 * spellings of one name would only blur logs and limits. Names that SASLprep
 * would refuse, or change by mapping to nothing or to a space, are refused.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "msad/auth/sasl_text.h"

struct range {
	uint32_t	 first;
	uint32_t	 last;
};

/*
 * RFC 4013 sections 2.1 and 2.3 by the tables of RFC 3454: B.1 mapped to
 * nothing, C.1.2 other spaces, C.2 control, C.3 private use, C.4 not
 * characters, C.6 and C.7 unfit for text, C.8 change display, C.9 tags.
 * Surrogates (C.5) are not valid UTF-8.
 */
static const struct range unfit[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x00a0 }, { 0x00ad, 0x00ad },
	{ 0x0340, 0x0341 }, { 0x034f, 0x034f }, { 0x06dd, 0x06dd },
	{ 0x070f, 0x070f }, { 0x1680, 0x1680 }, { 0x1806, 0x1806 },
	{ 0x180b, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
	{ 0x205f, 0x2063 }, { 0x206a, 0x206f }, { 0x2ff0, 0x2ffb },
	{ 0x3000, 0x3000 }, { 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xffff },
	{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe007f }, { 0xf0000, 0x10ffff }
};

/*
 * The code point at the start of s (not empty). Returns its octets, or 0:
 * not UTF-8 (RFC 3629: no overlong forms, surrogates, over U+10FFFF).
 */
static size_t
utf8_next(struct slice s, uint32_t *cp)
{
	static const uint32_t	 smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t		*p = (const uint8_t *)s.p;
	size_t			 n, i;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > s.len)
		return 0;
	*cp = p[0] & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < smallest[n] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

static bool
is_unfit(uint32_t cp)
{
	size_t	 i;

	/* U+xxFFFE and U+xxFFFF of every plane. */
	if ((cp & 0xfffe) == 0xfffe)
		return true;
	for (i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		if (cp >= unfit[i].first && cp <= unfit[i].last)
			return true;
	return false;
}

bool
sasl_name_ok(struct slice s)
{
	uint32_t	 cp;
	size_t		 n;

	if (s.len == 0 || s.len > SASL_NAME_MAX)
		return false;
	for (; s.len > 0; s = slice_from(s, n)) {
		if ((n = utf8_next(s, &cp)) == 0)
			return false;
		if (cp == '/' || is_unfit(cp))
			return false;
	}
	return true;
}

bool
sasl_password_ok(struct slice s)
{
	uint32_t	 cp;
	size_t		 n;

	if (s.len == 0 || s.len > SASL_PASSWORD_MAX)
		return false;
	for (; s.len > 0; s = slice_from(s, n))
		if ((n = utf8_next(s, &cp)) == 0 || cp == 0)
			return false;
	return true;
}

bool
sasl_octets_ok(struct slice s)
{
	return s.len > 0 && s.len <= SASL_PASSWORD_MAX &&
	    memchr(s.p, '\0', s.len) == NULL;
}
