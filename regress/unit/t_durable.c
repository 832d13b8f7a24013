/* links: msad/queue/durable.c */
/*
 * Changes that the disk refused are tried again, and never in place of newer
 * ones. The spool is played here: it keeps what it was asked until the test
 * answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/durable.h"
#include "msad/queue/spool.h"

static struct asked {
	uint64_t	 id;
	uint32_t	 key;
	char		 state;		/* 0: a removal */
	spool_done	 done;
	void		*arg;
} asked[32];
static unsigned int nasked, nanswered, nremoved;
static char disk[4];			/* the states, by key */

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t len, spool_done done, void *arg)
{
	(void)sp;
	assert_int_equal(len, 1);
	asked[nasked++] = (struct asked){ id, key, *(const char *)p, done,
		arg };
}

void
spool_remove(struct spool *sp, uint64_t id, spool_done done, void *arg)
{
	(void)sp;
	asked[nasked++] = (struct asked){ id, 0, 0, done, arg };
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

/* The next of what was asked ends so. */
static void
answer(enum spool_result result)
{
	struct asked	*a = &asked[nanswered];

	assert_true(nanswered < nasked);
	nanswered++;
	if (result == SPOOL_OK && a->state != 0)
		disk[a->key] = a->state;
	a->done(a->arg, result);
}

static void
on_removed(void *arg, uint64_t id)
{
	(void)arg;
	assert_int_equal(id, 1);
	nremoved++;
}

static int
setup(void **state)
{
	(void)state;
	nasked = nanswered = nremoved = 0;
	memset(disk, 0, sizeof(disk));
	assert_int_equal(durable_pending(), 0);
	return 0;
}

/* P-dur-2: each moment in which it is not on disk it may come again. */
static void
tried_at_once(void **state)
{
	(void)state;
	durable_update(1, 0, "A", 1);
	durable_update(1, 1, "B", 1);
	answer(SPOOL_IO);
	answer(SPOOL_OK);
	answer(SPOOL_OK);
	assert_int_equal(durable_pending(), 0);
	assert_string_equal(disk, "AB");
}

/* Who asked to be told is told once, when it is on disk or outdated. */
static void
told_when_on_disk(void **state)
{
	(void)state;
	durable_update_then(1, 0, "A", 1, on_removed, NULL);
	assert_int_equal(nremoved, 0);
	answer(SPOOL_IO);
	assert_int_equal(nremoved, 0);
	answer(SPOOL_OK);
	assert_int_equal(nremoved, 1);
	/* gone meanwhile */
	durable_update_then(1, 0, "B", 1, on_removed, NULL);
	answer(SPOOL_NOENT);
	assert_int_equal(nremoved, 2);
	/* outdated while under way, and while it waits to be tried again */
	durable_update_then(1, 0, "C", 1, on_removed, NULL);
	durable_update(1, 0, "D", 1);
	answer(SPOOL_IO);
	assert_int_equal(nremoved, 3);
	answer(SPOOL_OK);
	durable_update_then(1, 0, "E", 1, on_removed, NULL);
	answer(SPOOL_IO);
	answer(SPOOL_IO);
	assert_int_equal(nremoved, 3);
	durable_update(1, 0, "F", 1);
	assert_int_equal(nremoved, 4);
	answer(SPOOL_OK);
	assert_int_equal(nremoved, 4);
	assert_string_equal(disk, "F");
	assert_int_equal(durable_pending(), 0);
}

/* But once: a disk that stays full is not asked on and on. */
static void
tried_again(void **state)
{
	(void)state;
	durable_update(1, 0, "A", 1);
	durable_update(1, 1, "B", 1);
	answer(SPOOL_NOSPACE);
	answer(SPOOL_OK);
	answer(SPOOL_NOSPACE);
	assert_int_equal(nasked, nanswered);
	assert_int_equal(durable_pending(), 1);
	durable_tick();
	answer(SPOOL_OK);
	assert_int_equal(durable_pending(), 0);
	assert_string_equal(disk, "AB");
}

static void
older_does_not_overwrite(void **state)
{
	(void)state;
	durable_update(1, 0, "A", 1);
	durable_update(1, 0, "B", 1);
	answer(SPOOL_IO);
	answer(SPOOL_OK);
	durable_tick();
	while (nanswered < nasked)
		answer(SPOOL_OK);
	assert_string_equal(disk, "B");
	assert_int_equal(durable_pending(), 0);
}

static void
one_waits_for_each(void **state)
{
	unsigned int	i;

	(void)state;
	durable_update(1, 0, "A", 1);
	durable_update(2, 0, "X", 1);
	durable_update(3, 0, "Y", 1);
	for (i = 0; i < 5; i++)		/* Y has been tried once more, too */
		answer(SPOOL_IO);
	for (i = 0; i < 5; i++) {
		durable_update(1, 0, "C", 1);
		durable_update(1, 1, "D", 1);
	}
	/* X, Y, C, D */
	assert_int_equal(durable_pending(), 4);
	answer(SPOOL_IO);
	durable_tick();
	assert_int_equal(nasked - nanswered, 4);
	while (nanswered < nasked)
		answer(SPOOL_OK);
	assert_int_equal(durable_pending(), 0);
	assert_int_equal(disk[1], 'D');
}

static void
forgotten(void **state)
{
	(void)state;
	durable_update(1, 0, "A", 1);
	durable_update(1, 1, "B", 1);
	answer(SPOOL_IO);
	durable_forget(1, 0);
	durable_forget(1, 1);
	durable_forget(1, 2);
	answer(SPOOL_IO);
	answer(SPOOL_IO);
	durable_tick();
	assert_int_equal(nasked, nanswered);
	assert_int_equal(durable_pending(), 0);
}

static void
removals_are_kept(void **state)
{
	(void)state;
	durable_update(1, 0, "A", 1);
	durable_remove(1, on_removed, NULL);
	durable_remove(1, on_removed, NULL);
	while (nanswered < nasked)
		answer(SPOOL_IO);
	assert_int_equal(nremoved, 0);
	durable_tick();
	answer(SPOOL_OK);
	answer(SPOOL_OK);
	answer(SPOOL_NOENT);
	assert_int_equal(nremoved, 2);
	assert_int_equal(durable_pending(), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup(tried_at_once, setup),
		cmocka_unit_test_setup(told_when_on_disk, setup),
		cmocka_unit_test_setup(tried_again, setup),
		cmocka_unit_test_setup(older_does_not_overwrite, setup),
		cmocka_unit_test_setup(one_waits_for_each, setup),
		cmocka_unit_test_setup(forgotten, setup),
		cmocka_unit_test_setup(removals_are_kept, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
