/* Logins before the workers of PAM: whose turn it is, and who gives way. */
/* links: msad/auth/waiting.c */

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "msad/auth/waiting.h"

#define CONFIG(auths)							\
	"hostname h\npki m { cert \"/c\" key \"/k\" }\n" auths

static struct pam_job	*all[4096];
static unsigned int	 nall;

static void
configure(const char *text)
{
	struct conf	*conf;

	conf = conf_parse_text(text, strlen(text), "t", stderr);
	assert_non_null(conf);
	assert_int_equal(waiting_configure(conf), 0);
	conf_free(conf);
}

static struct pam_job *
job(const char *service, const char *rhost)
{
	struct pam_job	*j = calloc(1, sizeof(*j));

	assert_non_null(j);
	assert_true(nall < sizeof(all) / sizeof(all[0]));
	j->service = waiting_service(service, false);
	assert_non_null(j->service);
	j->rhost = strdup(rhost);
	j->since = nall;
	return all[nall++] = j;
}

static struct pam_job *
add(const char *service, const char *rhost)
{
	struct pam_job	*j = job(service, rhost);

	assert_null(waiting_add(j, 1000));
	return j;
}

static int
teardown(void **state)
{
	struct pam_job	*j;
	unsigned int	 i;

	(void)state;
	while ((j = waiting_any()) != NULL)
		;
	assert_int_equal(waiting_count(), 0);
	for (i = 0; i < nall; i++) {
		all[i]->service->running = 0;
		free(all[i]->rhost);
	}
	for (i = 0; i < nall; i++) {
		waiting_release(all[i]->service);
		free(all[i]);
	}
	nall = 0;
	configure(CONFIG(""));
	return 0;
}

/* Services take turns, clients within each, and each client's by time. */
static void
turns(void **state)
{
	struct pam_job	*a1, *a2, *a3, *b1, *c1;

	(void)state;
	a1 = add("x", "192.0.2.1");
	a2 = add("x", "192.0.2.1");
	a3 = add("x", "192.0.2.1");
	b1 = add("x", "192.0.2.2");
	c1 = add("y", "192.0.2.1");
	assert_ptr_equal(waiting_next(9), a1);
	assert_ptr_equal(waiting_next(9), c1);
	assert_ptr_equal(waiting_next(9), b1);
	assert_ptr_equal(waiting_next(9), a2);
	assert_ptr_equal(waiting_next(9), a3);
	assert_null(waiting_next(9));
	assert_int_equal(a1->service->running, 4);
}

/* An IPv6 network of 64 bits is one client; an IPv4 address in IPv6 IPv4. */
static void
clients(void **state)
{
	struct pam_job	*a1, *a2, *b1, *c1, *c2;

	(void)state;
	a1 = add("x", "2001:db8::1");
	a2 = add("x", "2001:db8::ffff:2");
	b1 = add("x", "2001:db8:0:1::1");
	c1 = add("x", "::ffff:192.0.2.1");
	c2 = add("x", "192.0.2.1");
	assert_ptr_equal(waiting_next(9), a1);
	assert_ptr_equal(waiting_next(9), b1);
	assert_ptr_equal(waiting_next(9), c1);
	assert_ptr_equal(waiting_next(9), a2);
	assert_ptr_equal(waiting_next(9), c2);
}

/* A service has so many workers and no more; others are served meanwhile. */
static void
caps(void **state)
{
	struct pam_job	*b;
	unsigned int	 i;
	int64_t		 since;

	(void)state;
	configure(CONFIG("auth workers { max 10 }\n"
	    "auth a { pam service x limit 5 }\n"
	    "auth b { pam service x limit 3 }\nauth c { pam service y }\n"
	    "auth d { pam service z limit 200 }\n"));
	assert_int_equal(add("x", "192.0.2.1")->service->limit, 3);
	assert_int_equal(add("z", "192.0.2.1")->service->limit, 10);
	assert_non_null(waiting_next(9));
	assert_non_null(waiting_next(9));
	for (i = 0; i < 9; i++)
		(void)add("x", "192.0.2.1");
	assert_non_null(waiting_next(9));
	assert_non_null(waiting_next(9));
	assert_null(waiting_next(9));
	/* what waits for its cap alone asks for no more workers */
	assert_false(waiting_oldest(&since));
	b = add("y", "192.0.2.1");
	assert_int_equal(b->service->limit, 5);
	assert_true(waiting_oldest(&since));
	assert_int_equal(since, b->since);
	assert_ptr_equal(waiting_next(9), b);
	assert_null(waiting_next(9));
	waiting_ran(all[0]->service);
	assert_non_null(waiting_next(9));
	assert_null(waiting_next(9));
}

/* The last idle worker is for a service that has none. */
static void
reserve(void **state)
{
	struct pam_job	*b;
	int64_t		 since;

	(void)state;
	configure(CONFIG("auth a { pam service x }\n"
	    "auth b { pam service y }\n"));
	(void)add("x", "192.0.2.1");
	(void)add("x", "192.0.2.2");
	assert_null(waiting_next(0));
	assert_non_null(waiting_next(1));
	assert_null(waiting_next(1));
	/* that is want of a worker */
	assert_true(waiting_oldest(&since));
	b = add("y", "192.0.2.1");
	assert_ptr_equal(waiting_next(1), b);
	assert_non_null(waiting_next(2));
	/* where there is no other service, there is nothing to keep it for */
	configure(CONFIG("auth a { pam service x cache off }\n"));
	(void)add("x", "192.0.2.1");
	assert_non_null(waiting_next(1));
	/* but with a cache there are the checks of accounts */
	configure(CONFIG("auth a { pam service x }\n"));
	(void)add("x", "192.0.2.1");
	assert_null(waiting_next(1));
}

/* When no more may wait, whoever has most waiting gives way. */
static void
overflow(void **state)
{
	struct pam_job	*j, *last = NULL;
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 10; i++) {
		last = job("x", "192.0.2.1");
		assert_null(waiting_add(last, 10));
	}
	j = job("x", "192.0.2.1");
	assert_ptr_equal(waiting_add(j, 10), j);
	/* another client, another service: the newest of the many goes */
	assert_ptr_equal(waiting_add(job("x", "192.0.2.2"), 10), last);
	assert_ptr_equal(waiting_add(job("y", "192.0.2.1"), 10), all[8]);
	assert_int_equal(waiting_count(), 10);
	/* until it is no longer unfair */
	for (i = 0; i < 100; i++)
		(void)waiting_add(job("x", "192.0.2.2"), 10);
	assert_int_equal(waiting_count(), 10);
	for (i = 0; i < 100; i++) {
		char	 host[32];

		snprintf(host, sizeof(host), "198.51.100.%u", i);
		(void)waiting_add(job("x", host), 10);
	}
	assert_int_equal(waiting_count(), 10);
	assert_int_equal(all[12]->service->nwaiting, 1);	/* y's */
}

/* One whose worker died is first again. */
static void
again(void **state)
{
	struct pam_job	*a;

	(void)state;
	a = add("x", "192.0.2.1");
	(void)add("x", "192.0.2.2");
	(void)add("x", "192.0.2.1");
	assert_ptr_equal(waiting_next(9), a);
	waiting_ran(a->service);
	assert_int_equal(waiting_again(a), 0);
	assert_ptr_equal(waiting_next(9), a);
}

static void
late(void **state)
{
	struct pam_job	*a, *b, *c;

	(void)state;
	a = add("x", "192.0.2.1");
	b = add("y", "192.0.2.2");
	c = add("x", "192.0.2.1");
	assert_null(waiting_late(0));
	assert_ptr_equal(waiting_late(1), a);
	assert_null(waiting_late(1));
	assert_ptr_equal(waiting_late(2), b);
	assert_ptr_equal(waiting_late(3), c);
	assert_int_equal(waiting_count(), 0);
}

/* A reload: a service that is gone keeps what it has, to its end. */
static void
reload(void **state)
{
	struct pam_job	*a, *b;

	(void)state;
	configure(CONFIG("auth workers { max 20 }\n"
	    "auth a { pam service x limit 2 }\nauth b { pam service y }\n"));
	a = add("x", "192.0.2.1");
	b = add("x", "192.0.2.1");
	assert_ptr_equal(waiting_next(9), a);
	configure(CONFIG("auth workers { max 8 }\n"
	    "auth b { pam service y }\nauth c { pam service z limit 4 }\n"));
	assert_int_equal(a->service->limit, 4);
	assert_ptr_equal(waiting_next(9), b);
	assert_int_equal(a->service->running, 2);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_teardown(turns, teardown),
		cmocka_unit_test_teardown(clients, teardown),
		cmocka_unit_test_teardown(caps, teardown),
		cmocka_unit_test_teardown(reserve, teardown),
		cmocka_unit_test_teardown(overflow, teardown),
		cmocka_unit_test_teardown(again, teardown),
		cmocka_unit_test_teardown(late, teardown),
		cmocka_unit_test_teardown(reload, teardown)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
