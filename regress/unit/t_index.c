/* links: msad/queue/index*.c msad/queue/envelope.c msad/queue/schedule*.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c */
/*
 * The queue in memory: selecting by user, tenant, relay, domain, sender and
 * next attempt gives what a look at every message gives, whatever came and
 * went.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/index.h"
#include "msad/queue/schedule.h"

#define NIDS	4000

static struct message	*model[NIDS];
static uint32_t		 seed = 7;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct message *
make(uint64_t id, const char *user, const char *sender, const char *const *to,
    uint32_t n)
{
	struct envelope	 e = { .arrival = 1000, .user = SLICE_STR(user),
		.tenant = SLICE_STR(id % 2 ? "odd" : "even"),
		.auth = SLICE_STR("a"), .mech = SLICE_STR("PLAIN"),
		.relay = SLICE_STR(id % 3 ? "r1" : "r2"),
		.sender = SLICE_STR(sender), .msgid = SLICE_STR("<m@x>") };
	struct slice	 rcpts[4];
	struct message	*m;
	uint8_t		*p;
	size_t		 len;
	uint32_t	 i;

	for (i = 0; i < n; i++)
		rcpts[i] = SLICE_STR(to[i]);
	assert_non_null(p = envelope_encode(&e, rcpts, NULL, n, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, 10, &e));
	free(p);
	return m;
}

/* Message i: user i % 5, one to three recipients in domains i % 7 and on. */
static struct message *
message(uint64_t i)
{
	char		 user[16], from[16], to[3][40];
	const char	*list[3] = { to[0], to[1], to[2] };
	uint32_t	 k;

	snprintf(user, sizeof(user), "u%u", (unsigned int)(i % 5));
	for (k = 0; k < 3; k++)
		snprintf(to[k], sizeof(to[k]), "x%u@%s%u.Example", k,
		    i % 2 ? "D" : "d", (unsigned int)((i + k / 2) % 7));
	snprintf(from, sizeof(from), "%s%u", i % 4 ? "u" : "U",
	    (unsigned int)(i % 5));
	return make(1000 + i, user, i % 11 == 0 ? "" : from, list,
	    1 + (uint32_t)(i % 3));
}

static bool
in_domain(const struct message *m, const char *domain)
{
	uint32_t	 i;

	for (i = 0; i < m->nrcpts; i++)
		if (strcasecmp(strchr(message_rcpt(m, i), '@') + 1,
		    domain) == 0)
			return true;
	return false;
}

static bool
has(const struct message *m, enum index_key kind, const char *value)
{
	switch (kind) {
	case INDEX_USER:
		return strcmp(message_user(m), value) == 0;
	case INDEX_TENANT:
		return strcmp(message_tenant(m), value) == 0;
	case INDEX_RELAY:
		return strcmp(message_relay(m), value) == 0;
	case INDEX_SENDER:
		return strcasecmp(message_sender(m), value) == 0;
	default:
		return in_domain(m, value);
	}
}

/* The selection is what the model says, in ascending id, and no more. */
static void
check(enum index_key kind, const char *value)
{
	struct message	*m;
	uint64_t	 id = 0, n = 0;
	uint32_t	 i;

	for (i = 0; i < NIDS; i++) {
		if (model[i] == NULL || !has(model[i], kind, value))
			continue;
		m = index_select_after(kind, SLICE_STR(value), id);
		assert_ptr_equal(m, model[i]);
		id = m->id;
		n++;
	}
	assert_null(index_select_after(kind, SLICE_STR(value), id));
	assert_int_equal(index_select_count(kind, SLICE_STR(value)), n);
	if (kind == INDEX_TENANT)	/* each has 10 octets */
		assert_int_equal(index_tenant_octets(SLICE_STR(value)),
		    10 * n);
}

static void
sum(void *arg, const char *name, uint64_t n)
{
	(void)name;
	*(uint64_t *)arg += n;
}

static void
check_all(void)
{
	struct message	*m;
	uint64_t	 n = 0, users = 0;
	uint32_t	 i;
	char		 name[32];

	for (i = 0; i < NIDS; i++) {
		assert_ptr_equal(index_find(1000 + i), model[i]);
		n += model[i] != NULL;
	}
	assert_int_equal(index_messages(), n);
	for (m = index_after(0); m != NULL; m = index_after(m->id))
		n--;
	assert_int_equal(n, 0);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		check(INDEX_USER, name);
		snprintf(name, sizeof(name), "D%u.exAMPLE", i);
		check(INDEX_DOMAIN, name);
	}
	check(INDEX_TENANT, "odd");
	check(INDEX_TENANT, "even");
	check(INDEX_RELAY, "r2");
	check(INDEX_RELAY, "r3");
	check(INDEX_RELAY, "u1");
	check(INDEX_SENDER, "u1");
	check(INDEX_SENDER, "U1");
	check(INDEX_SENDER, "");
	index_select_keys(INDEX_USER, sum, &users);
	assert_int_equal(users, index_messages());
}

static void
put(uint32_t i)
{
	if (model[i] == NULL)
		index_insert(model[i] = message(i));
}

static void
drop(uint32_t i)
{
	if (model[i] == NULL)
		return;
	index_remove(model[i]);
	message_free(model[i]);
	model[i] = NULL;
}

/* To another relay, or the one it has, while in the index and while not. */
static void
move(uint32_t i)
{
	static const char *const	names[] = { "r1", "r2", "r3" };
	const char			*to = names[rnd(3)];

	if (model[i] == NULL)
		return;
	if (i % 5 == 0)
		index_remove(model[i]);
	assert_int_equal(message_set_relay(model[i], SLICE_STR(to)), 0);
	assert_string_equal(message_relay(model[i]), to);
	if (i % 5 == 0)
		index_insert(model[i]);
}

static void
in_order_and_out(void **s)
{
	uint32_t	i;

	(void)s;
	for (i = 0; i < NIDS; i++)
		put(i);
	check_all();
	for (i = 0; i < NIDS / 2; i++)
		drop(i);
	check_all();
	for (; i < NIDS; i++)
		move(i);
	check_all();
	for (i = NIDS / 2; i < NIDS; i++)
		drop(i);
	check_all();
}

static void
at_random(void **s)
{
	uint32_t	i, k;

	(void)s;
	for (k = 0; k < 6; k++) {
		for (i = 0; i < NIDS; i++) {
			put(rnd(NIDS));
			if (k % 2)
				drop(rnd(NIDS));
			drop(rnd(NIDS));
			move(rnd(NIDS));
		}
		check_all();
	}
	for (i = 0; i < NIDS; i++)
		drop(i);
	check_all();
}

/* What nobody has any more leaves no key behind. */
static void
keys_go(void **s)
{
	static const char *const	to[] = { "a@once.example" };
	struct message			*m;
	uint64_t			 n = 0;

	(void)s;
	m = make(5, "once", "", to, 1);
	index_insert(m);
	assert_int_equal(index_select_count(INDEX_DOMAIN,
	    SLICE_STR("once.example")), 1);
	assert_string_equal(message_sender(m), "");
	assert_string_equal(message_auth(m), "a");
	assert_string_equal(message_mech(m), "PLAIN");
	index_remove(m);
	message_free(m);
	index_select_keys(INDEX_DOMAIN, sum, &n);
	assert_int_equal(n, 0);
	assert_null(index_select_after(INDEX_USER, SLICE_STR("once"), 0));
}

static uint64_t	reads;

static void
read_again(uint64_t id, char *buf, size_t size)
{
	reads++;
	snprintf(buf, size, "<%llu@disk>", (unsigned long long)id);
}

/* A new message's Message-ID is at hand; later it is read again, once. */
static void
msgids(void **s)
{
	static const char *const	to[] = { "a@b" };
	struct message			*a, *b;

	(void)s;
	index_init(read_again);
	a = make(5, "u", "", to, 1);
	assert_string_equal(message_msgid(a), "<m@x>");
	b = make(5 + 1024, "u", "", to, 1);
	assert_string_equal(message_msgid(b), "<m@x>");
	assert_int_equal(reads, 0);
	assert_string_equal(message_msgid(a), "<5@disk>");
	assert_string_equal(message_msgid(a), "<5@disk>");
	assert_int_equal(reads, 1);
	message_free(a);
	message_free(b);
	index_init(NULL);
}

static void
add_id(void *arg, struct message *m)
{
	*(uint64_t *)arg += m->id;
}

static void
due(void **s)
{
	uint64_t	want = 0, got = 0;
	uint32_t	i;

	(void)s;
	for (i = 0; i < 500; i++) {
		put(i);
		model[i]->rcpts[0].next = model[i]->rcpts[model[i]->nrcpts -
		    1].next = 5000 + rnd(1000);
		if (model[i]->nrcpts == 3)
			model[i]->rcpts[1].next = 9000;
		assert_int_equal(schedule_add(model[i]), 0);
		if (model[i]->next <= 5200)
			want += model[i]->id;
	}
	schedule_select_due(5200, add_id, &got);
	assert_true(want > 0);
	assert_int_equal(got, want);
	got = 0;
	schedule_select_due(4999, add_id, &got);
	assert_int_equal(got, 0);
	for (i = 0; i < 500; i++) {
		schedule_remove(model[i]);
		drop(i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_and_out),
		cmocka_unit_test(at_random),
		cmocka_unit_test(keys_go),
		cmocka_unit_test(msgids),
		cmocka_unit_test(due)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
