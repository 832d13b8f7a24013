/* links: msad/queue/kept_record.c regress/fuzz/kept_side.c */
/* links: msad/queue/rules.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Fuzz: what is found in the spool as a rule, and mail held against it. What is
 * read is written back alike.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/registers.h"
#include "msad/queue/rules.h"
#include "regress/fuzz/kept_side.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *
rcpt(const void *arg, uint32_t i)
{
	static const char *const	list[] = { "a@x.example",
		"\303\274@b\303\274cher.example", "\"a@b\"@[192.0.2.1]" };

	(void)arg;
	return list[i];
}

static void
match(void)
{
	struct rules_mail	m = { 1, 2, "ann", "acme", "ann@example.org",
		"smart", 1000, false };
	char			text[RULE_TEXT_MAX];
	uint32_t		i, held;

	rules_at_mail(&m, text);
	for (i = 0; i < 3; i++)
		rules_at_rcpt(&m, rcpt(NULL, i), text);
	m.whole = true;
	rules_at_end(&m, rcpt, NULL, 3, &held, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rule_record	r;
	uint8_t			buf[RULE_RECORD_MAX];
	uint32_t		gone;

	kept_register = REGISTER_RULES;
	if (rule_record_decode(data, n, &r) == -1)
		return 0;
	if (rule_record_encode(&r, buf) != n || memcmp(buf, data, n) != 0)
		abort();
	rules_recover(REGISTER_RULES, data[2], data, n);
	match();
	if (rules_remove(0, 0, kept_nobody, NULL, &gone) != NULL)
		abort();
	if (gone > 0)
		kept_written();
	return 0;
}
