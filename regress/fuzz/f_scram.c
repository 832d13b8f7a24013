/* Fuzz: SCRAM's client-first and client-final messages, either kind of name. */
/* links: msad/auth/scram.c msad/auth/exchange.c msad/auth/credential.c */
/* links: msad/auth/passfile.c msad/auth/sasl_text.c */
/* libs: crypto idn */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "msad/auth/mech.h"
#include "msad/auth/passfile.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/scram.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct credential	 ann = { .refs = 1000000 };
static struct credential	*list[] = { &ann };
static struct passfile		 pf = { .refs = 1000000, .list = list, .n = 1 };
static struct auth_block	 block = { .refs = 1, .passfile = &pf };

void
scram_nonce(char *buf, size_t size)
{
	strlcpy(buf, "server-nonce", size);
}

struct passfile *
blocks_passfile(const struct auth_block *b)
{
	return b->passfile;
}

static void
require(int ok)
{
	if (!ok)
		abort();
}

static void
prepare(void)
{
	static struct scram_verifier	 v = { .iterations = 4096,
		.nsalt = 16, .salt = "saltsaltsaltsalt" };
	static char			 name[] = "ann", none[] = "";
	static char			 block_name[] = "b";

	if (ann.user != NULL)
		return;
	require(scram_derive(SCRAM_SHA256, SLICE_STR("pencil"), &v) == 0);
	ann.user = name;
	ann.label = none;
	ann.sha256 = &v;
	block.name = block_name;
	block.mechs = CONF_MECH_SCRAM_SHA256 | CONF_MECH_SCRAM_SHA256_PLUS;
}

static void
check(const struct exchange *x, enum mech_step step)
{
	switch (step) {
	case MECH_CHALLENGE:
		require(x->nout > 0 && x->nout <= sizeof(x->out));
		require(memchr(x->out, '\0', x->nout) == NULL);
		require(memchr(x->out, '\n', x->nout) == NULL);
		require(sasl_name_ok(SLICE_STR(x->user)));
		break;
	case MECH_FAILED:
	case MECH_LAST:
		require(x->reason != NULL);
		break;
	default:
		abort();	/* nobody is proven without the password */
	}
}

/* Octet 0 chooses; the first newline parts the two messages. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_facts	 facts = { .tls13 = true, .nexporter = 32,
		.nendpoint = 32 };
	struct slice		 first, last;
	struct exchange		*x;
	enum mech_step		 step;
	const char		*nl;

	prepare();
	if (size < 1)
		return 0;
	first = SLICE(data + 1, size - 1);
	last = SLICE("", 0);
	if ((nl = memchr(first.p, '\n', first.len)) != NULL) {
		last = slice_from(first, (size_t)(nl - first.p) + 1);
		first.len = (size_t)(nl - first.p);
	}
	x = exchange_new(data[0] & 1 ? &mech_scram_sha256_plus :
	    &mech_scram_sha256);
	require(x != NULL);
	x->block = &block;
	x->tls = data[0] & 2 ? &facts : NULL;
	x->client = SLICE_STR("192.0.2.1");
	step = x->mech->start(x, true, first);
	check(x, step);
	if (step == MECH_CHALLENGE) {
		step = x->mech->response(x, last);
		/* A fuzzer has no proof; 2^-256 is not worth a thought. */
		require(step == MECH_FAILED);
	}
	exchange_free(x);
	return 0;
}
