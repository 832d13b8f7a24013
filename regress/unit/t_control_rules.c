/* links: msad/queue/control_rules.c msad/queue/blob.c */
/*
 * Questions of msad-control on rules, pauses, a message's octets and history:
 * what is read of them, that nothing is answered before it is durable, and that
 * one cut anywhere is refused. All around is played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/blob.h"
#include "msad/queue/control.h"
#include "msad/queue/control_rules.h"
#include "msad/queue/history.h"
#include "msad/queue/pause.h"
#include "msad/queue/peers.h"
#include "msad/queue/rules.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"

#define NOW	1000000
#define SID	77

static struct peer	 peer = { .epoch = 9 };
static bool		 may, peer_is_there;
static kept_done	 done;		/* of what waits for the disk */
static void		*done_arg;
static const char	*refusal;	/* of rules_add() and so on */
static uint32_t		 found;

/* What was answered. */
static unsigned int	 nends, nmessages;
static enum ctl_status	 status;
static uint32_t		 matched;
static uint64_t		 next;
static char		 reason[256];
static size_t		 octets;	/* of bytes put */

/* --- the channel --- */

void
ipc_start(struct ipc *ch, unsigned int type, uint64_t sid)
{
	(void)ch;
	assert_true(type == IPC_CTL_RULE || type == IPC_CTL_PAUSED ||
	    type == IPC_CTL_QUEUE_EVENT || type == IPC_CTL_QUEUE_OCTETS);
	assert_int_equal(sid, SID);
}

void
ipc_put_u8(struct ipc *ch, uint8_t v)
{
	(void)ch;
	(void)v;
}

void
ipc_put_u32(struct ipc *ch, uint32_t v)
{
	(void)ch;
	(void)v;
}

void
ipc_put_u64(struct ipc *ch, uint64_t v)
{
	(void)ch;
	(void)v;
}

void
ipc_put_str(struct ipc *ch, const char *s)
{
	(void)ch;
	(void)s;
}

void
ipc_put_slice(struct ipc *ch, struct slice s)
{
	(void)ch;
	assert_true(s.len <= 2000);
}

void
ipc_put_bytes(struct ipc *ch, const void *p, size_t n)
{
	(void)ch;
	(void)p;
	assert_true(n > 0 && n <= IPC_PIECE_MAX);
	octets += n;
}

void
ipc_send(struct ipc *ch)
{
	(void)ch;
	nmessages++;
}

size_t
ipc_pending(const struct ipc *ch)
{
	(void)ch;
	return octets;
}

/* --- control.c, peers.c, schedule.c --- */

uint32_t
control_uid(const struct ipc_reader *r)
{
	struct ipc_reader	copy = *r;

	return ipc_get_u32(&copy);
}

bool
control_caller(struct ipc_reader *r)
{
	ipc_get_u32(r);
	if (ipc_get_u16(r) != 0)
		r->bad = 1;
	return may;
}

bool
control_admit(struct ipc *ch, uint64_t sid, bool is)
{
	(void)ch;
	assert_int_equal(sid, SID);
	nends += !is;
	return is;
}

void
control_end(struct ipc *ch, uint64_t sid, enum ctl_status s, uint32_t m,
    uint64_t n, const char *why)
{
	(void)ch;
	assert_int_equal(sid, SID);
	nends++;
	status = s;
	matched = m;
	next = n;
	strlcpy(reason, why, sizeof(reason));
}

struct peer *
peers_find(enum ipc_role role, uint64_t epoch)
{
	assert_int_equal(role, ROLE_CONTROL);
	assert_int_equal(epoch, 9);
	return peer_is_there ? &peer : NULL;
}

time_t
schedule_now(void)
{
	return NOW;
}

void
schedule_run(time_t now)
{
	assert_int_equal(now, NOW);
}

/* --- rules and pauses --- */

static struct rule_record	rule;
static struct pause_record	paused;
static char			name[64];

const char *
rules_add(const struct rule_record *r, kept_done fn, void *arg,
    uint32_t *number)
{
	rule = *r;
	snprintf(name, sizeof(name), "%.*s %.*s", SLICE_FMT(r->reason),
	    SLICE_FMT(r->selection));
	done = fn;
	done_arg = arg;
	*number = 42;
	return refusal;
}

const char *
rules_remove(uint32_t number, uint32_t uid, kept_done fn, void *arg,
    uint32_t *n)
{
	rule.number = number;
	rule.uid = uid;
	done = fn;
	done_arg = arg;
	*n = found;
	return refusal;
}

uint32_t
rules_each(void (*fn)(void *, const struct rule_record *, uint64_t hits),
    void *arg)
{
	fn(arg, &rule, 5);
	fn(arg, &rule, 5);
	return 2;
}

static const char *
take_pause(const struct pause_record *r, kept_done fn, void *arg)
{
	paused = *r;
	snprintf(name, sizeof(name), "%.*s", SLICE_FMT(r->name));
	done = fn;
	done_arg = arg;
	return refusal;
}

const char *
pause_add(const struct pause_record *r, kept_done fn, void *arg)
{
	return take_pause(r, fn, arg);
}

const char *
pause_remove(enum pause_kind kind, struct slice what, uint32_t uid,
    kept_done fn, void *arg, uint32_t *n)
{
	struct pause_record	r = { .kind = kind, .uid = uid, .name = what };

	*n = found;
	return take_pause(&r, fn, arg);
}

uint32_t
pause_each(void (*fn)(void *, const struct pause_record *), void *arg)
{
	fn(arg, &paused);
	return 1;
}

/* --- one message --- */

static uint64_t		 size;		/* of the one there is */
static enum spool_result result, verified;

unsigned int
history_each(uint64_t id, void (*fn)(void *, time_t, const char *event,
    const char *text), void *arg)
{
	static char	text[5000];

	if (id != UINT64_C(0x7000001))
		return 0;
	memset(text, 'x', sizeof(text) - 1);
	fn(arg, NOW, "accepted", text);
	return 1;
}

enum spool_result
spool_content_open(struct spool *sp, uint64_t id, struct spool_content *c)
{
	(void)sp;
	memset(c, 0, sizeof(*c));
	c->prefixlen = 100;
	c->bodylen = size - 100;
	return id == UINT64_C(0x7000001) ? result : SPOOL_NOENT;
}

enum spool_result
spool_content_verify(const struct spool_content *c)
{
	(void)c;
	return verified;
}

ssize_t
spool_content_read(const struct spool_content *c, uint64_t off, void *p,
    size_t len)
{
	(void)c;
	if (len > size - off)
		len = (size_t)(size - off);
	memset(p, 'x', len);
	return (ssize_t)len;
}

void
spool_content_close(struct spool_content *c)
{
	(void)c;
}

const char *
spool_result_name(enum spool_result r)
{
	return r == SPOOL_CORRUPT ? "damaged" : "other";
}

/* --- tests --- */

static uint8_t			buf[1024];
static struct blob_writer	w;

/* A question of uid 7. */
static void
begin(void)
{
	w = (struct blob_writer){ buf, 0, sizeof(buf) };
	blob_put(&w, 7, 4);
	blob_put(&w, 0, 2);
}

typedef int	(*handler)(struct ipc *, struct ipc_msg *, void *);

static int
ask(handler fn)
{
	struct ipc_msg	msg = { .sid = SID, .data = buf, .len = w.len,
		.fd = -1 };
	uint8_t		*cut;
	size_t		 i;

	/* cut anywhere, or with an octet more, it is refused */
	for (i = 0; i < w.len; i++) {
		assert_non_null(cut = malloc(i + 1));
		memcpy(cut, buf, i);
		msg.data = cut;
		msg.len = i;
		assert_int_equal(fn(NULL, &msg, &peer), -1);
		free(cut);
	}
	msg.data = buf;
	msg.len = w.len + 1;
	buf[w.len] = 0;
	assert_int_equal(fn(NULL, &msg, &peer), -1);
	assert_int_equal(nends, 0);
	msg.len = w.len;
	return fn(NULL, &msg, &peer);
}

static int
setup(void **state)
{
	(void)state;
	may = peer_is_there = true;
	refusal = NULL;
	done = NULL;
	found = 1;
	nends = nmessages = 0;
	octets = 0;
	result = verified = SPOOL_OK;
	size = 1000;
	return 0;
}

static void
put_rule(uint8_t action)
{
	begin();
	blob_put(&w, action, 1);
	blob_put(&w, 60, 4);
	blob_put_str(&w, SLICE_STR("why"));
	blob_put_str(&w, SLICE_STR("user ann"));
}

static void
adding_a_rule(void **state)
{
	(void)state;
	put_rule(RULE_REJECT);
	assert_int_equal(ask(control_rule_add), 0);
	assert_int_equal(rule.action, RULE_REJECT);
	assert_int_equal(rule.uid, 7);
	assert_int_equal(rule.since, NOW);
	assert_int_equal(rule.until, NOW + 60);
	assert_string_equal(name, "why user ann");
	/* P8: no answer before it is durable */
	assert_int_equal(nends, 0);
	done(done_arg, NULL);
	assert_int_equal(nends, 1);
	assert_int_equal(status, CTL_OK);
	assert_int_equal(matched, 1);
	assert_int_equal(next, 42);
	put_rule(0);
	nends = 0;
	assert_int_equal(ask(control_rule_add), -1);
	put_rule(RULE_REJECT + 1);
	assert_int_equal(ask(control_rule_add), -1);
}

static void
refused(void **state)
{
	(void)state;
	put_rule(RULE_HOLD);
	refusal = "no";
	assert_int_equal(ask(control_rule_add), 0);
	assert_int_equal(status, CTL_ERROR);
	assert_string_equal(reason, "no");
	/* the disk does not take it */
	refusal = NULL;
	nends = 0;
	assert_int_equal(ask(control_rule_add), 0);
	done(done_arg, "the disk failed");
	assert_int_equal(status, CTL_ERROR);
	assert_string_equal(reason, "the disk failed");
	assert_int_equal(matched, 0);
	/* who asked is gone meanwhile */
	nends = 0;
	assert_int_equal(ask(control_rule_add), 0);
	peer_is_there = false;
	done(done_arg, NULL);
	assert_int_equal(nends, 0);
	/* who may not */
	may = false;
	rule.uid = 0;
	assert_int_equal(ask(control_rule_add), 0);
	assert_int_equal(nends, 1);
	assert_int_equal(rule.uid, 0);
}

static void
removing_rules(void **state)
{
	(void)state;
	begin();
	blob_put(&w, 3, 4);
	found = 2;
	assert_int_equal(ask(control_rule_remove), 0);
	assert_int_equal(rule.number, 3);
	assert_int_equal(rule.uid, 7);
	assert_int_equal(nends, 0);
	done(done_arg, NULL);
	assert_int_equal(status, CTL_OK);
	assert_int_equal(matched, 2);
	nends = 0;
	found = 0;
	assert_int_equal(ask(control_rule_remove), 0);
	assert_int_equal(status, CTL_NO_MATCH);
}

static void
put_pause(uint8_t on, uint8_t kind)
{
	begin();
	blob_put(&w, on, 1);
	blob_put(&w, kind, 1);
	blob_put(&w, 0, 4);
	blob_put_str(&w, SLICE_STR("acme"));
}

static void
pausing(void **state)
{
	(void)state;
	put_pause(1, PAUSE_TENANT);
	assert_int_equal(ask(control_pause), 0);
	assert_int_equal(paused.kind, PAUSE_TENANT);
	assert_int_equal(paused.uid, 7);
	assert_int_equal(paused.since, NOW);
	assert_int_equal(paused.until, 0);
	assert_string_equal(name, "acme");
	assert_int_equal(nends, 0);
	done(done_arg, NULL);
	assert_int_equal(status, CTL_OK);
	nends = 0;
	put_pause(0, PAUSE_RELAY);
	found = 3;
	assert_int_equal(ask(control_pause), 0);
	done(done_arg, NULL);
	assert_int_equal(matched, 3);
	nends = 0;
	found = 0;
	assert_int_equal(ask(control_pause), 0);
	assert_int_equal(status, CTL_NO_MATCH);
	nends = 0;
	put_pause(2, PAUSE_RELAY);
	assert_int_equal(ask(control_pause), -1);
	put_pause(1, PAUSE_KINDS);
	assert_int_equal(ask(control_pause), -1);
}

static void
lists(void **state)
{
	(void)state;
	begin();
	assert_int_equal(ask(control_rules), 0);
	assert_int_equal(nmessages, 2);
	assert_int_equal(matched, 2);
	nends = 0;
	assert_int_equal(ask(control_pauses), 0);
	assert_int_equal(nmessages, 3);
	nends = 0;
	may = false;
	assert_int_equal(ask(control_rules), 0);
	assert_int_equal(nmessages, 3);
}

static void
put_id(uint64_t id)
{
	begin();
	blob_put(&w, id, 8);
}

static void
history(void **state)
{
	(void)state;
	put_id(UINT64_C(0x7000001));
	assert_int_equal(ask(control_log), 0);
	assert_int_equal(nmessages, 1);
	assert_int_equal(status, CTL_OK);
	nends = 0;
	put_id(UINT64_C(0x7000002));
	assert_int_equal(ask(control_log), 0);
	assert_int_equal(status, CTL_NO_MATCH);
}

static void
octets_of(uint64_t id, uint64_t offset)
{
	nends = 0;
	octets = 0;
	put_id(id);
	blob_put(&w, offset, 8);
	assert_int_equal(ask(control_cat), 0);
	assert_int_equal(nends, 1);
}

static void
cat(void **state)
{
	const uint64_t	id = UINT64_C(0x7000001);
	uint64_t	sum = 0, pages = 0;

	(void)state;
	octets_of(id, 0);
	assert_int_equal(status, CTL_OK);
	assert_int_equal(octets, 1000);
	assert_int_equal(next, 0);
	/* in pages, none too long */
	size = 5000000;
	do {
		octets_of(id, sum);
		assert_int_equal(status, CTL_OK);
		assert_true(octets > 0 && octets < 300000);
		sum += octets;
		pages++;
	} while (next != 0);
	assert_int_equal(sum, size);
	assert_true(pages < 25);
	octets_of(id, size + 5);
	assert_int_equal(status, CTL_OK);
	assert_int_equal(octets, 0);
	octets_of(id + 1, 0);
	assert_int_equal(status, CTL_NO_MATCH);
	octets_of(0x2000, 0);		/* a register is no message */
	assert_int_equal(status, CTL_NO_MATCH);
	verified = SPOOL_CORRUPT;
	octets_of(id, 0);
	assert_int_equal(status, CTL_ERROR);
	assert_string_equal(reason, "the message cannot be read: damaged");
	assert_int_equal(octets, 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup(adding_a_rule, setup),
		cmocka_unit_test_setup(refused, setup),
		cmocka_unit_test_setup(removing_rules, setup),
		cmocka_unit_test_setup(pausing, setup),
		cmocka_unit_test_setup(lists, setup),
		cmocka_unit_test_setup(history, setup),
		cmocka_unit_test_setup(cat, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
