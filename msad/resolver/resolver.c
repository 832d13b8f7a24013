/*
 * msad-resolver: host names to addresses, for the relay workers.
 *
 * Answers come from the hosts file first, then from the DNS through
 * libunbound, which runs on this process's loop without threads, keeps the
 * cache, and asks the name servers of resolv.conf. The process has no file
 * and no name service: msad sends hosts and resolv.conf with each generation
 * of the configuration. Questions come from relays, which are not believed
 * to ask for anything but host names.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>

#include <event.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unbound-event.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/resolver/dns.h"
#include "msad/resolver/hosts.h"

#define QUERY_SECONDS	10
#define QUERIES_MAX	4096	/* open ones, over all relays */
#define ANSWER_MAX	64
#define HOSTS_TTL	60
#define FILE_SIZE_MAX	(4 * 1024 * 1024)

enum status { ST_OK = 0, ST_NO_NAME, ST_NO_ADDRESS, ST_TRANSIENT };

/* A relay's channel; questions outlive it without an answer. */
struct peer {
	LIST_ENTRY(peer)	 entry;
	struct ipc		*ipc;
};

struct query {
	TAILQ_ENTRY(query)	 entry;
	struct peer		*peer;		/* NULL: gone */
	uint64_t		 sid;
	char			 name[256];
	unsigned int		 open;		/* lookups without result */
	int			 failed;	/* one of them was transient */
	int			 no_name;
	int			 busy;		/* lookups are being started */
	uint32_t		 ttl;
	size_t			 n;
	char			 addr[ANSWER_MAX][INET6_ADDRSTRLEN];
	struct event		 timer;
	struct lookup {
		struct query	*query;
		unsigned int	 type;
		int		 id;		/* of libunbound */
		int		 running;
	}			 lookup[2];	/* AAAA, A */
};

struct text {
	char		*p;
	size_t		 len;
};

static LIST_HEAD(, peer)	 peers = LIST_HEAD_INITIALIZER(peers);
static TAILQ_HEAD(, query)	 queries = TAILQ_HEAD_INITIALIZER(queries);
static unsigned int		 nqueries;
static struct hosts		*hosts, *next_hosts;
static struct text		 resolv, next_resolv, next_hosts_text;
static struct ub_ctx		*ub;

static void	 query_finish(struct query *);

/* --- libunbound --- */

static int
ub_option(struct ub_ctx *ctx, const char *name, const char *value)
{
	int	 error = ub_ctx_set_option(ctx, name, value);

	if (error != 0)
		log_warn("event=resolver option=%s error=%s", name,
		    log_q(ub_strerror(error)));
	return error;
}

/* A context that asks the name servers of this resolv.conf. */
static struct ub_ctx *
ub_new(const struct text *text)
{
	char		 servers[RESOLV_MAX][64];
	struct ub_ctx	*ctx;
	size_t		 i, n;

	if ((ctx = ub_ctx_create_event(child_base())) == NULL)
		return NULL;
	n = resolv_parse(text->p, text->len, servers);
	if (n == 0) {		/* as resolv.conf(5) has it */
		strlcpy(servers[0], "127.0.0.1", sizeof(servers[0]));
		n = 1;
	}
	for (i = 0; i < n; i++)
		if (ub_ctx_set_fwd(ctx, servers[i]) != 0)
			log_warn("event=resolver nameserver=%s error=refused",
			    servers[i]);
	ub_option(ctx, "do-not-query-localhost:", "no");
	ub_option(ctx, "module-config:", "iterator");
	ub_option(ctx, "use-syslog:", "no");
	ub_option(ctx, "cache-max-ttl:", "86400");
	ub_option(ctx, "cache-max-negative-ttl:", "60");
	ub_option(ctx, "infra-host-ttl:", "30");
	return ctx;
}

static void
lookup_result(struct lookup *l, int rcode, const uint8_t *packet, size_t len)
{
	struct query		*q = l->query;
	struct dns_answer	 a;
	size_t			 i;

	l->running = 0;
	q->open--;
	if (rcode == DNS_RCODE_NXDOMAIN) {
		q->no_name = 1;
		return;
	}
	if (rcode != 0 || packet == NULL ||
	    dns_addresses(packet, len, l->type, &a) == -1) {
		q->failed = 1;
		return;
	}
	if (a.rcode == DNS_RCODE_NXDOMAIN)
		q->no_name = 1;
	else if (a.rcode != 0)
		q->failed = 1;
	if (a.n > 0 && a.ttl < q->ttl)
		q->ttl = a.ttl;
	for (i = 0; i < a.n && q->n < ANSWER_MAX; i++)
		if (inet_ntop(a.addr[i].len == 4 ? AF_INET : AF_INET6,
		    a.addr[i].octets, q->addr[q->n],
		    sizeof(q->addr[0])) != NULL)
			q->n++;
}

static void
lookup_done(void *arg, int rcode, void *packet, int len, int secure,
    char *why_bogus, int ratelimited)
{
	struct lookup	*l = arg;

	(void)secure;
	(void)why_bogus;
	(void)ratelimited;
	lookup_result(l, rcode, packet, len < 0 ? 0 : (size_t)len);
	if (l->query->open == 0 && !l->query->busy)
		query_finish(l->query);
}

/* --- questions --- */

static void
query_free(struct query *q)
{
	int	 i;

	for (i = 0; i < 2; i++)
		if (q->lookup[i].running && ub != NULL)
			ub_cancel(ub, q->lookup[i].id);
	evtimer_del(&q->timer);
	TAILQ_REMOVE(&queries, q, entry);
	nqueries--;
	free(q);
}

static void
query_answer(struct ipc *ch, uint64_t sid, enum status status, uint32_t ttl,
    const char *const *addr, size_t n)
{
	size_t	 i;

	ipc_start(ch, IPC_RESOLVED, sid);
	ipc_put_u8(ch, (uint8_t)status);
	ipc_put_u32(ch, ttl);
	ipc_put_u8(ch, (uint8_t)n);
	for (i = 0; i < n; i++)
		ipc_put_str(ch, addr[i]);
	ipc_send(ch);
	stats_inc(STAT_RESOLVER_QUERIES);
	if (status != ST_OK)
		stats_inc(STAT_RESOLVER_FAILED);
}

static void
query_finish(struct query *q)
{
	const char	*addr[ANSWER_MAX];
	enum status	 status;
	size_t		 i;

	status = q->n > 0 ? ST_OK : q->failed || q->open > 0 ? ST_TRANSIENT :
	    q->no_name ? ST_NO_NAME : ST_NO_ADDRESS;
	for (i = 0; i < q->n; i++)
		addr[i] = q->addr[i];
	if (status == ST_TRANSIENT)
		log_info("event=resolve-failed name=%s", log_q(q->name));
	if (q->peer != NULL)
		query_answer(q->peer->ipc, q->sid, status, q->ttl, addr, q->n);
	query_free(q);
}

static void
query_on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	query_finish(arg);
}

/* Start what is not yet running; answers from the cache come at once. */
static void
query_run(struct query *q)
{
	struct lookup	*l;
	int		 i;

	q->busy = 1;
	for (i = 0; i < 2; i++) {
		l = &q->lookup[i];
		if (l->type == 0)
			continue;
		q->open++;
		l->running = 1;
		if (ub == NULL || ub_resolve_event(ub, q->name, (int)l->type,
		    1, l, lookup_done, &l->id) != 0)
			lookup_result(l, 2, NULL, 0);
	}
	q->busy = 0;
	if (q->open == 0)
		query_finish(q);
}

static struct query *
query_new(struct peer *peer, uint64_t sid, const char *name, int family)
{
	struct timeval	 tv = { QUERY_SECONDS, 0 };
	struct query	*q;

	if ((q = calloc(1, sizeof(*q))) == NULL)
		fatal("out of memory");
	q->peer = peer;
	q->sid = sid;
	q->ttl = DNS_TTL_MAX;
	strlcpy(q->name, name, sizeof(q->name));
	q->lookup[0].query = q->lookup[1].query = q;
	q->lookup[0].type = family != 4 ? DNS_TYPE_AAAA : 0;
	q->lookup[1].type = family != 6 ? DNS_TYPE_A : 0;
	TAILQ_INSERT_TAIL(&queries, q, entry);
	nqueries++;
	evtimer_set(&q->timer, query_on_timer, q);
	event_base_set(child_base(), &q->timer);
	evtimer_add(&q->timer, &tv);
	return q;
}

static int
on_resolve(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	const char		*addr[ANSWER_MAX];
	struct ipc_reader	 r;
	struct peer		*peer = arg;
	struct slice		 s;
	char			 name[256];
	uint8_t			 family;
	size_t			 n;

	ipc_reader(&r, msg);
	s = ipc_get_str(&r);
	family = ipc_get_u8(&r);
	if (!ipc_done(&r) || (family != 0 && family != 4 && family != 6))
		return -1;
	if (host_name(s.p, s.len, name, sizeof(name)) == -1) {
		query_answer(ch, msg->sid, ST_NO_NAME, 0, NULL, 0);
		return 0;
	}
	n = hosts == NULL ? 0 : hosts_find(hosts, name, family, addr,
	    ANSWER_MAX);
	if (n > 0)
		query_answer(ch, msg->sid, ST_OK, HOSTS_TTL, addr, n);
	else if (nqueries >= QUERIES_MAX)
		query_answer(ch, msg->sid, ST_TRANSIENT, 0, NULL, 0);
	else
		query_run(query_new(peer, msg->sid, name, family));
	return 0;
}

static const struct ipc_handler relay_handlers[] = {
	{ IPC_RESOLVE, on_resolve },
	{ 0, NULL }
};

static void
on_relay_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct peer	*peer = arg;
	struct query	*q;

	log_debug("event=relay-gone index=%u end=%d", ipc_peer_index(ch),
	    (int)end);
	TAILQ_FOREACH(q, &queries, entry)
		if (q->peer == peer)
			q->peer = NULL;
	LIST_REMOVE(peer, entry);
	ipc_free(ch);
	free(peer);
}

static int
resolver_channel(enum ipc_role role, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	struct peer	*peer;

	(void)name;
	if (role != ROLE_RELAY || (peer = calloc(1, sizeof(*peer))) == NULL) {
		close(fd);
		return -1;
	}
	peer->ipc = ipc_new(fd, ROLE_RESOLVER, ROLE_RELAY, relay_handlers,
	    on_relay_closed, peer);
	if (peer->ipc == NULL)
		fatal("out of memory");
	ipc_set_peer(peer->ipc, index, epoch);
	LIST_INSERT_HEAD(&peers, peer, entry);
	return 0;
}

/* --- configuration --- */

static void
text_free(struct text *t)
{
	free(t->p);
	t->p = NULL;
	t->len = 0;
}

/* The whole file behind fd; what cannot be read counts as empty. */
static void
text_read(struct text *t, int fd)
{
	struct stat	 st;
	ssize_t		 n;

	text_free(t);
	if (fstat(fd, &st) == -1 || st.st_size <= 0 ||
	    st.st_size > FILE_SIZE_MAX)
		return;
	if ((t->p = malloc((size_t)st.st_size)) == NULL)
		fatal("out of memory");
	n = pread(fd, t->p, (size_t)st.st_size, 0);
	t->len = n < 0 ? 0 : (size_t)n;
}

static int
resolver_conf_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	(void)generation;
	(void)name;
	if (kind == FILE_HOSTS)
		text_read(&next_hosts_text, fd);
	else if (kind == FILE_RESOLV)
		text_read(&next_resolv, fd);
	close(fd);
	return 0;
}

static int
resolver_conf_check(struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	(void)conf;
	(void)generation;
	hosts_free(next_hosts);
	next_hosts = hosts_parse(next_hosts_text.p == NULL ? "" :
	    next_hosts_text.p, next_hosts_text.len);
	if (next_hosts != NULL)
		return 0;
	strlcpy(reason, "resolver: out of memory", size);
	return -1;
}

static void
resolver_conf_abort(uint32_t generation)
{
	(void)generation;
	hosts_free(next_hosts);
	next_hosts = NULL;
	text_free(&next_hosts_text);
	text_free(&next_resolv);
}

/* Other name servers: a new context, and what is open is asked again. */
static void
resolver_switch(void)
{
	struct ub_ctx	*old = ub;
	struct query	*q, *next;
	int		 i;

	TAILQ_FOREACH(q, &queries, entry)
		for (i = 0; i < 2; i++)
			if (q->lookup[i].running)
				ub_cancel(old, q->lookup[i].id);
	if ((ub = ub_new(&resolv)) == NULL)
		log_err("event=resolver error=\"no context\"");
	if (old != NULL)
		ub_ctx_delete(old);
	TAILQ_FOREACH_SAFE(q, &queries, entry, next) {
		q->open = 0;
		q->n = 0;
		q->failed = q->no_name = 0;
		query_run(q);
	}
}

static void
resolver_conf_commit(struct conf *conf, uint32_t generation)
{
	int	 same;

	(void)conf;
	(void)generation;
	hosts_free(hosts);
	hosts = next_hosts;
	next_hosts = NULL;
	text_free(&next_hosts_text);
	same = ub != NULL && resolv.len == next_resolv.len &&
	    (resolv.len == 0 ||
	    memcmp(resolv.p, next_resolv.p, resolv.len) == 0);
	text_free(&resolv);
	resolv = next_resolv;
	next_resolv.p = NULL;
	next_resolv.len = 0;
	if (!same)
		resolver_switch();
}

static const struct child resolver_child = {
	.role = ROLE_RESOLVER,
	.name = "resolver",
	.conf_file = resolver_conf_file,
	.conf_check = resolver_conf_check,
	.conf_commit = resolver_conf_commit,
	.conf_abort = resolver_conf_abort,
	.channel = resolver_channel,
};

int
main(int argc, char **argv)
{
	return child_main(&resolver_child, argc, argv);
}
