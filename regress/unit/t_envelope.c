/* links: msad/queue/envelope.c msad/queue/index*.c */
/* links: msad/queue/blob.c */
/*
 * The blobs the queue keeps in the spool: what is written is read back, what is
 * cut or changed is refused or stays in bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/params.h"
#include "msad/queue/index.h"

static uint8_t *
sample(size_t *len)
{
	struct envelope	e = { .flags = ENVELOPE_8BITMIME, .arrival = 1700000000,
		.not_before = 1800000000,
		.epoch = 5, .sid = UINT64_C(0x8000000000000007),
		.client = SLICE_STR("192.0.2.7"),
		.header_len = 321, .user = SLICE_STR("ann"),
		.tenant = SLICE_STR("acme"), .auth = SLICE_STR("sys"),
		.mech = SLICE_STR("PLAIN"), .relay = SLICE_STR("smart"),
		.sender = SLICE_STR("ann@example.org"),
		.msgid = SLICE_STR("<1@x>"),
		.params = SLICE_STR("BODY=8BITMIME RET=hdrs ENVID=a+2Bb") };
	struct slice	rcpts[] = { SLICE_STR("a@x.example"),
		SLICE_STR("bb@y.example") };
	struct slice	params[] = { SLICE_STR("NOTIFY=NEVER"),
		SLICE_STR("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bb@y.example") };

	return envelope_encode(&e, rcpts, params, 2, len);
}

static void
round_trip(void **state)
{
	struct envelope	 e;
	struct message	*m;
	struct slice	 s, t;
	size_t		 len;
	uint8_t		*p;

	(void)state;
	assert_non_null(p = sample(&len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_int_equal(e.flags, ENVELOPE_8BITMIME);
	assert_int_equal(e.arrival, 1700000000);
	assert_int_equal(e.not_before, 1800000000);
	assert_int_equal(e.header_len, 321);
	assert_int_equal(e.epoch, 5);
	assert_true(e.sid == UINT64_C(0x8000000000000007));
	assert_true(slice_is(e.client, "192.0.2.7"));
	assert_true(slice_is(e.sender, "ann@example.org"));
	assert_int_equal(e.nrcpts, 2);
	assert_non_null(m = message_new(77, 5000, &e));
	assert_int_equal(envelope_rcpt(&e, &s, &t), 1);
	assert_true(slice_is(s, "a@x.example"));
	assert_true(slice_is(t, "NOTIFY=NEVER"));
	assert_int_equal(envelope_rcpt(&e, &s, &t), 1);
	assert_true(slice_is(s, "bb@y.example"));
	assert_int_equal(envelope_rcpt(&e, &s, &t), 0);
	free(p);
	assert_int_equal(m->not_before, 1800000000);
	assert_string_equal(message_user(m), "ann");
	assert_string_equal(message_tenant(m), "acme");
	assert_string_equal(message_auth(m), "sys");
	assert_string_equal(message_mech(m), "PLAIN");
	assert_string_equal(message_relay(m), "smart");
	assert_string_equal(message_sender(m), "ann@example.org");
	assert_string_equal(message_msgid(m), "<1@x>");
	assert_string_equal(message_rcpt(m, 0), "a@x.example");
	assert_string_equal(message_rcpt(m, 1), "bb@y.example");
	assert_int_equal(m->rcpts[0].notify, NOTIFY_NEVER);
	assert_int_equal(m->rcpts[1].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_int_equal(m->nleft, 2);
	message_set_status(m, 0, RCPT_INFLIGHT);
	assert_int_equal(m->nbusy, 1);
	message_set_status(m, 0, RCPT_DONE);
	assert_int_equal(m->nbusy, 0);
	assert_int_equal(m->nleft, 1);
	message_free(m);
}

static void
cut_anywhere_is_refused(void **state)
{
	struct envelope	 e;
	size_t		 len, i;
	uint8_t		*p, *cut;

	(void)state;
	assert_non_null(p = sample(&len));
	for (i = 0; i < len; i++) {
		assert_non_null(cut = malloc(i + 1));
		memcpy(cut, p, i);
		assert_int_equal(envelope_decode(cut, i, &e), -1);
		free(cut);
	}
	assert_non_null(cut = malloc(len + 1));
	memcpy(cut, p, len);
	cut[len] = 0;
	assert_int_equal(envelope_decode(cut, len + 1, &e), -1);
	cut[0] = ENVELOPE_VERSION + 1;
	assert_int_equal(envelope_decode(cut, len, &e), -1);
	free(cut);
	free(p);
}

/* What version 1 wrote is read: no parameters, no flags. */
static void
version_one(void **state)
{
	static const char	old[] = "\1\0" "\0\0\0\0\0\0\0\5" "\0\0\0\11"
	    "\0\1u" "\0\0" "\0\0" "\0\0" "\0\1r" "\0\0" "\0\0"
	    "\0\0\0\2" "\0\3a@x" "\0\3b@x";
	static const char	state_old[] = "\1\3" "\2\46" "\0\0\0\1"
	    "\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\2" "\0\0" "\0\0"
	    "\0\2no";
	struct rcpt_record	r;
	struct envelope		e;
	struct message		*m;

	(void)state;
	assert_int_equal(envelope_decode(old, sizeof(old) - 1, &e), 0);
	assert_int_equal(e.version, 1);
	assert_int_equal(e.params.len, 0);
	assert_non_null(m = message_new(1, 1, &e));
	assert_string_equal(message_rcpt(m, 1), "b@x");
	assert_int_equal(m->rcpts[1].notify, 0);
	message_free(m);
	assert_int_equal(rcpt_record_decode(state_old, sizeof(state_old) - 1,
	    &r), 0);
	assert_int_equal(r.code, 550);
	assert_int_equal(r.flags, 0);
	assert_true(slice_is(r.reply, "no"));
}

/* What version 2 wrote is read: parameters, but no time to wait for. */
static void
version_two(void **state)
{
	static const char	old[] = "\2\0" "\0\0\0\0\0\0\0\5" "\0\0\0\11"
	    "\0\1u" "\0\0" "\0\0" "\0\0" "\0\1r" "\0\0" "\0\0"
	    "\0\10RET=FULL" "\0\0\0\1" "\0\3a@x" "\0\14NOTIFY=NEVER";
	struct envelope		e;
	struct message		*m;

	(void)state;
	assert_int_equal(envelope_decode(old, sizeof(old) - 1, &e), 0);
	assert_int_equal(e.version, 2);
	assert_int_equal(e.header_len, 9);
	assert_int_equal(e.not_before, 0);
	assert_true(slice_is(e.params, "RET=FULL"));
	assert_non_null(m = message_new(1, 1, &e));
	assert_int_equal(m->not_before, 0);
	assert_int_equal(m->rcpts[0].notify, NOTIFY_NEVER);
	message_free(m);
}

/* What version 3 wrote is read: but not where it came from. */
static void
version_three(void **state)
{
	static const char	old[] = "\3\0" "\0\0\0\0\0\0\0\5"
	    "\0\0\0\0\0\0\0\6" "\0\0\0\11"
	    "\0\1u" "\0\0" "\0\0" "\0\0" "\0\1r" "\0\0" "\0\0"
	    "\0\10RET=FULL" "\0\0\0\1" "\0\3a@x" "\0\0";
	struct envelope		e;

	(void)state;
	assert_int_equal(envelope_decode(old, sizeof(old) - 1, &e), 0);
	assert_int_equal(e.version, 3);
	assert_int_equal(e.not_before, 6);
	assert_int_equal(e.header_len, 9);
	assert_int_equal(e.sid, 0);
	assert_int_equal(e.client.len, 0);
	assert_true(slice_is(e.params, "RET=FULL"));
}

/* Parameters of the disk are parsed again, as those of a client. */
static void
false_parameters(void **state)
{
	static const char *const	bad[] = { "RET=BOTH", "NOTIFY=NEVER",
		"ret=FULL", " RET=FULL", "RET=FULL ", "SIZE=1", "ENVID=a+0D",
		"ENVID=a RET=FULL" };
	struct slice			rcpt = SLICE_STR("a@x.example");
	struct envelope			e = { .user = SLICE_STR("u") }, d;
	struct slice			p;
	size_t				i, len;
	uint8_t				*buf;

	(void)state;
	e.relay = e.user;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.params = SLICE_STR(bad[i]);
		assert_non_null(buf = envelope_encode(&e, &rcpt, NULL, 1,
		    &len));
		assert_int_equal(envelope_decode(buf, len, &d), -1);
		free(buf);
	}
	e.params = SLICE("", 0);
	for (i = 0; i < 2; i++) {
		p = SLICE_STR(i == 0 ? "NOTIFY=SUCCESS" : "NOTIFY=NEVER,DELAY");
		assert_non_null(buf = envelope_encode(&e, &rcpt, &p, 1, &len));
		assert_int_equal(envelope_decode(buf, len, &d), i == 0 ? 0 :
		    -1);
		free(buf);
	}
}

static void
bounds_of_writing(void **state)
{
	static char	long_path[ENVELOPE_PATH_MAX + 1];
	static struct slice many[ENVELOPE_RCPTS_MAX + 1];
	struct envelope	e = { .user = SLICE_STR("u"), .relay = SLICE_STR("r"),
		.tenant = SLICE_STR(""), .auth = SLICE_STR(""),
		.mech = SLICE_STR(""), .sender = SLICE_STR(""),
		.msgid = SLICE_STR("") };
	size_t		len, i;
	uint8_t		*p;

	(void)state;
	memset(long_path, 'x', sizeof(long_path));
	for (i = 0; i <= ENVELOPE_RCPTS_MAX; i++)
		many[i] = SLICE(long_path, ENVELOPE_PATH_MAX);
	assert_non_null(p = envelope_encode(&e, many, NULL, ENVELOPE_RCPTS_MAX,
	    &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	free(p);
	assert_null(envelope_encode(&e, many, NULL, ENVELOPE_RCPTS_MAX + 1,
	    &len));
	assert_null(envelope_encode(&e, many, NULL, 0, &len));
	many[3].len++;
	assert_null(envelope_encode(&e, many, NULL, 10, &len));
	many[3].len = 0;
	assert_null(envelope_encode(&e, many, NULL, 10, &len));
}

static void
recipient_states(void **state)
{
	struct rcpt_record	s = { RCPT_FAILED, 550, 3, 1, 2,
		SLICE_STR("5.1.1"), SLICE_STR("mx.example"),
		SLICE_STR("no such user"), RCPT_WARNED }, t;
	static char		text[2 * RCPT_REPLY_MAX];
	uint8_t			buf[RCPT_RECORD_MAX];
	size_t			len, i;

	(void)state;
	len = rcpt_record_encode(&s, buf);
	assert_int_equal(rcpt_record_decode(buf, len, &t), 0);
	assert_int_equal(t.status, RCPT_FAILED);
	assert_int_equal(t.code, 550);
	assert_int_equal(t.tries, 3);
	assert_int_equal(t.next, 1);
	assert_int_equal(t.last, 2);
	assert_true(slice_is(t.reply, "no such user"));
	assert_int_equal(t.flags, RCPT_WARNED);
	for (i = 0; i < len; i++)
		assert_int_equal(rcpt_record_decode(buf, i, &t), -1);
	buf[1] = RCPT_INFLIGHT;
	assert_int_equal(rcpt_record_decode(buf, len, &t), -1);
	memset(text, 'y', sizeof(text));
	s.reply = s.remote = s.enhanced = SLICE(text, sizeof(text));
	len = rcpt_record_encode(&s, buf);
	assert_true(len <= sizeof(buf));
	assert_int_equal(rcpt_record_decode(buf, len, &t), 0);
	assert_int_equal(t.reply.len, RCPT_REPLY_MAX);
}

/* What operators did to a message: as written, cut anywhere, and of old. */
static void
marks(void **state)
{
	struct mark_record	 r = { MARK_STOPPED | MARK_RELEASED,
		UINT64_C(0x0102030405060708), SLICE_STR("other") }, t;
	uint8_t			 buf[MARK_RECORD_MAX + 1] = "";
	size_t			 i, len = mark_record_encode(&r, buf);

	(void)state;
	assert_int_equal(mark_record_decode(buf, len, &t), 0);
	assert_int_equal(t.flags, r.flags);
	assert_true(t.not_before == r.not_before);
	assert_int_equal(t.relay.len, 5);
	assert_memory_equal(t.relay.p, "other", 5);
	for (i = 0; i <= len + 1; i++)
		if (i != len)
			assert_int_equal(mark_record_decode(buf, i, &t), -1);
	buf[1] = MARK_FLAGS + 1;
	assert_int_equal(mark_record_decode(buf, len, &t), -1);
	buf[1] = 0;
	buf[0] = MARK_RECORD_VERSION + 1;
	assert_int_equal(mark_record_decode(buf, len, &t), -1);
	/* a release as version 1 has it: a time alone */
	assert_int_equal(mark_record_decode("\1\0\0\0\0\0\0\0\7", 9, &t), 0);
	assert_int_equal(t.flags, MARK_RELEASED);
	assert_true(t.not_before == 7 && t.relay.len == 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(cut_anywhere_is_refused),
		cmocka_unit_test(version_one),
		cmocka_unit_test(version_two),
		cmocka_unit_test(version_three),
		cmocka_unit_test(false_parameters),
		cmocka_unit_test(bounds_of_writing),
		cmocka_unit_test(recipient_states),
		cmocka_unit_test(marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
