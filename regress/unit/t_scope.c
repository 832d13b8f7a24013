/* links: msad/queue/scope.c msad/queue/form.c */
/* What a credential is restricted to, as it comes in a GRANT and is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/scope.h"

static const struct form_rules	 exact;
static uint8_t			 buf[IPC_PAYLOAD_MAX];
static size_t			 len;

static void
put(uint64_t v, size_t n)
{
	while (n-- > 0)
		buf[len++] = (uint8_t)(v >> 8 * n);
}

static void
put_str(const char *s)
{
	put(strlen(s), 2);
	memcpy(buf + len, s, strlen(s));
	len += strlen(s);
}

static void
put_list(const char *const *list, size_t n)
{
	size_t	i;

	put(n, 2);
	for (i = 0; i < n; i++)
		put_str(list[i]);
}

static int
take(size_t n, struct scope_claim *c)
{
	struct ipc_msg		msg = { .data = buf, .len = n, .fd = -1 };
	struct ipc_reader	r;

	ipc_reader(&r, &msg);
	return scope_read(&r, c) == 0 && ipc_done(&r) ? 0 : -1;
}

static void
sample(uint8_t flags)
{
	static const char *const	senders[] = { "ann@x.example",
		"@shop.example" };
	static const char *const	domains[] = { "x.example",
		"[192.0.2.1]" };

	len = 0;
	put(flags, 1);
	put_str("printer");
	put_list(senders, 2);
	put_list(domains, 2);
	put(30, 4);
	put(1800000000, 8);
}

static void
read_and_kept(void **state)
{
	struct scope_claim	c;
	struct scope		s;

	(void)state;
	sample(GRANT_SEEN);
	assert_int_equal(take(len, &c), 0);
	assert_int_equal(scope_set(&s, &c), 0);
	memset(buf, 'x', sizeof(buf));	/* nothing points there any more */
	assert_int_equal(s.flags, GRANT_SEEN);
	assert_string_equal(s.label, "printer");
	assert_int_equal(s.nsenders, 2);
	assert_string_equal(s.senders[1], "@shop.example");
	assert_string_equal(s.domains[0], "x.example");
	assert_int_equal(s.rate, 30);
	assert_int_equal(s.not_before, 1800000000);
	scope_clear(&s);
	assert_int_equal(scope_set(&s, NULL), 0);
	assert_string_equal(s.label, "");
	assert_int_equal(s.nsenders + s.ndomains + s.rate, 0);
	scope_clear(&s);
}

static void
cut_or_false_is_refused(void **state)
{
	struct scope_claim	c;
	size_t			i, n;

	(void)state;
	sample(0);
	for (i = 0, n = len; i < n; i++)
		assert_int_equal(take(i, &c), -1);
	assert_int_equal(take(n + 1, &c), -1);
	sample(GRANT_FLAGS + 1);
	assert_int_equal(take(len, &c), -1);
	len = 0;
	put(0, 1);
	put_str("");
	put(GRANT_LIST_MAX + 1, 2);
	for (i = 0; i <= GRANT_LIST_MAX; i++)
		put_str("a@b.example");
	put(0, 2);
	put(0, 4);
	put(0, 8);
	assert_int_equal(take(len, &c), -1);
}

/* No restriction may get lost: what cannot be read refuses the grant. */
static void
unfit_entries_refuse(void **state)
{
	static const char *const	bad_senders[] = { "", "ann", "@", "*",
		"a b@x.example" };
	static const char *const	bad_domains[] = { "", "@x.example",
		"a@x.example", "x..example", "*" };
	struct scope_claim		c = { .nsenders = 1 };
	struct scope			s;
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad_senders) / sizeof(bad_senders[0]); i++) {
		c.senders[0] = SLICE_STR(bad_senders[i]);
		assert_int_equal(scope_set(&s, &c), -1);
	}
	c.nsenders = 0;
	c.ndomains = 2;
	c.domains[0] = SLICE_STR("x.example");
	for (i = 0; i < sizeof(bad_domains) / sizeof(bad_domains[0]); i++) {
		c.domains[1] = SLICE_STR(bad_domains[i]);
		assert_int_equal(scope_set(&s, &c), -1);
	}
}

static bool
may_send(const struct scope *s, const char *address)
{
	struct forms	f;

	assert_true(form_mailbox(&exact, SLICE_STR(address), &f));
	return scope_sender(s, &exact, &f, true);
}

/* R6409-6.2-a */
static void
senders_and_recipients(void **state)
{
	struct scope_claim	c;
	struct scope		s;

	(void)state;
	sample(0);
	assert_int_equal(take(len, &c), 0);
	assert_int_equal(scope_set(&s, &c), 0);
	assert_true(may_send(&s, "ann@X.example"));
	assert_true(may_send(&s, "any@shop.example"));
	assert_false(may_send(&s, "bob@x.example"));
	assert_false(may_send(&s, "ann@sub.shop.example"));
	assert_true(scope_rcpt(&s, SLICE_STR("r@X.EXAMPLE")));
	assert_true(scope_rcpt(&s, SLICE_STR("r@[192.0.2.1]")));
	assert_false(scope_rcpt(&s, SLICE_STR("r@sub.x.example")));
	assert_false(scope_rcpt(&s, SLICE_STR("\"r@x.example\"@y.example")));
	assert_false(scope_rcpt(&s, SLICE_STR("r")));
	scope_clear(&s);
	assert_true(may_send(NULL, "bob@y.example"));
	assert_true(scope_rcpt(NULL, SLICE_STR("r@y.example")));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(read_and_kept),
		cmocka_unit_test(cut_or_false_is_refused),
		cmocka_unit_test(unfit_entries_refuse),
		cmocka_unit_test(senders_and_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
