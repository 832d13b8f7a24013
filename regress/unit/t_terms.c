/* links: msad/queue/terms.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/*
 * What MAIL asks of time and priority, as transaction.c has it decided: what
 * is granted, what is lowered, what an honest front-end cannot have sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/stats.h"
#include "msad/queue/accept.h"
#include "msad/queue/grant.h"
#include "msad/queue/index.h"
#include "msad/queue/limits.h"
#include "msad/queue/schedule.h"
#include "msad/queue/terms.h"

#define NOW	1795341600	/* 2026-11-22T10:00:00Z */

static struct conf	*conf;
static uint64_t		 pending;
static char		 text[LIMITS_TEXT_MAX];
static uint64_t		 last_id;

struct conf *
child_conf(void)
{
	return conf;
}

time_t
schedule_now(void)
{
	return NOW;
}

uint64_t
accept_future(const char *tenant, const char *user)
{
	return strcmp(user, "ann") == 0 && *tenant == '\0' ? pending : 0;
}

static void
configure(const char *statements)
{
	struct conf	*c;
	char		 buf[512];

	snprintf(buf, sizeof(buf), "hostname h\n%s\n", statements);
	c = conf_parse_text(buf, strlen(buf), "t", stderr);
	assert_non_null(c);
	terms_conf(c);
	conf_free(conf);
	conf = c;
}

/* MAIL of ann; *params is what the envelope gets. */
static enum verdict
mail(const char *asked, uint64_t size, int highest, struct terms *t,
    char *params)
{
	struct grant	g = { .user = (char *)(uintptr_t)"ann",
		.tenant = (char *)(uintptr_t)"" };
	char		*p = strdup(asked);
	enum verdict	 v;

	memset(t, 0, sizeof(*t));
	text[0] = '\0';
	v = terms_mail(t, &p, &g, size, highest, text);
	strlcpy(params, p, PARAMS_TEXT_MAX + 1);
	free(p);
	return v;
}

static bool
possible(const char *asked)
{
	struct mail_params	m;

	assert_true(params_mail_canonical(SLICE_STR(asked), &m));
	return terms_possible(&m);
}

static void
t_R6710_4_1_b(void **state)
{
	static const struct {
		const char	*asked;
		int		 highest;
		bool		 lowered;
		int		 priority;
		const char	*params;
	} table[] = {
		{ "MT-PRIORITY=5", 0, true, 0, "MT-PRIORITY=0" },
		{ "MT-PRIORITY=5", 2, true, 2, "MT-PRIORITY=2" },
		{ "MT-PRIORITY=2", 2, false, 2, "MT-PRIORITY=2" },
		{ "MT-PRIORITY=-9", 0, false, -9, "MT-PRIORITY=-9" },
		{ "MT-PRIORITY=0", 0, false, 0, "MT-PRIORITY=0" },
		{ "", 0, false, 0, "" },
		{ "BODY=8BITMIME SMTPUTF8 RET=hdrs ENVID=a+2Bb BY=60;RT "
		    "HOLDUNTIL=2026-11-22T10:00:30Z MT-PRIORITY=9", 3, true,
		    3, "BODY=8BITMIME SMTPUTF8 RET=hdrs ENVID=a+2Bb "
		    "BY=60;RT HOLDUNTIL=2026-11-22T10:00:30Z MT-PRIORITY=3" },
	};
	struct terms	t;
	char		params[PARAMS_TEXT_MAX + 1];
	size_t		i;

	(void)state;
	configure("");
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(mail(table[i].asked, 0, table[i].highest,
		    &t, params), VERDICT_OK);
		assert_string_equal(params, table[i].params);
		assert_int_equal(t.lowered, table[i].lowered);
		assert_int_equal(t.priority, table[i].priority);
		assert_int_equal(t.has_priority, strstr(params, "MT-") !=
		    NULL);
	}
	terms_detail(&t, text);
	assert_string_equal(text, "3");
}

/* Below the floor, for good or for now; what counts is what was granted. */
static void
t_R6710_4_2_a_floor(void **state)
{
	struct terms	t;
	char		params[PARAMS_TEXT_MAX + 1];

	(void)state;
	configure("mt-priority { floor -4 }");
	assert_int_equal(mail("MT-PRIORITY=-4", 0, 0, &t, params), VERDICT_OK);
	assert_int_equal(mail("MT-PRIORITY=-5", 0, 0, &t, params),
	    VERDICT_PRIORITY_FLOOR);
	assert_string_equal(text, "-4");
	configure("mt-priority { floor 2, below defer }");
	assert_int_equal(mail("MT-PRIORITY=2", 0, 9, &t, params), VERDICT_OK);
	assert_int_equal(mail("MT-PRIORITY=1", 0, 9, &t, params),
	    VERDICT_PRIORITY_LATER);
	assert_string_equal(text, "2");
	assert_int_equal(mail("", 0, 9, &t, params), VERDICT_PRIORITY_LATER);
	assert_int_equal(mail("MT-PRIORITY=9", 0, 1, &t, params),
	    VERDICT_PRIORITY_LATER);
	configure("mt-priority off");
	assert_int_equal(mail("", 0, 9, &t, params), VERDICT_OK);
}

static void
t_R6710_4_2_a_size(void **state)
{
	struct grant	g = { .user = (char *)(uintptr_t)"ann",
		.tenant = (char *)(uintptr_t)"" };
	struct terms	t;
	char		params[PARAMS_TEXT_MAX + 1];

	(void)state;
	configure("mt-priority { size 2K, above 3 }");
	assert_int_equal(mail("MT-PRIORITY=3", 4096, 9, &t, params),
	    VERDICT_OK);
	assert_int_equal(terms_end(&t, &g, 4096, text, sizeof(text)),
	    VERDICT_OK);
	assert_int_equal(mail("MT-PRIORITY=4", 2048, 9, &t, params),
	    VERDICT_OK);
	assert_int_equal(terms_end(&t, &g, 2048, text, sizeof(text)),
	    VERDICT_OK);
	assert_int_equal(terms_end(&t, &g, 2049, text, sizeof(text)),
	    VERDICT_PRIORITY_SIZE);
	assert_string_equal(text, "2048 octets at most above priority 3");
	assert_int_equal(mail("MT-PRIORITY=4", 2049, 9, &t, params),
	    VERDICT_PRIORITY_SIZE);
	/* lowered, it is no longer too big */
	assert_int_equal(mail("MT-PRIORITY=4", 2049, 0, &t, params),
	    VERDICT_OK);
	assert_true(t.lowered);
}

/* R4865-4.2-c, R2852-4-a: never, or by an older configuration, or too late. */
static void
t_possible(void **state)
{
	struct terms	 t;
	struct conf	*next;
	char		 params[PARAMS_TEXT_MAX + 1];

	(void)state;
	configure("future-release { max 1h }");
	configure("future-release { max 1h }\ndeliver-by { min 1m }");
	assert_true(possible("HOLDFOR=3600"));
	assert_false(possible("HOLDFOR=3601"));
	assert_false(possible("BY=60;R HOLDFOR=61"));
	assert_true(possible("BY=59;R"));	/* before the reload */
	assert_int_equal(mail("BY=59;R", 0, 0, &t, params),
	    VERDICT_BAD_PARAMETER);
	configure("future-release off\ndeliver-by { min 1m }");
	assert_false(possible("BY=59;R"));
	assert_true(possible("HOLDFOR=3600"));
	assert_int_equal(mail("HOLDFOR=3600", 0, 0, &t, params),
	    VERDICT_BAD_PARAMETER);
	configure("future-release off");
	assert_false(possible("HOLDFOR=3600"));
	/* a front-end may have the next configuration before the queue */
	assert_non_null(next = conf_parse_text("hostname h\n", 11, "t",
	    stderr));
	terms_prepare(next);
	assert_true(possible("HOLDFOR=3600"));
	assert_int_equal(mail("HOLDFOR=3600", 0, 0, &t, params),
	    VERDICT_BAD_PARAMETER);
	terms_prepare(NULL);
	assert_false(possible("HOLDFOR=3600"));
	conf_free(next);
	configure("");
	configure("");
	/* clocks differ, and time passes on the way */
	assert_true(possible("HOLDUNTIL=2026-11-22T10:00:00Z"));
	assert_int_equal(mail("HOLDUNTIL=2026-11-22T10:00:00Z", 0, 0, &t,
	    params), VERDICT_BAD_PARAMETER);
	assert_int_equal(mail("HOLDUNTIL=2026-11-22T10:00:01Z", 0, 0, &t,
	    params), VERDICT_OK);
	assert_int_equal(terms_release(&t, NOW + 9), NOW + 1);
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params), VERDICT_OK);
	assert_int_equal(terms_release(&t, NOW + 9), NOW + 18);
	assert_int_equal(mail("", 0, 0, &t, params), VERDICT_OK);
	assert_int_equal(terms_release(&t, NOW + 9), 0);
}

/* A message of the user in the queue that waits for that time. */
static struct message *
waiting(const char *user, uint8_t flags, uint64_t until)
{
	struct envelope	 e;
	struct slice	 rcpt = SLICE_STR("b@x.example");
	struct message	*m;
	uint8_t		*buf;
	size_t		 len;

	memset(&e, 0, sizeof(e));
	e.flags = flags;
	e.arrival = NOW - 10;
	e.not_before = until;
	e.user = SLICE_STR(user);
	e.params = SLICE_STR("BY=-20;N MT-PRIORITY=-3");
	assert_non_null(buf = envelope_encode(&e, &rcpt, NULL, 1, &len));
	assert_int_equal(envelope_decode(buf, len, &e), 0);
	assert_non_null(m = message_new(++last_id, 100, &e));
	free(buf);
	index_insert(m);
	return m;
}

static void
t_R4865_6_a(void **state)
{
	struct terms	 t;
	struct grant	 g = { .user = (char *)(uintptr_t)"ann",
		.tenant = (char *)(uintptr_t)"" };
	struct message	*m[5];
	char		 params[PARAMS_TEXT_MAX + 1];
	size_t		 i;

	(void)state;
	configure("future-release { held 3 }");
	m[0] = waiting("ann", ENVELOPE_FUTURE, NOW + 5);
	m[1] = waiting("ann", ENVELOPE_FUTURE, NOW);	/* its time is over */
	m[2] = waiting("ann", ENVELOPE_FUTURE, NOW + 5);
	m[3] = waiting("bob", ENVELOPE_FUTURE, NOW + 5);
	m[4] = waiting("ann", ENVELOPE_HELD, NOW + 5);
	/* R2852-4-a, R6710-4.1-a: what message_new() reads */
	assert_int_equal(m[0]->deliver_by, NOW - 30);
	assert_false(m[0]->by_return);
	assert_int_equal(m[0]->priority, -3);
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params), VERDICT_OK);
	pending = 1;
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params),
	    VERDICT_HELD_QUOTA);
	assert_int_equal(mail("", 0, 0, &t, params), VERDICT_OK);
	pending = 0;
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params), VERDICT_OK);
	waiting("ann", ENVELOPE_FUTURE, NOW + 5);
	assert_int_equal(terms_end(&t, &g, 9, text, sizeof(text)),
	    VERDICT_HELD_QUOTA);
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params),
	    VERDICT_HELD_QUOTA);
	/* an operator lets one go */
	m[0]->not_before = NOW;
	assert_int_equal(mail("HOLDFOR=9", 0, 0, &t, params), VERDICT_OK);
	for (i = 0; i < 5; i++) {
		index_remove(m[i]);
		message_free(m[i]);
	}
	assert_true(index_future_full(SLICE_STR(""), SLICE_STR("ann"), 1,
	    NOW));
	assert_false(index_future_full(SLICE_STR(""), SLICE_STR("ann"), 2,
	    NOW));
	/* nor of ann of a tenant */
	assert_false(index_future_full(SLICE_STR("acme"), SLICE_STR("ann"), 1,
	    NOW));
	assert_false(index_future_full(SLICE_STR(""), SLICE_STR("bob"), 1,
	    NOW));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_R6710_4_1_b),
		cmocka_unit_test(t_R6710_4_2_a_floor),
		cmocka_unit_test(t_R6710_4_2_a_size),
		cmocka_unit_test(t_possible),
		cmocka_unit_test(t_R4865_6_a),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
