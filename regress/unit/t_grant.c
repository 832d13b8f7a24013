/* links: msad/queue/grant.c msad/queue/scope.c msad/queue/form.c */
/*
 * Grants: who a session is, kept by front-end epoch and session id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "msad/queue/grant.h"

static unsigned int	dropped;
static const struct scope_claim	*scope;	/* of the next grant */

static void
drop(struct grant *g)
{
	dropped++;
	g->tx = NULL;
}

static struct transaction *
some_transaction(void)
{
	static int	place;

	return (struct transaction *)(void *)&place;
}

static struct grant *
take(uint64_t epoch, uint64_t sid, const char *user, const char *realm,
    time_t now)
{
	struct grant_claim	c = { epoch, sid, SLICE_STR(user),
		SLICE_STR("acme"), SLICE_STR("sys"), SLICE_STR("PLAIN"),
		SLICE_STR("192.0.2.1"), SLICE_STR(realm), scope };

	return grant_take(&c, "mail.example.org", now);
}

static void
own_is_login_or_login_at_realm(void **state)
{
	struct grant	*g;

	(void)state;
	assert_non_null(g = take(1, 1, "ann", "example.org", 0));
	assert_string_equal(g->own, "ann@example.org");
	assert_string_equal(g->tenant, "acme");
	grant_end(g);
	assert_non_null(g = take(1, 1, "ann@other.example", "example.org", 0));
	assert_string_equal(g->own, "ann@other.example");
	grant_end(g);
	assert_non_null(g = take(1, 1, "ann", "", 0));
	assert_string_equal(g->own, "ann@mail.example.org");
	grant_end(g);
}

/* What restricts the credential is the grant's, or there is no grant. */
static void
scope_is_kept_or_refused(void **state)
{
	struct scope_claim	c = { .flags = GRANT_ADDRESS, .nsenders = 1,
		.label = SLICE_STR("printer"), .rate = 3 };
	struct grant		*g;

	(void)state;
	scope = &c;
	c.senders[0] = SLICE_STR("ann@example.org");
	assert_non_null(g = take(1, 1, "ann", "r", 0));
	assert_string_equal(g->scope.label, "printer");
	assert_int_equal(g->scope.flags, GRANT_ADDRESS);
	assert_int_equal(g->scope.nsenders, 1);
	grant_end(g);
	c.senders[0] = SLICE_STR("nonsense");
	assert_null(take(1, 1, "ann", "r", 0));
	assert_null(grant_find(1, 1));
	scope = NULL;
}

/* P2: a session is one user; another channel's session is another's. */
static void
key_is_epoch_and_session(void **state)
{
	struct grant	*g, *h;

	(void)state;
	assert_non_null(g = take(7, 1, "ann", "r", 0));
	assert_null(take(7, 1, "bob", "r", 0));
	assert_string_equal(grant_find(7, 1)->user, "ann");
	assert_non_null(h = take(8, 1, "bob", "r", 0));
	assert_ptr_equal(grant_find(8, 1), h);
	assert_null(grant_find(7, 2));
	assert_null(grant_find(9, 1));
	grant_end(g);
	assert_null(grant_find(7, 1));
	grant_end(h);
}

static void
nobody_is_nobody(void **state)
{
	(void)state;
	assert_null(take(1, 1, "", "r", 0));
}

static void
channel_end_ends_its_grants_alone(void **state)
{
	(void)state;
	take(1, 5, "a", "r", 0);
	take(2, 0, "b", "r", 0);
	take(2, UINT64_MAX, "c", "r", 0);
	take(3, 5, "d", "r", 0);
	grant_end_channel(2);
	assert_null(grant_find(2, 0));
	assert_null(grant_find(2, UINT64_MAX));
	assert_non_null(grant_find(1, 5));
	assert_non_null(grant_find(3, 5));
	grant_end_channel(1);
	grant_end_channel(3);
	assert_null(grant_find(1, 5));
}

static void
revoked_grant_stays_for_its_transaction(void **state)
{
	struct grant	*g;

	(void)state;
	g = take(1, 1, "a", "r", 0);
	g->tx = some_transaction();
	grant_revoke(g);
	assert_ptr_equal(grant_find(1, 1), g);
	assert_true(g->revoked);
	dropped = 0;
	grant_end(g);
	assert_int_equal(dropped, 1);
	assert_null(grant_find(1, 1));
	g = take(1, 1, "a", "r", 0);
	grant_revoke(g);
	assert_null(grant_find(1, 1));
}

static void
grants_grow_old(void **state)
{
	(void)state;
	take(1, 1, "a", "r", 100);
	take(1, 2, "b", "r", 200);
	assert_int_equal(grant_expire(100 + GRANT_AGE_MAX - 1), 0);
	assert_int_equal(grant_expire(100 + GRANT_AGE_MAX), 1);
	assert_null(grant_find(1, 1));
	assert_non_null(grant_find(1, 2));
	grant_end_channel(1);
}

/* For pages: in the order of keys, each once, from anywhere on. */
static void
grants_are_listed(void **state)
{
	struct grant	*g;

	(void)state;
	take(2, 1, "c", "r", 0);
	take(1, 2, "b", "r", 0);
	take(1, 1, "a", "r", 0);
	assert_non_null(g = grant_after(0, 0));
	assert_string_equal(g->user, "a");
	assert_non_null(g = grant_after(g->epoch, g->sid));
	assert_string_equal(g->user, "b");
	/* one that is gone meanwhile does no harm */
	grant_end(g);
	assert_non_null(g = grant_after(1, 2));
	assert_string_equal(g->user, "c");
	assert_null(grant_after(g->epoch, g->sid));
	assert_null(grant_after(UINT64_MAX, UINT64_MAX));
	grant_end_channel(1);
	grant_end_channel(2);
}

static void
grants_of_addresses_end_with_auth(void **state)
{
	struct scope_claim	c = { .flags = GRANT_ADDRESS };
	struct grant		*g;

	(void)state;
	scope = &c;
	take(1, 1, "a", "r", 0);
	assert_non_null(g = take(1, 2, "b", "r", 0));
	g->tx = some_transaction();
	scope = NULL;
	take(1, 3, "c", "r", 0);
	assert_int_equal(grant_revoke_flagged(GRANT_ADDRESS), 2);
	assert_null(grant_find(1, 1));
	assert_true(g->revoked);
	assert_false(grant_find(1, 3)->revoked);
	assert_int_equal(grant_revoke_flagged(GRANT_ADDRESS), 0);
	grant_end_channel(1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(own_is_login_or_login_at_realm),
		cmocka_unit_test(scope_is_kept_or_refused),
		cmocka_unit_test(key_is_epoch_and_session),
		cmocka_unit_test(nobody_is_nobody),
		cmocka_unit_test(channel_end_ends_its_grants_alone),
		cmocka_unit_test(revoked_grant_stays_for_its_transaction),
		cmocka_unit_test(grants_grow_old),
		cmocka_unit_test(grants_are_listed),
		cmocka_unit_test(grants_of_addresses_end_with_auth),
	};

	grant_init(drop);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
