/*
 * Clients from accept to greeting: how many there may be, who is barred, and
 * what a load balancer says of them. Part of the front-end; listener.c and
 * session.c call.
 *
 * Connections are counted over all workers in the file that msad gave. The
 * networks are those of the configuration that holds now; limits are of the
 * listener's generation, as all settings of a session are.
 */

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/counts.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/frontend/arrival.h"
#include "msad/frontend/proxy.h"
#include "msad/frontend/session.h"

_Static_assert(PROXY_V1 == CONF_PROXY_V1 && PROXY_V2 == CONF_PROXY_V2,
    "the versions of the grammar are the parser's");
_Static_assert(PROXY_HEADER_MAX <= CONN_IN_SIZE, "a header fits the buffer");

static struct counts	*counts;

void
arrival_counts(int fd)
{
	if (counts == NULL &&
	    (counts = counts_map(fd, child_index())) == NULL)
		log_warn("event=counts error=%s", log_q(strerror(errno)));
	close(fd);
}

bool
arrival_enter(const struct conf_limits *l, const struct sockaddr *sa,
    struct arrival *a)
{
	struct counts_max	 max;

	memset(a, 0, sizeof(*a));
	if (counts == NULL ||
	    !network_of(sa, 32, (unsigned int)l->ipv6_address, &a->address) ||
	    !network_of(sa, (unsigned int)l->ipv4_network,
	    (unsigned int)l->ipv6_network, &a->network))
		return true;
	max.total = (uint32_t)l->connections;
	max.address = (uint32_t)l->per_address;
	max.network = (uint32_t)l->per_network;
	a->counted = counts_enter(counts, &a->address, &a->network, &max);
	return a->counted;
}

void
arrival_leave(struct arrival *a)
{
	if (a->counted)
		counts_leave(counts, &a->address, &a->network);
	a->counted = false;
}

static bool
is_in(const struct conf_networks *networks, const struct sockaddr *sa)
{
	const struct conf_network	*n;

	TAILQ_FOREACH(n, networks, entry)
		if (network_has(&n->net, sa))
			return true;
	return false;
}

bool
arrival_barred(const struct sockaddr *sa)
{
	return is_in(&child_conf()->barred, sa);
}

bool
arrival_may_proxy(const struct sockaddr *sa)
{
	return is_in(&child_conf()->proxies, sa);
}

bool
arrival_early(const struct session *s)
{
	char	c;

	return s->set->early_reject && s->c.tls == NULL &&
	    recv(s->c.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The header is whole: the session begins, from where it says. */
static void
proxy_done(struct session *s, const struct proxy *px)
{
	struct sockaddr_storage	 ss = px->client;
	socklen_t		 len = sizeof(ss);

	conn_drop_input(&s->c);
	if (ss.ss_family == AF_UNSPEC &&
	    getpeername(s->c.fd, (struct sockaddr *)&ss, &len) == -1) {
		session_drop(s, "proxy");
		return;
	}
	if (arrival_enter(&s->set->limits, (struct sockaddr *)&ss,
	    &s->arrival)) {
		session_begin(s, (struct sockaddr *)&ss);
		return;
	}
	stats_inc(STAT_SMTP_SESSIONS_REFUSED);
	if (s->set->implicit)
		session_drop(s, "connection-limit");
	else
		session_end(s, REPLY_BUSY_GREETING, "connection-limit");
}

void
arrival_proxy(struct session *s)
{
	struct proxy	px;
	size_t		had = conn_input(&s->c).len;

	/* What comes behind the header stays where it is (PX-8). */
	conn_peek(&s->c);
	if (s->c.eof)
		return;
	switch (proxy_parse(conn_input(&s->c), s->set->proxy, &px)) {
	case PROXY_MORE:
		conn_peeked(&s->c, had, conn_input(&s->c).len);
		break;
	case PROXY_DONE:
		conn_peeked(&s->c, had, px.len);
		proxy_done(s, &px);
		break;
	default:
		log_info("s=%s event=proxy-refused client=%s", session_id(s),
		    s->peer);
		session_drop(s, "proxy");
	}
}
