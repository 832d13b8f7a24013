/* links: msad/queue/lookup.c msad/queue/form.c */
/*
 * Answers of databases in the queue, over a real channel: one question for
 * all who wait, freshness, failures that are no answers, bounds.
 */
#include <sys/socket.h>

#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "msad/queue/lookup.h"

static struct event_base	*base;
static struct ipc		*mine, *theirs;
static const struct form_rules	 exact;

/* What was asked last, and how often. */
static struct {
	uint64_t	 id;
	uint32_t	 generation;
	char		 table[64], login[64];
	unsigned int	 n;
} asked;

static unsigned int	 ndone, nclosed;
static struct lookups	*drop_me;

static int
on_lookup(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	asked.id = msg->sid;
	asked.generation = ipc_get_u32(&r);
	ipc_copy_str(&r, asked.table, sizeof(asked.table));
	ipc_copy_str(&r, asked.login, sizeof(asked.login));
	assert_true(ipc_done(&r));
	asked.n++;
	return 0;
}

static const struct ipc_handler	their_handlers[] = {
	{ IPC_LOOKUP, on_lookup }, { 0, NULL }
};

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	(void)end;
	nclosed++;
	if (ch == mine)
		lookup_set_channel(NULL);
}

static void
settle(void)
{
	struct timeval	tv = { 0, 2000 };
	int		i;

	for (i = 0; i < 3; i++) {
		event_base_loopexit(base, &tv);
		event_base_dispatch(base);
	}
}

static int
setup(void **state)
{
	int	fds[2];

	(void)state;
	base = event_base_new();
	ipc_init(base);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	mine = ipc_new(fds[0], ROLE_QUEUE, ROLE_LOOKUP, lookup_handlers,
	    on_closed, NULL);
	theirs = ipc_new(fds[1], ROLE_LOOKUP, ROLE_QUEUE, their_handlers,
	    on_closed, NULL);
	lookup_set_channel(mine);
	lookup_flush(7);
	memset(&asked, 0, sizeof(asked));
	ndone = nclosed = 0;
	return 0;
}

static int
teardown(void **state)
{
	unsigned int	kept, pending;

	(void)state;
	lookup_set_channel(NULL);
	lookup_flush(0);
	lookup_count(&kept, &pending);
	assert_int_equal(kept, 0);
	assert_int_equal(pending, 0);
	ipc_free(mine);
	ipc_free(theirs);
	event_base_free(base);
	return 0;
}

static void
done(void *arg)
{
	(void)arg;
	ndone++;
	if (drop_me != NULL)
		lookups_free(drop_me);
	drop_me = NULL;
}

static struct lookups *
ask(const char *table, const char *login, int64_t now)
{
	struct lookups	*ls = lookups_ask(&table, 1, login, now, done, NULL);

	assert_non_null(ls);
	settle();
	return ls;
}

static void
answer(uint64_t id, uint8_t status, const char *a, const char *b)
{
	ipc_start(theirs, IPC_LOOKUP_ANSWER, id);
	ipc_put_u8(theirs, status);
	ipc_put_str(theirs, status == 0 ? "" : "because");
	ipc_put_u16(theirs, (uint16_t)((a != NULL) + (b != NULL)));
	if (a != NULL)
		ipc_put_str(theirs, a);
	if (b != NULL)
		ipc_put_str(theirs, b);
	ipc_send(theirs);
	settle();
}

static enum lookup_says
says(const struct lookups *ls, const char *table, const char *address)
{
	struct forms	f;

	assert_true(form_mailbox(&exact, SLICE_STR(address), &f));
	return lookups_sender(ls, table, &exact, &f, true);
}

static void
asked_and_answered(void **state)
{
	struct lookups	*ls;

	(void)state;
	ls = ask("t", "ann", 1000);
	assert_true(lookups_wait(ls));
	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.generation, 7);
	assert_string_equal(asked.table, "t");
	assert_string_equal(asked.login, "ann");
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_UNKNOWN);
	answer(asked.id, 0, "A@X.example", "@y.example");
	assert_int_equal(ndone, 1);
	assert_false(lookups_wait(ls));
	assert_int_equal(says(ls, "t", "A@x.example"), LOOKUP_YES);
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_NO);
	assert_int_equal(says(ls, "t", "any@Y.example"), LOOKUP_YES);
	assert_int_equal(says(ls, "u", "any@y.example"), LOOKUP_UNKNOWN);
	assert_int_equal(says(NULL, "t", "any@y.example"), LOOKUP_UNKNOWN);
	lookups_free(ls);
}

static void
one_question_for_all(void **state)
{
	struct lookups	*ls[50];
	int		 i;

	(void)state;
	for (i = 0; i < 50; i++)
		ls[i] = ask("t", "ann", 1000);
	assert_int_equal(asked.n, 1);
	lookups_free(ls[7]);		/* gave up */
	drop_me = ls[8];		/* goes while others are told */
	answer(asked.id, 0, "*", NULL);
	assert_int_equal(ndone, 48);
	for (i = 0; i < 50; i++)
		if (i != 7 && i != 8) {
			assert_int_equal(says(ls[i], "t", "a@b.example"),
			    LOOKUP_YES);
			lookups_free(ls[i]);
		}
	/* fresh for a while, for this login alone */
	lookups_free(ask("t", "ann", 1000 + LOOKUP_FRESH_MS - 1));
	assert_int_equal(asked.n, 1);
	lookups_free(ask("t", "bob", 1000));
	assert_int_equal(asked.n, 2);
	answer(asked.id, 0, NULL, NULL);
	lookup_tick(1000 + LOOKUP_FRESH_MS);
	lookups_free(ask("t", "ann", 1000 + LOOKUP_FRESH_MS));
	assert_int_equal(asked.n, 3);
	answer(asked.id, 0, NULL, NULL);
}

/* What a message was begun with it is judged by, whatever is answered next. */
static void
answers_are_kept_with_the_message(void **state)
{
	struct lookups	*first, *second;

	(void)state;
	first = ask("t", "ann", 1000);
	answer(asked.id, 0, "old@x.example", NULL);
	lookup_tick(1000 + LOOKUP_FRESH_MS + 1000);
	second = ask("t", "ann", 9000);
	answer(asked.id, 0, "new@x.example", NULL);
	assert_int_equal(asked.n, 2);
	assert_int_equal(says(first, "t", "old@x.example"), LOOKUP_YES);
	assert_int_equal(says(first, "t", "new@x.example"), LOOKUP_NO);
	assert_int_equal(says(second, "t", "new@x.example"), LOOKUP_YES);
	lookup_flush(8);
	assert_int_equal(says(first, "t", "old@x.example"), LOOKUP_YES);
	lookups_free(first);
	lookups_free(second);
}

static void
failures_are_no_answers(void **state)
{
	struct lookups	*ls, *again;

	(void)state;
	ls = ask("t", "ann", 1000);
	assert_false(lookups_ailing(ls));
	answer(asked.id, 1, NULL, NULL);
	assert_int_equal(ndone, 1);
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_UNKNOWN);
	again = ask("t", "ann", 1000 + LOOKUP_FAILED_MS - 1);
	assert_int_equal(asked.n, 1);
	assert_false(lookups_wait(again));
	lookups_free(again);
	again = ask("t", "ann", 1000 + LOOKUP_FAILED_MS);
	assert_int_equal(asked.n, 2);
	assert_true(lookups_ailing(again));
	answer(asked.id, 0, NULL, NULL);
	assert_int_equal(says(again, "t", "a@x.example"), LOOKUP_NO);
	lookups_free(again);
	lookups_free(ls);
	/* its trouble is over, and this login's alone is not the table's */
	ls = ask("t", "bob", 5000);
	assert_false(lookups_ailing(ls));
	answer(asked.id, 2, NULL, NULL);
	lookups_free(ls);
	ls = ask("t", "cat", 5000);
	assert_false(lookups_ailing(ls));
	answer(asked.id, 0, NULL, NULL);
	lookups_free(ls);
}

static void
no_answer_in_time(void **state)
{
	struct lookups	*ls = ask("t", "ann", 1000);

	(void)state;
	lookup_tick(1000 + LOOKUP_WAIT_MS - 1);
	assert_int_equal(ndone, 0);
	lookup_tick(1000 + LOOKUP_WAIT_MS);
	assert_int_equal(ndone, 1);
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_UNKNOWN);
	answer(asked.id, 0, "a@x.example", NULL);	/* late */
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_UNKNOWN);
	assert_int_equal(nclosed, 0);
	lookups_free(ls);
}

static void
process_is_lost(void **state)
{
	struct lookups	*ls = ask("t", "ann", 1000), *later;

	(void)state;
	lookup_set_channel(NULL);
	assert_int_equal(ndone, 1);
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_UNKNOWN);
	later = ask("t", "bob", 1000);
	assert_false(lookups_wait(later));
	assert_int_equal(says(later, "t", "a@x.example"), LOOKUP_UNKNOWN);
	lookups_free(ls);
	lookups_free(later);
}

static void
reload_asks_anew(void **state)
{
	struct lookups	*old = ask("t", "ann", 1000), *new;
	uint64_t	 id = asked.id;

	(void)state;
	lookup_flush(8);
	new = ask("t", "ann", 1000);
	assert_int_equal(asked.n, 2);
	assert_int_equal(asked.generation, 8);
	answer(id, 0, "a@x.example", NULL);
	assert_int_equal(says(old, "t", "a@x.example"), LOOKUP_UNKNOWN);
	assert_true(lookups_wait(new));
	answer(asked.id, 0, "a@x.example", NULL);
	assert_int_equal(says(new, "t", "a@x.example"), LOOKUP_YES);
	lookups_free(old);
	lookups_free(new);
}

static void
bounded(void **state)
{
	const char	*table = "t";
	char		 login[32];
	struct lookups	*ls;
	unsigned int	 i, kept, pending;

	(void)state;
	for (i = 0; i < LOOKUP_PENDING_MAX + 10; i++) {
		snprintf(login, sizeof(login), "u%u", i);
		assert_non_null(ls = lookups_ask(&table, 1, login, 1000, done,
		    NULL));
		assert_int_equal(lookups_wait(ls), i < LOOKUP_PENDING_MAX);
		lookups_free(ls);	/* questions stay */
	}
	lookup_count(&kept, &pending);
	assert_int_equal(pending, LOOKUP_PENDING_MAX);
	assert_int_equal(kept, LOOKUP_PENDING_MAX);
	lookup_tick(1000 + LOOKUP_WAIT_MS);
	lookup_count(&kept, &pending);
	assert_int_equal(pending, 0);
	lookup_tick(1000 + LOOKUP_WAIT_MS + LOOKUP_FAILED_MS);
	lookup_count(&kept, &pending);
	assert_int_equal(kept, 0);
}

/* A message that the table of messages does not allow ends the channel. */
static void
false_answers(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n;
	} bad[] = {
		{ "\3\0\0\0\0", 5 },			/* a status */
		{ "\1\0\0\0\1\0\1a", 8 },		/* a failure's value */
		{ "\0\0\0\0\2\0\1a", 8 },		/* one too few */
		{ "\0\0\0\0\1\0\1ab", 9 },		/* and too many */
		{ "\0\0\0\1\1", 5 },			/* 257 */
		{ "\0\0\0\0\1\0\2a\0", 9 },		/* NUL */
	};
	struct ipc_msg	msg = { .type = IPC_LOOKUP_ANSWER, .fd = -1 };
	struct lookups	*ls;
	size_t		 i;

	(void)state;
	ls = ask("t", "ann", 1000);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		msg.sid = asked.id;
		msg.data = (const uint8_t *)bad[i].p;
		msg.len = bad[i].n;
		if (lookup_handlers[0].fn(mine, &msg, NULL) != -1)
			fail_msg("taken: %zu", i);
	}
	assert_true(lookups_wait(ls));
	/* what is no address allows nothing, and the rest counts */
	answer(asked.id, 0, "smtp:a@x.example", "a@x.example");
	assert_int_equal(says(ls, "t", "a@x.example"), LOOKUP_YES);
	lookups_free(ls);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(asked_and_answered), T(one_question_for_all),
		T(answers_are_kept_with_the_message),
		T(failures_are_no_answers), T(no_answer_in_time),
		T(process_is_lost), T(reload_asks_anew), T(bounded),
		T(false_answers)
	};

	log_set_level(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
