/*
 * Questions of msad-relay to msad-resolver.
 *
 * A numeric host is its own answer. A question outlives the resolver: when it
 * dies what is open is asked again on the next channel, until the time is up.
 * Answers are checked to be numeric addresses before they are used.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <event.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/log.h"
#include "msad/relay/resolve.h"

struct query {
	TAILQ_ENTRY(query)	 entry;
	uint64_t		 id;
	char			*name;
	struct event		 timer;
	struct resolved		 answer;
	void			(*done)(struct resolved *, void *);
	void			*arg;
};

static TAILQ_HEAD(, query)	 queries = TAILQ_HEAD_INITIALIZER(queries);
static struct ipc		*resolver;
static uint64_t			 next_id = 1;

static int
is_numeric(const char *s)
{
	unsigned char	 buf[16];

	return inet_pton(AF_INET, s, buf) == 1 ||
	    inet_pton(AF_INET6, s, buf) == 1;
}

static void
answer_clear(struct resolved *a)
{
	unsigned int	 i;

	for (i = 0; i < a->n; i++)
		free(a->addr[i]);
	a->n = 0;
}

static void
query_free(struct query *q)
{
	TAILQ_REMOVE(&queries, q, entry);
	event_del(&q->timer);
	answer_clear(&q->answer);
	free(q->name);
	free(q);
}

static void
query_finish(struct query *q)
{
	q->done(&q->answer, q->arg);
	query_free(q);
}

static void
query_send(struct query *q)
{
	ipc_start(resolver, IPC_RESOLVE, q->id);
	ipc_put_str(resolver, q->name);
	ipc_put_u8(resolver, 0);
	ipc_send(resolver);
}

/* The time is up, or (with an answer already there) its turn has come. */
static void
query_on_timer(int fd, short what, void *arg)
{
	struct query	*q = arg;

	(void)fd;
	(void)what;
	if (q->answer.n == 0)
		q->answer.status = RESOLVE_TRANSIENT;
	query_finish(q);
}

static struct query *
query_find(uint64_t id)
{
	struct query	*q;

	TAILQ_FOREACH(q, &queries, entry)
		if (q->id == id)
			return q;
	return NULL;
}

static int
on_resolved(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct query		*q = query_find(msg->sid);
	struct resolved		 a = { .n = 0 };
	char			 addr[64];
	unsigned int		 i, n;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	a.status = ipc_get_u8(&r);
	(void)ipc_get_u32(&r);
	n = ipc_get_u8(&r);
	if (a.status > RESOLVE_TRANSIENT || n > RESOLVE_MAX)
		return -1;
	for (i = 0; i < n; i++) {
		if (ipc_copy_str(&r, addr, sizeof(addr)) == -1 ||
		    !is_numeric(addr) || (a.addr[a.n] = strdup(addr)) == NULL)
			break;
		a.n++;
	}
	if (i < n || !ipc_done(&r)) {
		answer_clear(&a);
		return -1;
	}
	if (a.status == RESOLVE_OK && a.n == 0)
		a.status = RESOLVE_NO_ADDRESS;
	if (q == NULL) {		/* we stopped waiting */
		answer_clear(&a);
		return 0;
	}
	q->answer = a;
	query_finish(q);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ IPC_RESOLVED, on_resolved },
	{ 0, NULL }
};

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	log_warn("event=resolver-gone end=%d", (int)end);
	ipc_free(ch);
	if (resolver == ch)
		resolver = NULL;
}

int
resolve_channel(int fd, uint32_t index, uint64_t epoch)
{
	struct query	*q;

	if (resolver != NULL)
		ipc_free(resolver);
	resolver = ipc_new(fd, ROLE_RELAY, ROLE_RESOLVER, handlers, on_closed,
	    NULL);
	if (resolver == NULL)
		return -1;
	ipc_set_peer(resolver, index, epoch);
	TAILQ_FOREACH(q, &queries, entry)
		if (q->answer.n == 0)
			query_send(q);
	return 0;
}

struct query *
resolve_start(const char *name, void (*done)(struct resolved *, void *),
    void *arg)
{
	struct timeval	 tv = { RESOLVE_SECONDS, 0 };
	struct query	*q;

	if ((q = calloc(1, sizeof(*q))) == NULL ||
	    (q->name = strdup(name)) == NULL) {
		free(q);
		return NULL;
	}
	q->id = next_id++;
	q->done = done;
	q->arg = arg;
	evtimer_set(&q->timer, query_on_timer, q);
	event_base_set(child_base(), &q->timer);
	TAILQ_INSERT_TAIL(&queries, q, entry);
	if (is_numeric(name) && (q->answer.addr[0] = strdup(name)) != NULL) {
		q->answer.n = 1;
		tv.tv_sec = 0;
	} else if (resolver != NULL)
		query_send(q);
	evtimer_add(&q->timer, &tv);
	return q;
}

void
resolve_cancel(struct query *q)
{
	if (q != NULL)
		query_free(q);
}
