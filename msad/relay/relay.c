/*
 * msad-relay: carries messages to the next hop.
 *
 * Takes jobs from the queue, one message for some recipients through one
 * relay block, and answers with a result per recipient. A network worker
 * sends them by SMTP (pool.c, client.c); one started for a Maildir writes
 * files below its root (maildir.c). It reads no file but what a job's
 * descriptor holds, keeps nothing, and trusts neither the next hop nor,
 * beyond the message table, its peers.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "msad/relay/job.h"
#include "msad/relay/maildir.h"
#include "msad/relay/pool.h"
#include "msad/relay/resolve.h"
#include "msad/relay/trust.h"

#define CA_MAX			(16 * 1024 * 1024)
#define JOBS_MAX		16384
#define DEFAULT_CONCURRENCY	20

/* A relay block: its pool, and until that is made its CA certificates. */
struct block {
	TAILQ_ENTRY(block)	 entry;
	char			*name;
	void			*ca;
	size_t			 calen;
	struct pool		*pool;
};
TAILQ_HEAD(block_list, block);

static struct block_list	 current = TAILQ_HEAD_INITIALIZER(current);
static struct block_list	 pending = TAILQ_HEAD_INITIALIZER(pending);
static struct ipc		*queue;
static unsigned int		 cores = 1;
static int			 stopping;
static struct event		 stop_timer;

static int
is_maildir(void)
{
	return (child_flags() & INIT_MAILDIR) != 0;
}

/* --- relay blocks --- */

static struct block *
block_find(struct block_list *list, struct slice name)
{
	struct block	*b;

	TAILQ_FOREACH(b, list, entry)
		if (slice_is(name, b->name))
			return b;
	return NULL;
}

static struct block *
block_get(struct block_list *list, struct slice name)
{
	struct block	*b;

	if ((b = block_find(list, name)) != NULL)
		return b;
	if ((b = calloc(1, sizeof(*b))) == NULL ||
	    (b->name = strndup(name.p, name.len)) == NULL)
		fatal("out of memory");
	TAILQ_INSERT_TAIL(list, b, entry);
	return b;
}

static void
block_free_ca(struct block *b)
{
	free(b->ca);
	b->ca = NULL;
}

/* Drop a list; jobs that wait go on with the block of the same name. */
static void
blocks_drop(struct block_list *list, struct block_list *heirs)
{
	struct block	*b, *heir;

	while ((b = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, b, entry);
		heir = heirs == NULL ? NULL :
		    block_find(heirs, SLICE_STR(b->name));
		if (b->pool != NULL)
			pool_retire(b->pool, heir == NULL ? NULL : heir->pool);
		block_free_ca(b);
		free(b->name);
		free(b);
	}
}

/* This worker's part of the connections that a block may have. */
static unsigned int
connections(const struct conf *conf, const struct conf_relay *r)
{
	unsigned int	 all, workers, n;

	all = r->concurrency != 0 ? r->concurrency : DEFAULT_CONCURRENCY;
	workers = conf->relay_workers != 0 ? conf->relay_workers : cores;
	n = all / workers + (child_index() < all % workers ? 1 : 0);
	return n == 0 ? 1 : n;
}

/* --- child callbacks --- */

/*
 * With the root changed and no sandbox yet: what the libraries want to look
 * for in files is looked for here, found missing, and never asked for again.
 */
static int
relay_early(void)
{
	long	 n = sysconf(_SC_NPROCESSORS_ONLN);

	cores = n < 1 ? 1 : (unsigned int)n;
	if (is_maildir())
		return maildir_init();
	if (trust_init() == -1) {
		log_err("event=start error=\"TLS library\"");
		return -1;
	}
	return 0;
}

static int
relay_conf_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	struct block	*b;
	struct stat	 st;

	(void)generation;
	if (kind == FILE_RELAY_CA && fstat(fd, &st) == 0 && st.st_size > 0 &&
	    st.st_size <= CA_MAX) {
		b = block_get(&pending, name);
		block_free_ca(b);
		b->calen = (size_t)st.st_size;
		b->ca = malloc(b->calen);
		if (b->ca == NULL)
			fatal("out of memory");
		if (pread(fd, b->ca, b->calen, 0) != (ssize_t)b->calen)
			block_free_ca(b);
	}
	close(fd);
	return 0;
}

static int
relay_conf_check(struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	struct conf_relay	*r;
	struct block		*b;

	(void)generation;
	if (is_maildir())
		return 0;
	TAILQ_FOREACH(r, &conf->relays, entry) {
		if (r->kind != CONF_RELAY_HOST)
			continue;
		b = block_get(&pending, SLICE_STR(r->name));
		if (b->pool != NULL)	/* of a generation never ended */
			pool_retire(b->pool, NULL);
		b->pool = pool_new(conf, r, b->ca, b->calen,
		    connections(conf, r), reason, size);
		block_free_ca(b);
		if (b->pool == NULL)
			return -1;
	}
	return 0;
}

static void
relay_conf_commit(struct conf *conf, uint32_t generation)
{
	struct block_list	 old = TAILQ_HEAD_INITIALIZER(old);

	(void)generation;
	maildir_set_host(conf->hostname);
	TAILQ_CONCAT(&old, &current, entry);
	TAILQ_CONCAT(&current, &pending, entry);
	blocks_drop(&old, &current);
}

static void
relay_conf_abort(uint32_t generation)
{
	(void)generation;
	blocks_drop(&pending, NULL);
}

/* --- jobs --- */

static int
on_job(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	if (job_count() >= JOBS_MAX)
		return -1;
	return job_new(msg) == NULL ? -1 : 0;
}

static int
on_body(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct job	*job = job_find(msg->sid);

	(void)ch;
	(void)arg;
	return job == NULL ? -1 : job_add_body(job, msg);
}

static int
on_rcpts(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct job	*job = job_find(msg->sid);

	(void)ch;
	(void)arg;
	return job == NULL ? -1 : job_add_rcpts(job, msg);
}

static int
on_go(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct job	*job = job_find(msg->sid);
	struct block	*b;
	struct result	 res;

	(void)ch;
	(void)arg;
	if (job == NULL || job_complete(job) == -1)
		return -1;
	if (is_maildir()) {
		maildir_submit(job);
		return 0;
	}
	if (stopping) {			/* without results: not tried */
		job_done(job, 0);
		return 0;
	}
	b = block_find(&current, SLICE_STR(job->relay));
	if (b == NULL || b->pool == NULL) {	/* a reload took it away */
		result_set(&res, OUTCOME_TRANSIENT, "4.3.5",
		    "no such relay in the configuration");
		job_all_results(job, &res, "", "");
		job_done(job, 0);
		return 0;
	}
	pool_submit(b->pool, job);
	return 0;
}

/* Not begun: done without results. Begun or over: it goes its way. */
static int
on_cancel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct job	*job = job_find(msg->sid);

	(void)ch;
	(void)arg;
	if (job == NULL)
		return 0;
	if (job->state == JOB_BUILDING ||
	    (is_maildir() ? maildir_withdraw(job) : pool_withdraw(job)) == 0)
		job_done(job, 0);
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_RELAY_JOB, on_job },
	{ IPC_RELAY_BODY, on_body },
	{ IPC_RELAY_RCPTS, on_rcpts },
	{ IPC_RELAY_GO, on_go },
	{ IPC_RELAY_CANCEL, on_cancel },
	{ 0, NULL }
};

/* Without the queue there is nothing to do; msad starts us again. */
static void
on_queue_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	if (!stopping)
		log_warn("event=queue-gone end=%d", (int)end);
	job_set_queue(NULL);
	ipc_free(ch);
	queue = NULL;
	child_exit(stopping ? 0 : 1);
}

static int
relay_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	(void)name;
	if (peer == ROLE_RESOLVER)
		return resolve_channel(fd, index, epoch);
	if (peer != ROLE_QUEUE || queue != NULL) {
		close(fd);
		return -1;
	}
	queue = ipc_new(fd, ROLE_RELAY, ROLE_QUEUE, queue_handlers,
	    on_queue_closed, NULL);
	if (queue == NULL)
		return -1;
	ipc_set_peer(queue, index, epoch);
	job_set_queue(queue);
	return 0;
}

/* --- the end --- */

static void
stop_now(void)
{
	if (queue != NULL)
		ipc_flush(queue, 1000);
	child_exit(0);
}

static void
on_stop_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	stop_now();
}

static void
stop_if_quiet(void)
{
	if (pools_are_quiet())
		stop_now();
}

/* Messages under way are finished within seconds; others are not begun. */
static void
relay_shutdown(unsigned int seconds)
{
	struct timeval	 tv = { (time_t)seconds, 0 };

	stopping = 1;
	pools_stop(stop_if_quiet);
	evtimer_set(&stop_timer, on_stop_timer, NULL);
	event_base_set(child_base(), &stop_timer);
	evtimer_add(&stop_timer, &tv);
	stop_if_quiet();
}

static const struct child relay_child = {
	.role = ROLE_RELAY,
	.name = "relay",
	.early = relay_early,
	.conf_file = relay_conf_file,
	.conf_check = relay_conf_check,
	.conf_commit = relay_conf_commit,
	.conf_abort = relay_conf_abort,
	.channel = relay_channel,
	.shutdown = relay_shutdown,
};

int
main(int argc, char **argv)
{
	return child_main(&relay_child, argc, argv);
}
