/* Fuzz: lines of a passwd file, and SASLprep. */
/* libs: crypto idn */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/passwd_line.h"
#include "common/saslprep.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(int ok)
{
	if (!ok)
		abort();
}

static int
within(struct slice whole, struct slice part)
{
	return part.len == 0 || (part.p >= whole.p &&
	    part.p + part.len <= whole.p + whole.len);
}

static void
check_scram(enum scram_hash hash, const struct scram_verifier *v)
{
	struct scram_verifier	 again;
	const char		*reason;
	char			 text[SCRAM_TEXT_MAX];
	int			 n;

	require(v->iterations >= SCRAM_ITERATIONS_MIN &&
	    v->iterations <= SCRAM_ITERATIONS_MAX);
	require(v->nsalt >= 8 && v->nsalt <= SCRAM_SALT_MAX);
	n = scram_print(hash, v, text, sizeof(text));
	require(n > 0);
	require(scram_parse(hash, SLICE(text, n), &again, &reason) == 0);
	require(memcmp(&again, v, sizeof(again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct passwd_line	 l;
	struct slice			 in = SLICE(data, size);
	const char			*reason = NULL;
	char				 one[512], two[512];
	size_t				 i;
	int				 n;

	if (passwd_line_parse(in, &l, &reason) == -1)
		require(reason != NULL);
	else {
		require(within(in, l.user) && within(in, l.label) &&
		    within(in, l.crypt) && l.user.len > 0);
		require(l.crypt.len > 0 || l.has_sha256 || l.has_sha1);
		if (l.has_sha256)
			check_scram(SCRAM_SHA256, &l.sha256);
		if (l.has_sha1)
			check_scram(SCRAM_SHA1, &l.sha1);
		for (i = 0; i < l.nsenders; i++)
			require(within(in, l.senders[i]) &&
			    l.senders[i].len > 1);
		for (i = 0; i < l.ndomains; i++)
			require(within(in, l.domains[i]) &&
			    l.domains[i].len > 0);
		require(l.nnetworks <= PASSWD_LIST_MAX);
	}
	/* What SASLprep gives is fit to be given again. */
	if ((n = saslprep(in, one, sizeof(one))) != -1) {
		require(n > 0 && strlen(one) == (size_t)n);
		if (saslprep(SLICE(one, n), two, sizeof(two)) != -1)
			require(strlen(two) > 0);
	}
	return 0;
}
