/*
 * msad-queue: keeps accepted messages, decides who may send as whom and what
 * is tried when. It alone has the spool: its root is the spool's directory and
 * it runs as _msadq. This file is its life: start, configuration, channels,
 * the tick of each second, the end. It trusts msad; msad-auth for who is logged
 * in and msad-control for who asks; front-ends and relays, which meet the
 * network, for nothing.
 *
 * Nothing may be accepted when a flush cannot be made: when the flusher is gone
 * this process ends, msad ends the family, and it all starts afresh.
 */
#include <sys/types.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/header.h"
#include "common/log.h"
#include "common/stats.h"

#include "control.h"
#include "deadline.h"
#include "durable.h"
#include "envelope.h"
#include "flusher.h"
#include "grant.h"
#include "held.h"
#include "history.h"
#include "index.h"
#include "job.h"
#include "limits.h"
#include "lookup.h"
#include "mark.h"
#include "outcome.h"
#include "pause.h"
#include "peers.h"
#include "rate.h"
#include "rate_store.h"
#include "registers.h"
#include "rules.h"
#include "schedule.h"
#include "spool.h"
#include "spool_io.h"
#include "tables.h"
#include "terms.h"
#include "transaction.h"
#include "trial.h"

static struct spool		*spool;
static int			 flusher_fd = -1;
static struct event		 tick_event;
static struct event		 accepted_event;
static time_t			 stop_at;	/* monotonic; 0: running */

/* The generation under preparation. */
static struct table_files	 files = TAILQ_HEAD_INITIALIZER(files);
static struct tables		*next_tables;
static struct tables		*tables;

static time_t
monotonic(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static uint64_t
wall_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- recovery --- */

/* The message whose states are being recovered. */
static struct message	*recovering;

static void
recovered_message(void *arg, const struct spool_recovered *r)
{
	struct envelope	 e;
	struct message	*m;

	(void)arg;
	recovering = NULL;
	if (envelope_decode(r->env, r->envlen, &e) == -1) {
		log_err("q=%llx event=recovery reason=\"the envelope cannot "
		    "be read; the message is kept but not sent\"",
		    (unsigned long long)r->id);
		return;
	}
	if ((m = message_new(r->id, r->size, &e)) == NULL)
		fatal("event=recovery error=\"out of memory\"");
	index_insert(m);
	recovering = m;
}

static void
recovered_state(void *arg, uint64_t id, uint32_t key, const void *p,
    size_t len)
{
	struct rcpt_record	 s;
	struct message		*m = recovering;

	(void)arg;
	if (rate_store_recover(id, key, p, len, wall_ms(), limits_clock()) ||
	    pause_recover(id, key, p, len) ||
	    rules_recover(id, key, p, len) || key == KEY_HISTORY ||
	    m == NULL || m->id != id)
		return;
	if (key == KEY_MESSAGE) {
		mark_recover(m, p, len);
		return;
	}
	if (key >= m->nrcpts || rcpt_record_decode(p, len, &s) == -1) {
		log_err("q=%llx event=recovery rcpt=%u reason=\"the state "
		    "cannot be read; it is tried again\"",
		    (unsigned long long)id, key);
		return;
	}
	m->rcpts[key].tries = s.tries > UINT16_MAX ? UINT16_MAX :
	    (uint16_t)s.tries;
	m->rcpts[key].next = s.next > UINT32_MAX ? UINT32_MAX :
	    (uint32_t)s.next;
	m->rcpts[key].flags = s.flags & (RCPT_WARNED | RCPT_LATE);
	mark_recover_tried(key, s.last);
	message_set_status(m, key, (enum rcpt_status)s.status);
	if (s.status != RCPT_WAITING && (s.flags & RCPT_OWED))
		outcome_owed(m, key, &s);
}

/* For the log, when a message is not new any more. */
static void
read_msgid(uint64_t id, char *buf, size_t size)
{
	struct spool_content	 c;
	struct envelope		 e;

	if (spool_content_open(spool, id, &c) != SPOOL_OK)
		return;
	if (envelope_decode(c.env, c.envlen, &e) == 0)
		snprintf(buf, size, "%.*s", SLICE_FMT(e.msgid));
	spool_content_close(&c);
}

static void
spool_trouble(void *arg, const char *place, uint64_t offset,
    const char *text)
{
	(void)arg;
	log_err("event=spool-damage place=%s offset=%llu text=%s",
	    log_q(place), (unsigned long long)offset, log_q(text));
}

static void
spool_accepts(void *arg, int ok, const char *reason)
{
	(void)arg;
	if (ok)
		log_notice("event=spool-accepting");
	else
		log_err("event=spool-stopped reason=%s", log_q(reason));
}

/* All is known of it: into the schedule with it. */
static void
schedule_one(struct message *m)
{
	if (schedule_add(m) == -1)
		fatal("event=recovery error=\"out of memory\"");
	deadline_watch(m);
	if (m->nleft == 0)
		outcome_settle(m, schedule_now());
}

static int
by_not_before(const void *a, const void *b)
{
	const struct message *const	*x = a, *const *y = b;

	if ((*x)->not_before != (*y)->not_before)
		return (*x)->not_before < (*y)->not_before ? -1 : 1;
	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/* Those that had or have to wait for a time, by that time; NULL at the end. */
static struct message **
recovered_later(void)
{
	struct message	**list, *m;
	uint64_t	  n = 0;

	for (m = index_after(0); m != NULL; m = index_after(m->id))
		n += m->not_before != 0;
	if ((list = calloc(n + 1, sizeof(struct message *))) == NULL)
		fatal("event=recovery error=\"out of memory\"");
	n = 0;
	for (m = index_after(0); m != NULL; m = index_after(m->id))
		if (m->not_before != 0)
			list[n++] = m;
	qsort(list, n, sizeof(list[0]), by_not_before);
	return list;
}

/*
 * The schedule keeps messages by age, and age begins with the time one had to
 * wait for: merge these in, so that each goes to the end.
 */
static void
schedule_recovered(void)
{
	struct message	**later = recovered_later(), **p = later;
	struct message	 *m;
	uint64_t	  id = 0;

	while ((m = index_after(id)) != NULL) {
		id = m->id;
		if (m->not_before != 0)
			continue;
		for (; *p != NULL && (*p)->not_before <= m->since; p++)
			schedule_one(*p);
		schedule_one(m);
	}
	for (; *p != NULL; p++)
		schedule_one(*p);
	free(later);
}

static int
open_spool(struct spool_io *io)
{
	static const struct spool_events ev = { recovered_message,
		recovered_state, spool_trouble, spool_accepts, NULL };
	struct spool_report	 rep;
	char			 err[256] = "";
	int			 dir;

	memset(&rep, 0, sizeof(rep));
	if ((dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		log_err("event=spool-open error=%s", log_q(strerror(errno)));
		return -1;
	}
	if ((spool = spool_open(dir, io, NULL, &ev, &rep, err,
	    sizeof(err))) == NULL) {
		log_err("event=spool-open error=%s", log_q(err));
		return -1;
	}
	log_info("event=recovered messages=%llu segments=%u digests=%u "
	    "records=%llu bad=%u torn=%u lost=%u orphans=%u",
	    (unsigned long long)rep.messages, rep.segments, rep.digests,
	    (unsigned long long)rep.records, rep.bad, rep.torn,
	    rep.lost_bodies, rep.orphans);
	return 0;
}

/* --- the tick --- */

static void
set_spool_stats(void)
{
	struct spool_stats	st;

	spool_get_stats(spool, &st);
	stats_set(STAT_QUEUE_STOPPED,
	    spool_accepting(spool, NULL) != SPOOL_OK);
	stats_set(STAT_SPOOL_SEGMENTS, st.segments);
	stats_set(STAT_SPOOL_FLUSHES, st.batches);
	stats_set(STAT_SPOOL_COMMITS, st.batch_records);
	stats_set(STAT_SPOOL_BYTES, st.batch_bytes);
	stats_set(STAT_SPOOL_FLUSH_FAILED, st.failures);
}

/* Nothing is under way that would be lost or repeated. */
static bool
is_idle(void)
{
	return job_count() == 0 && transaction_pending() == 0 &&
	    outcome_pending() == 0 && durable_pending() == 0 &&
	    rate_store_idle() &&
	    spool_idle(spool);
}

static void
end_when_idle(void)
{
	if (stop_at == 0 || (!is_idle() && monotonic() < stop_at))
		return;
	if (!is_idle())
		log_warn("event=stopped-early jobs=%u", job_count());
	child_exit(0);
}

/*
 * A relay process is gone, or as good as that: it ends when it loses its
 * channel, and msad starts another. What it had goes to others.
 */
static void
drop_relay(struct peer *p)
{
	time_t	now = schedule_now();

	job_drop_peer(p, now);
	peers_remove(p);
	schedule_set_places(peers_relays() * JOBS_PER_RELAY);
	schedule_run(now);
}

/* Who has used nothing of his limits needs no memory. */
static void
sweep_rates(void)
{
	static time_t	last;
	time_t		now = monotonic();

	if (now - last < 60)
		return;
	last = now;
	rate_sweep(limits_clock());
}

static void
on_tick(int fd, short what, void *arg)
{
	struct timeval	second = { stop_at == 0 ? 1 : 0,
		stop_at == 0 ? 0 : 50000 };
	struct peer	*hangs;
	time_t		now = schedule_now();

	(void)fd;
	(void)what;
	(void)arg;
	event_add(&tick_event, &second);
	spool_tick(spool);
	durable_tick();
	history_tick();
	pause_tick((uint64_t)now);
	rules_tick((uint64_t)now);
	grant_expire(monotonic());
	lookup_tick(monotonic() * 1000);
	rate_store_tick(wall_ms(), limits_clock(), stop_at != 0);
	sweep_rates();
	if ((hangs = job_tick()) != NULL) {
		child_condemn(hangs->ch);
		drop_relay(hangs);
	}
	if (stop_at == 0) {
		schedule_expire_old(now);
		schedule_warn_old(outcome_warn, now);
		outcome_tick(now);
		schedule_run(now);
	}
	set_spool_stats();
	end_when_idle();
}

/*
 * Messages became durable: hand them out when the loop comes round, once for
 * the whole batch and after the answers to the clients are written.
 */
static void
on_accepted(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	schedule_run(schedule_now());
}

static void
message_accepted(void)
{
	event_active(&accepted_event, EV_TIMEOUT, 0);
}

/* --- channels --- */

/* Messages of msad-auth. */
static int
on_grant(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct scope_claim	 scope;
	struct grant_claim	 c = { .sid = msg->sid, .scope = &scope };
	bool			 taken;

	(void)arg;
	ipc_reader(&r, msg);
	c.epoch = ipc_get_u64(&r);
	c.user = ipc_get_str(&r);
	c.tenant = ipc_get_str(&r);
	c.auth = ipc_get_str(&r);
	c.mech = ipc_get_str(&r);
	ipc_get_u16(&r);
	c.client = ipc_get_str(&r);
	ipc_get_u16(&r);
	c.realm = ipc_get_str(&r);
	if (scope_read(&r, &scope) == -1 || !ipc_done(&r))
		return -1;
	taken = peers_find(ROLE_FRONTEND, c.epoch) != NULL &&
	    grant_take(&c, child_conf()->hostname, monotonic()) != NULL;
	if (!taken)
		log_warn("s=%llx-%llx event=grant-refused user=%s",
		    (unsigned long long)c.epoch, (unsigned long long)c.sid,
		    log_qn(c.user.p, c.user.len));
	ipc_start(ch, IPC_GRANT_TAKEN, msg->sid);
	ipc_put_u64(ch, c.epoch);
	ipc_put_u8(ch, taken);
	ipc_send(ch);
	return 0;
}

static int
on_grant_revoke(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g;
	uint64_t		 epoch;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	epoch = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if ((g = grant_find(epoch, msg->sid)) != NULL)
		grant_revoke(g);
	return 0;
}

static const struct ipc_handler auth_handlers[] = {
	{ IPC_GRANT, on_grant },
	{ IPC_GRANT_REVOKE, on_grant_revoke },
	{ 0, NULL }
};

static const struct ipc_handler no_handlers[] = { { 0, NULL } };

/* A process is gone, or broke the rules: so is all that came from it. */
static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct peer	*p = arg;

	if (end == IPC_VIOLATION &&
	    (p->role == ROLE_FRONTEND || p->role == ROLE_RELAY))
		child_condemn(ch);
	log_notice("event=channel-closed peer=%s[%u] end=%s",
	    ipc_role_name(p->role), p->index, end == IPC_EOF ? "eof" :
	    end == IPC_VIOLATION ? "violation" : "error");
	if (p->role == ROLE_FRONTEND)
		grant_end_channel(p->epoch);
	/* a fresh auth knows no addresses, and would not end them in time */
	if (p->role == ROLE_AUTH)
		grant_revoke_flagged(GRANT_ADDRESS);
	if (p->role == ROLE_LOOKUP)
		lookup_set_channel(NULL);
	if (p->role == ROLE_RELAY)
		drop_relay(p);
	else
		peers_remove(p);
}

static const struct ipc_handler *
handlers_of(enum ipc_role role)
{
	switch (role) {
	case ROLE_FRONTEND:
		return transaction_handlers;
	case ROLE_AUTH:
		return auth_handlers;
	case ROLE_RELAY:
		return job_handlers;
	case ROLE_CONTROL:
		return control_handlers;
	case ROLE_LOOKUP:
		return lookup_handlers;
	default:
		return no_handlers;
	}
}

static int
queue_channel(enum ipc_role role, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	const struct peer	*p;

	p = peers_add(role, index, epoch, name, fd, handlers_of(role),
	    on_closed);
	if (p == NULL)
		return -1;
	if (role == ROLE_LOOKUP)
		lookup_set_channel(p->ch);
	schedule_set_places(peers_relays() * JOBS_PER_RELAY);
	if (role == ROLE_RELAY && child_conf() != NULL)
		schedule_run(schedule_now());
	return 0;
}

/* --- configuration --- */

static int
queue_conf_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	(void)generation;
	if (kind != FILE_TABLE) {
		close(fd);
		return -1;
	}
	if (table_file_read(&files, name, fd) == -1) {
		log_err("event=table-read table=%s error=%s",
		    log_qn(name.p, name.len), log_q(strerror(errno)));
		/* conf_check finds it missing and refuses. */
	}
	return 0;
}

/* Every password that a relay names must be there before it is needed. */
static int
check_secrets(const struct conf *conf, char *reason, size_t size)
{
	const struct conf_relay	*r;
	struct slice		 user, password;

	TAILQ_FOREACH(r, &conf->relays, entry) {
		if (r->auth_table == NULL || tables_secret(next_tables,
		    r->auth_table, r->auth_label, &user, &password))
			continue;
		snprintf(reason, size, "relay \"%s\": table %s has no row "
		    "\"%s\"", r->name, r->auth_table, r->auth_label);
		return -1;
	}
	return 0;
}

static int
queue_conf_check(struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	(void)generation;
	tables_free(next_tables);
	next_tables = tables_load(conf, &files, reason, size);
	table_files_free(&files);
	if (next_tables == NULL ||
	    check_secrets(conf, reason, size) == -1)
		return -1;
	terms_prepare(conf);
	return 0;
}

static void
queue_conf_commit(struct conf *conf, uint32_t generation)
{
	static bool	 configured;

	header_limits_set(&conf->limits);
	tables_free(tables);
	tables = next_tables;
	next_tables = NULL;
	lookup_flush(generation);
	transaction_set_tables(tables);
	trial_set_tables(tables);
	job_set_tables(tables);
	terms_conf(conf);
	schedule_conf(conf);
	pause_conf();
	/* Not at the start: a crash may have forgotten what was used. */
	if (configured)
		held_forward(schedule_now());
	configured = true;
}

static void
queue_conf_abort(uint32_t generation)
{
	(void)generation;
	table_files_free(&files);
	tables_free(next_tables);
	next_tables = NULL;
	terms_prepare(NULL);
}

/* --- life --- */

static void
flusher_lost(void *arg)
{
	(void)arg;
	log_err("event=flusher-lost");
	child_exit(1);
}

static int
queue_early(void)
{
	pid_t	pid;

	if ((flusher_fd = flusher_start(&pid)) == -1) {
		log_err("event=flusher-start error=%s",
		    log_q(strerror(errno)));
		return -1;
	}
	return 0;
}

static int
queue_init(void)
{
	struct spool_io	*io;

	if ((io = spool_io_new(child_base(), flusher_fd, flusher_lost,
	    NULL)) == NULL)
		return -1;
	grant_init(transaction_drop);
	schedule_init(job_send, outcome_expire);
	schedule_now();		/* what is due goes into its lane at once */
	if (open_spool(io) == -1)
		return -1;
	event_assign(&accepted_event, child_base(), -1, 0, on_accepted, NULL);
	transaction_init(spool, message_accepted);
	job_init(spool);
	durable_init(spool);
	history_init(spool);
	pause_init(spool);
	rules_init(spool);
	index_init(read_msgid);
	outcome_init(spool);
	control_init(spool);
	rate_store_init(spool);
	schedule_recovered();
	return 0;
}

static void
queue_start(void)
{
	event_assign(&tick_event, child_base(), -1, 0, on_tick, NULL);
	on_tick(-1, 0, NULL);
}

static void
queue_shutdown(unsigned int seconds)
{
	struct timeval	soon = { 0, 10000 };

	schedule_stop();
	transaction_stop();
	stop_at = monotonic() + (seconds > 1 ? (time_t)seconds - 1 : 1);
	if (event_initialized(&tick_event))
		event_add(&tick_event, &soon);
	else
		child_exit(0);
}

static const struct child queue_child = {
	.role = ROLE_QUEUE,
	.name = "queue",
	.early = queue_early,
	.init = queue_init,
	.conf_file = queue_conf_file,
	.conf_check = queue_conf_check,
	.conf_commit = queue_conf_commit,
	.conf_abort = queue_conf_abort,
	.channel = queue_channel,
	.start = queue_start,
	.shutdown = queue_shutdown
};

int
main(int argc, char **argv)
{
	return child_main(&queue_child, argc, argv);
}
