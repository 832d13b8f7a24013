/*
 * What a hash of crypt(3) costs to compute, from its parameters as crypt(5)
 * has them. Pure. Used by the reader of passwd files: a hash that takes a
 * minute, or all memory, would hold up everybody's logins, and whoever tries
 * to log in decides when it is computed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/crypt_cost.h"

/* The digits of crypt(5) numbers; -1: it is none. */
static int
digit64(char c)
{
	static const char	 digits[] = "./0123456789"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char		*p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)(p - digits);
}

/* "NN$" */
static bool
bcrypt_ok(struct slice s)
{
	int	cost;

	if (s.len < 3 || s.p[0] < '0' || s.p[0] > '9' || s.p[1] < '0' ||
	    s.p[1] > '9' || s.p[2] != '$')
		return false;
	cost = (s.p[0] - '0') * 10 + (s.p[1] - '0');
	return cost >= 4 && cost <= CRYPT_BCRYPT_MAX;
}

/* "rounds=N$", or nothing: then there are 5000. */
static bool
sha_ok(struct slice s)
{
	static const char	 word[] = "rounds=";
	uint32_t		 n = 0;
	size_t			 i;

	if (s.len < sizeof(word) - 1 ||
	    memcmp(s.p, word, sizeof(word) - 1) != 0)
		return true;
	for (i = sizeof(word) - 1; i < s.len && s.p[i] != '$'; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(s.p[i] - '0');
		if (n > CRYPT_ROUNDS_MAX)
			return false;
	}
	return n > 0 && i < s.len;
}

static bool
work_ok(int log2n, uint64_t r, uint64_t p)
{
	return log2n > 0 && log2n <= 22 && r > 0 && p > 0 &&
	    r <= CRYPT_WORK_MAX && p <= CRYPT_WORK_MAX / r &&
	    r * p <= CRYPT_WORK_MAX >> log2n;
}

/* Five digits, the least one first; UINT64_MAX: they are none. */
static uint64_t
number30(const char *p)
{
	uint64_t	n = 0;
	int		i, d;

	for (i = 4; i >= 0; i--) {
		if ((d = digit64(p[i])) == -1)
			return UINT64_MAX;
		n = n << 6 | (uint64_t)d;
	}
	return n;
}

/* log2 N, r of five digits, p of five */
static bool
scrypt_ok(struct slice s)
{
	return s.len > 11 && work_ok(digit64(s.p[0]), number30(s.p + 1),
	    number30(s.p + 6));
}

/*
 * Flavour, log2 N - 1, r - 1, "$". Numbers from 48 on have more digits, and
 * the parameters p, t and g may follow; crypt_gensalt(3) makes neither.
 */
static bool
yescrypt_ok(struct slice s)
{
	int	n, r;

	if (s.len < 4 || digit64(s.p[0]) == -1 || s.p[3] != '$' ||
	    (n = digit64(s.p[1])) == -1 || (r = digit64(s.p[2])) == -1)
		return false;
	return n < 48 && r < 48 && work_ok(n + 1, (uint64_t)r + 1, 1);
}

int
crypt_cost_check(struct slice hash, const char **reason)
{
	static const char	 bcrypt[] = "the cost of a bcrypt hash is not "
	    "a number from 04 to 16";
	static const char	 sha[] = "the rounds of a SHA-512 or SHA-256 "
	    "hash are not a number from 1 to 1000000";
	static const char	 yescrypt[] = "a yescrypt hash takes more "
	    "than about 2 seconds (N * r over 4194304), or has parameters "
	    "that are not taken";
	static const struct {
		const char	*prefix;
		bool		(*ok)(struct slice);
		const char	*reason;
	} methods[] = {
		{ "$y$", yescrypt_ok, yescrypt },
		{ "$gy$", yescrypt_ok, yescrypt },
		{ "$7$", scrypt_ok, "a scrypt hash takes more than about 2 "
		    "seconds (N * r * p over 4194304), or has parameters "
		    "that cannot be read" },
		{ "$6$", sha_ok, sha },
		{ "$5$", sha_ok, sha },
		{ "$2b$", bcrypt_ok, bcrypt },
		{ "$2y$", bcrypt_ok, bcrypt },
		{ "$2a$", bcrypt_ok, bcrypt }
	};
	size_t	 i, n;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		n = strlen(methods[i].prefix);
		if (hash.len < n || memcmp(hash.p, methods[i].prefix, n) != 0)
			continue;
		*reason = methods[i].reason;
		return methods[i].ok(slice_from(hash, n)) ? 0 : -1;
	}
	*reason = "a crypt(3) hash of a method that is not taken; yescrypt, "
	    "scrypt, SHA-512, SHA-256 and bcrypt are";
	return -1;
}
