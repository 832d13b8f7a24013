/* links: msad/auth/cache.c */
/* libs: crypto */
/*
 * The cache of right passwords: what hits, what never does, what makes an
 * entry go, and that the table is bounded and holds no password.
 */

#include <sys/types.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/secretmem.h"
#include "msad/auth/cache.h"

#define S(text)	SLICE_STR(text)

/* credential.c's, without what a file has to say. */
struct credential *
credential_ref(struct credential *c)
{
	c->refs++;
	return c;
}

void
credential_release(struct credential *c)
{
	assert_true(c->refs > 0);
	c->refs--;
}

static char			 user[256];
static struct credential	*found;

static bool
hit_at(const char *block, const char *name, const char *password,
    int64_t now_ms)
{
	found = NULL;
	user[0] = '\0';
	return cache_find(S(block), S(name), S(password), 60, now_ms, user,
	    sizeof(user), &found);
}

static bool
hit(const char *name, const char *password)
{
	return hit_at("sys", name, password, 1000);
}

static void
put(const char *name, const char *password)
{
	cache_put(S("sys"), S(name), S(password), S(name), NULL, 1000);
}

static int
fresh(void **state)
{
	(void)state;
	assert_int_equal(cache_init(), 0);
	cache_flush(NULL);
	assert_int_equal(cache_entries(), 0);
	return 0;
}

static void
test_hit(void **state)
{
	(void)state;
	assert_false(hit("u", "secret"));
	put("u", "secret");
	assert_true(hit("u", "secret"));
	assert_string_equal(user, "u");
	assert_null(found);
	/* nothing else is the same */
	assert_false(hit("u", "secreT"));
	assert_false(hit("u", "secret "));
	assert_false(hit("u", "secre"));
	assert_false(hit("u", ""));
	assert_false(hit("U", "secret"));
	assert_false(hit("us", "ecret"));
	assert_false(hit_at("sysu", "", "secret", 1000));
	assert_false(hit_at("other", "u", "secret", 1000));
	/* and what was wrong has taken nothing away */
	assert_true(hit("u", "secret"));
	assert_int_equal(cache_entries(), 1);
}

static void
test_time(void **state)
{
	(void)state;
	put("u", "secret");
	assert_true(hit_at("sys", "u", "secret", 1000 + 59999));
	/* a hit has made it no younger */
	assert_false(hit_at("sys", "u", "secret", 1000 + 60000));
	assert_int_equal(cache_entries(), 0);
	put("u", "secret");
	assert_false(cache_find(S("sys"), S("u"), S("secret"), 0, 1000, user,
	    sizeof(user), &found));
}

/* A success with a new password drops the old one. */
static void
test_new_password(void **state)
{
	(void)state;
	put("u", "old");
	put("v", "other");
	put("u", "new");
	assert_true(hit("u", "new"));
	assert_false(hit("u", "old"));
	assert_true(hit("v", "other"));
	assert_int_equal(cache_entries(), 2);
}

static void
test_labels(void **state)
{
	struct credential	 phone = { .refs = 1 }, printer = { .refs = 1 };

	(void)state;
	phone.label = (char *)(uintptr_t)"phone";
	printer.label = (char *)(uintptr_t)"printer";
	cache_put(S("sys"), S("u"), S("a"), S("u"), &phone, 1000);
	cache_put(S("sys"), S("u"), S("b"), S("u"), &printer, 1000);
	assert_true(hit("u", "a"));
	assert_ptr_equal(found, &phone);
	credential_release(found);
	assert_true(hit("u", "b"));
	assert_ptr_equal(found, &printer);
	credential_release(found);
	cache_put(S("sys"), S("u"), S("c"), S("u"), &phone, 1000);
	assert_false(hit("u", "a"));
	assert_true(hit("u", "b"));
	credential_release(found);
	assert_int_equal(cache_flush("u"), 2);
	assert_int_equal(phone.refs, 1);
	assert_int_equal(printer.refs, 1);
}

static void
test_user_of_backend(void **state)
{
	(void)state;
	cache_put(S("sys"), S("Jane"), S("pw"), S("jane@example.org"), NULL,
	    1000);
	assert_true(hit("Jane", "pw"));
	assert_string_equal(user, "jane@example.org");
	/* by either name */
	assert_int_equal(cache_flush("jane@example.org"), 1);
	cache_put(S("sys"), S("Jane"), S("pw"), S("jane@example.org"), NULL,
	    1000);
	assert_int_equal(cache_flush("Jane"), 1);
	assert_int_equal(cache_flush("Jane"), 0);
	assert_false(hit("Jane", "pw"));
	/* a name that does not fit the caller's buffer is no hit */
	put("somebody", "pw");
	assert_false(cache_find(S("sys"), S("somebody"), S("pw"), 60, 1000,
	    user, 4, &found));
}

static void
test_flush_all(void **state)
{
	(void)state;
	put("u", "1");
	put("v", "2");
	put("w", "3");
	assert_int_equal(cache_flush("v"), 1);
	assert_true(hit("u", "1"));
	assert_int_equal(cache_flush(NULL), 2);
	assert_false(hit("u", "1"));
	assert_false(hit("w", "3"));
}

/* The oldest entry gives way. */
static void
test_bounded(void **state)
{
	char		 name[32];
	unsigned int	 i, max;

	(void)state;
	for (i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		put(name, "password");
	}
	max = cache_entries();
	assert_in_range(max, 1000, 39999);
	for (i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		assert_int_equal(hit(name, "password"), i >= 40000 - max);
	}
	assert_int_equal(cache_flush(NULL), max);
}

/* Longer than any name and password may be: no entry, no harm. */
static void
test_long(void **state)
{
	char	 name[256], password[512], giant[4096];

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	memset(giant, 'g', sizeof(giant));
	name[255] = password[511] = giant[4095] = '\0';
	put(name, password);
	assert_true(hit_at("sys", name, password, 1000));
	put("u", giant);
	assert_false(hit("u", giant));
}

/* The memory of secrets is there, zero, and not in a child. */
static void
test_memory(void **state)
{
	bool		 locked;
	uint8_t		*p = secretmem_alloc(10000, &locked);
	int		 status;
	pid_t		 pid;

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[0] | p[9999], 0);
	memcpy(p, "secret", 6);
	if ((pid = fork()) == 0) {	/* zero, or no memory at all */
		signal(SIGSEGV, SIG_DFL);
		_exit(memcmp(p, "secret", 6) == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_hit, fresh),
		cmocka_unit_test_setup(test_time, fresh),
		cmocka_unit_test_setup(test_new_password, fresh),
		cmocka_unit_test_setup(test_labels, fresh),
		cmocka_unit_test_setup(test_user_of_backend, fresh),
		cmocka_unit_test_setup(test_flush_all, fresh),
		cmocka_unit_test_setup(test_bounded, fresh),
		cmocka_unit_test_setup(test_long, fresh),
		cmocka_unit_test_setup(test_memory, fresh)
	};

	log_set_level(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
