/*
 * Lines of a passwd file: user, verifiers, and what the credential is good
 * for. Pure. Read by msad-auth and by msactl passwd; the file belongs to root,
 * but a bad line must be told with its reason and never be half taken.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/address.h"
#include "common/conf_mech.h"
#include "common/crypt_cost.h"
#include "common/passwd_line.h"

bool
passwd_line_blank(struct slice line)
{
	size_t	 i;

	for (i = 0; i < line.len; i++)
		if (line.p[i] != ' ' && line.p[i] != '\t')
			return line.p[i] == '#';
	return true;
}

/* What stands before the next c; *rest goes behind it. */
static struct slice
before(struct slice *rest, char c)
{
	struct slice	 s = *rest;
	const char	*p = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	if (p != NULL)
		s.len = (size_t)(p - s.p);
	*rest = slice_from(*rest, p != NULL ? s.len + 1 : s.len);
	return s;
}

static bool
has_prefix(struct slice s, const char *prefix)
{
	return s.len >= strlen(prefix) &&
	    memcmp(s.p, prefix, strlen(prefix)) == 0;
}

/* --- dates and numbers --- */

static bool
digits(struct slice s, size_t off, size_t n, unsigned int *v)
{
	size_t	 i;

	*v = 0;
	for (i = off; i < off + n; i++) {
		if (i >= s.len || s.p[i] < '0' || s.p[i] > '9')
			return false;
		*v = *v * 10 + (unsigned int)(s.p[i] - '0');
	}
	return true;
}

uint64_t
passwd_date(struct slice s)
{
	unsigned int	 y, mon, d, h = 0, m = 0, sec = 0;
	struct tm	 tm = { 0 };
	time_t		 t;

	if (s.len < 10 || !digits(s, 0, 4, &y) || s.p[4] != '-' ||
	    !digits(s, 5, 2, &mon) || s.p[7] != '-' || !digits(s, 8, 2, &d))
		return 0;
	if (s.len != 10 && (s.len != 20 || s.p[10] != 'T' ||
	    s.p[13] != ':' || s.p[16] != ':' || s.p[19] != 'Z' ||
	    !digits(s, 11, 2, &h) || !digits(s, 14, 2, &m) ||
	    !digits(s, 17, 2, &sec)))
		return 0;
	if (y < 1971 || mon < 1 || mon > 12 || d < 1 || h > 23 || m > 59 ||
	    sec > 59)
		return 0;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)mon - 1;
	tm.tm_mday = (int)d;
	tm.tm_hour = (int)h;
	tm.tm_min = (int)m;
	tm.tm_sec = (int)sec;
	t = timegm(&tm);
	/* timegm() makes a 1 March of 30 February. */
	return t <= 0 || tm.tm_mday != (int)d ? 0 : (uint64_t)t;
}

/* N/hour */
static bool
rate(struct slice s, uint32_t *n)
{
	struct slice	 count = before(&s, '/');
	unsigned int	 v;

	if (!slice_is(s, "hour") || count.len == 0 || count.len > 7 ||
	    !digits(count, 0, count.len, &v) || v == 0)
		return false;
	*n = v;
	return true;
}

/* --- lists --- */

static bool
network(struct slice s, struct passwd_line *l)
{
	char	 text[NETWORK_TEXT_MAX];

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return network_parse(text, &l->networks[l->nnetworks++]);
}

/*
 * Whether a domain of U-labels is valid takes libidn2, which neither msad-auth
 * nor msactl has: A-labels are asked for. So the queue takes all that is taken
 * here; else it would refuse the user's every login.
 */
static bool
is_domain(struct slice s)
{
	return address_domain_ok(s, true);
}

/* local@domain or @domain */
static bool
is_sender(struct slice s)
{
	struct address	 a;

	if (s.len > 0 && s.p[0] == '@')
		return is_domain(slice_from(s, 1));
	return address_parse_utf8(s, &a) == ADDRESS_OK && is_domain(a.domain);
}

static bool
sender(struct slice s, struct passwd_line *l)
{
	l->senders[l->nsenders++] = s;
	l->scope += s.len + 2;
	return is_sender(s);
}

static bool
domain(struct slice s, struct passwd_line *l)
{
	l->domains[l->ndomains++] = s;
	l->scope += s.len + 2;
	return is_domain(s);
}

/* Values with commas between; each goes to add(). */
static bool
list(struct slice s, struct passwd_line *l, const size_t *n,
    bool (*add)(struct slice, struct passwd_line *))
{
	if (*n != 0 || s.len == 0)
		return false;
	while (s.len > 0) {
		if (s.p[s.len - 1] == ',' || *n == PASSWD_LIST_MAX ||
		    !add(before(&s, ','), l))
			return false;
	}
	return true;
}

/* A mechanism that may be used, by its word in msad.conf(5). */
static bool
mech(struct slice s, struct passwd_line *l)
{
	const struct conf_mech	*m;
	char			 word[32];

	if (s.len >= sizeof(word))
		return false;
	memcpy(word, s.p, s.len);
	word[s.len] = '\0';
	if ((m = conf_mech_word(word)) == NULL || (l->mechs & m->flag) != 0)
		return false;
	l->mechs |= m->flag;
	return true;
}

/* --- the third field --- */

static bool
label(struct slice s, struct slice *to)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) &&
		    strchr("-_.@", s.p[i]) == NULL)
			return false;
	if (to->len > 0 || s.len == 0 || s.len > PASSWD_LABEL_MAX)
		return false;
	*to = s;
	return true;
}

static bool
date(struct slice s, uint64_t *to)
{
	return *to == 0 && (*to = passwd_date(s)) != 0;
}

int
passwd_word_parse(struct slice s, struct passwd_line *l, const char **reason)
{
	struct slice	 word = before(&s, '=');
	bool		 ok;

	if (slice_is(word, "label")) {
		*reason = "label is not 1 to 64 letters, digits or -_.@";
		ok = label(s, &l->label);
	} else if (slice_is(word, "expires")) {
		*reason = "expires is not a date such as 2031-12-31";
		ok = date(s, &l->expires);
	} else if (slice_is(word, "no-relay-before")) {
		*reason = "no-relay-before is not a date such as 2031-12-31";
		ok = date(s, &l->relay_after);
	} else if (slice_is(word, "rate")) {
		*reason = "rate is not a number of messages such as 20/hour";
		ok = l->rate == 0 && rate(s, &l->rate);
	} else if (slice_is(word, "mech")) {
		size_t	 n = l->mechs != 0;

		*reason = "mech is not a list of mechanisms such as "
		    "scram-sha-256";
		ok = list(s, l, &n, mech);
	} else if (slice_is(word, "network")) {
		*reason = "network is not a list of at most 64 IP networks";
		ok = list(s, l, &l->nnetworks, network);
	} else if (slice_is(word, "from")) {
		*reason = "from is not a list of at most 64 addresses or "
		    "@domains, the domains in ASCII (A-labels: xn--...)";
		ok = list(s, l, &l->nsenders, sender);
	} else if (slice_is(word, "to")) {
		*reason = "to is not a list of at most 64 domains in ASCII "
		    "(A-labels: xn--...)";
		ok = list(s, l, &l->ndomains, domain);
	} else {
		*reason = "unknown word in the third field";
		ok = false;
	}
	if (ok && l->scope > PASSWD_SCOPE_MAX) {
		*reason = "the lists of from and to together are longer than "
		    "12288 octets";
		ok = false;
	}
	return ok ? 0 : -1;
}

/* --- the second field --- */

static int
take_crypt(struct slice s, struct passwd_line *l, const char **reason)
{
	size_t	 i;

	*reason = "more than one crypt(3) hash";
	if (l->crypt.len > 0)
		return -1;
	*reason = "a crypt(3) hash has characters it cannot have";
	for (i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) &&
		    strchr("./$=,_-", s.p[i]) == NULL)
			return -1;
	*reason = "a crypt(3) hash is too long or too short";
	if (s.len > PASSWD_CRYPT_MAX || s.len < 24)
		return -1;
	l->crypt = s;
	return crypt_cost_check(s, reason);
}

static int
take_scram(enum scram_hash hash, struct slice text, bool *has,
    struct scram_verifier *v, const char **reason)
{
	*reason = "more than one SCRAM verifier of one kind";
	if (*has)
		return -1;
	*has = true;
	return scram_parse(hash, text, v, reason);
}

static int
verifier(struct slice s, struct passwd_line *l, const char **reason)
{
	static const char *const	 schemes[] = { "{CRYPT}",
		"{SHA512-CRYPT}", "{SHA256-CRYPT}", "{BLF-CRYPT}" };
	size_t				 i;

	if (has_prefix(s, "{SCRAM-SHA-256}"))
		return take_scram(SCRAM_SHA256, slice_from(s, 15),
		    &l->has_sha256, &l->sha256, reason);
	if (has_prefix(s, "{SCRAM-SHA-1}"))
		return take_scram(SCRAM_SHA1, slice_from(s, 13), &l->has_sha1,
		    &l->sha1, reason);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (has_prefix(s, schemes[i]))
			return take_crypt(slice_from(s, strlen(schemes[i])), l,
			    reason);
	if (has_prefix(s, "$"))
		return take_crypt(s, l, reason);
	*reason = "a verifier that is not known; {SCRAM-SHA-256}, "
	    "{SCRAM-SHA-1}, {CRYPT} and crypt(3) hashes are";
	return -1;
}

/* --- a line --- */

static int
fields(struct slice line, struct passwd_line *l, const char **reason)
{
	struct slice	 verifiers, word;

	l->user = before(&line, ':');
	*reason = "user name is empty or longer than 255 octets";
	if (l->user.len == 0 || l->user.len > 255)
		return -1;
	verifiers = before(&line, ':');
	while (verifiers.len > 0)
		if ((word = before(&verifiers, ' ')).len > 0 &&
		    verifier(word, l, reason) == -1)
			return -1;
	*reason = "no verifier";
	if (l->crypt.len == 0 && !l->has_sha256 && !l->has_sha1)
		return -1;
	while (line.len > 0)
		if ((word = before(&line, ' ')).len > 0 &&
		    passwd_word_parse(word, l, reason) == -1)
			return -1;
	return 0;
}

int
passwd_line_parse(struct slice line, struct passwd_line *l,
    const char **reason)
{
	memset(l, 0, sizeof(*l));
	*reason = "line is longer than 16384 octets";
	if (line.len > PASSWD_LINE_MAX)
		return -1;
	*reason = "a NUL in the line";
	if (line.len > 0 && memchr(line.p, '\0', line.len) != NULL)
		return -1;
	if (fields(line, l, reason) == -1)
		return -1;
	*reason = NULL;
	return 0;
}
