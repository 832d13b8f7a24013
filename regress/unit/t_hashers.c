/* The pool of hashers: real processes, a queue that ends, time, deaths. */
/* links: msad/auth/hashers.c msad/auth/hasher.c msad/auth/credential.c */
/* libs: crypto crypt idn */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/auth/hasher.h"
#include "msad/auth/hashers.h"

#define SLOW	500000		/* iterations: long enough to be caught at it */

/* --- a clock that the test moves --- */

static int64_t	 clock_ahead_s;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, id, ts) == -1)
		return -1;
	ts->tv_sec += clock_ahead_s;
	return 0;
}

static struct event_base *base;
static struct credential *quick, *slow;

static struct credential *
credential(const char *password, uint32_t iterations)
{
	struct credential	*c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->refs = 1;
	c->user = strdup("ann");
	c->label = strdup("");
	c->sha256 = calloc(1, sizeof(*c->sha256));
	assert_non_null(c->sha256);
	c->sha256->iterations = iterations;
	c->sha256->nsalt = 16;
	assert_int_equal(scram_derive(SCRAM_SHA256, SLICE_STR(password),
	    c->sha256), 0);
	return c;
}

static int
setup(void **state)
{
	(void)state;
	clock_ahead_s = 0;
	base = event_base_new();
	assert_int_equal(hashers_early(), 0);
	hashers_init(base);
	quick = credential("pencil", 4096);
	slow = credential("pencil", SLOW);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	hashers_stop();
	event_base_free(base);
	/* Nobody else has a reference any more. */
	assert_int_equal(quick->refs, 1);
	assert_int_equal(slow->refs, 1);
	credential_release(quick);
	credential_release(slow);
	while (wait(NULL) != -1)
		;
	return 0;
}

static void
done(void *arg, int match)
{
	int	*got = arg;

	assert_int_equal(*got, 99);	/* once */
	*got = match;
}

/* Let the loop run until it is answered. */
static void
until(const int *got)
{
	while (*got == 99)
		event_base_loop(base, EVLOOP_ONCE);
}

static int
ask(struct credential *c, const char *password)
{
	int	 got = 99;

	assert_non_null(hashers_submit(&c, 1, SLICE_STR(password), done,
	    &got));
	until(&got);
	return got;
}

static void
matches(void **state)
{
	struct credential	*two[2];
	int			 got = 99, i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(ask(quick, "pencil"), 0);
		assert_int_equal(ask(quick, "pencils"), HASHER_NONE);
	}
	two[0] = credential("other", 4096);
	two[1] = quick;
	assert_non_null(hashers_submit(two, 2, SLICE_STR("pencil"), done,
	    &got));
	until(&got);
	assert_int_equal(got, 1);
	credential_release(two[0]);
	assert_null(hashers_submit(two, HASHER_ENTRIES_MAX + 1,
	    SLICE_STR("x"), done, &got));
}

/* X-auth-2: nobody is told of what was given up, running or waiting. */
static void
cancels(void **state)
{
	struct hash_job	*jobs[40];
	int		 got[40], i, last = 99;

	(void)state;
	for (i = 0; i < 40; i++) {
		got[i] = 99;
		jobs[i] = hashers_submit(&quick, 1, SLICE_STR("pencil"), done,
		    &got[i]);
		assert_non_null(jobs[i]);
	}
	assert_non_null(hashers_submit(&quick, 1, SLICE_STR("pencil"), done,
	    &last));
	for (i = 0; i < 40; i++)
		hashers_cancel(jobs[i]);
	until(&last);
	assert_int_equal(last, 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(got[i], 99);
}

/* R4954-6-b: too many, or too late, is 454. */
static void
bounds(void **state)
{
	struct hash_job	*job;
	static int	 got[2000];
	int		 n, i;

	(void)state;
	for (n = 0; n < 2000; n++) {
		got[n] = 99;
		job = hashers_submit(&slow, 1, SLICE_STR("x"), done, &got[n]);
		if (job == NULL)
			break;
	}
	assert_in_range(n, 1000, 1100);
	clock_ahead_s = 11;
	until(&got[n - 1]);
	for (i = 0; i < n; i++)
		assert_int_equal(got[i], HASHERS_BUSY);
	/* They go on once those at work are through. */
	assert_int_equal(ask(quick, "pencil"), 0);
}

/* The oldest child that lives; process ids do not go round here. */
static pid_t
first_child(void)
{
	struct dirent	*e;
	char		 path[300], state;
	pid_t		 pid, ppid, found = 0;
	FILE		*f;
	DIR		*d = opendir("/proc");

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		pid = (pid_t)strtol(e->d_name, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (pid <= 0 || (f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %c %d", &state, &ppid) == 2 &&
		    ppid == getpid() && state != 'Z' &&
		    (found == 0 || pid < found))
			found = pid;
		fclose(f);
	}
	closedir(d);
	assert_true(found > 0);
	return found;
}

/* One dies at work: its job is 454, the others serve. */
static void
death(void **state)
{
	int	 got = 99;

	(void)state;
	assert_non_null(hashers_submit(&slow, 1, SLICE_STR("x"), done, &got));
	/* The first of them got it. */
	assert_int_equal(kill(first_child(), SIGKILL), 0);
	until(&got);
	assert_int_equal(got, HASHERS_BUSY);
	assert_int_equal(ask(quick, "pencil"), 0);
}

static void
stops(void **state)
{
	int	 one = 99, two = 99, i, more[40];

	(void)state;
	assert_non_null(hashers_submit(&slow, 1, SLICE_STR("x"), done, &one));
	for (i = 0; i < 40; i++) {
		more[i] = 99;
		assert_non_null(hashers_submit(&slow, 1, SLICE_STR("x"), done,
		    &more[i]));
	}
	hashers_stop();
	assert_int_equal(one, HASHERS_BUSY);
	for (i = 0; i < 40; i++)
		assert_int_equal(more[i], HASHERS_BUSY);
	assert_null(hashers_submit(&quick, 1, SLICE_STR("x"), done, &two));
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(matches), TEST(cancels), TEST(bounds), TEST(death),
		TEST(stops)
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("t_hashers", 1);
	log_set_level(2);
	return cmocka_run_group_tests_name("hashers", tests, NULL, NULL);
}
