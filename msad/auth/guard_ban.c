/*
 * What an operator sees of the guard (guard.h) and may change: bans, and the
 * users with the most failures. Runs in msad-auth, for requests of msactl.
 *
 * Bans by msactl are of networks of any size, so they are no entries of the
 * tables but a short list, which is looked through for each client.
 */

#include <sys/types.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "common/log.h"
#include "msad/auth/guard.h"
#include "msad/auth/guard_state.h"

#define MANUAL_MAX	1024

struct manual {
	struct network	 network;
	int64_t		 until;		/* ms; INT64_MAX: no end */
};

static struct manual	 list[MANUAL_MAX];
static size_t		 nlist;

static void
to_sockaddr(const struct network *n, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*in = (void *)ss;
	struct sockaddr_in6	*in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)n->family;
	if (n->family == AF_INET)
		memcpy(&in->sin_addr, n->addr, 4);
	else
		memcpy(&in6->sin6_addr, n->addr, 16);
}

/* Is all of the small network within the other one? */
static bool
within(const struct network *small, const struct network *large)
{
	struct sockaddr_storage	 ss;

	if (small->family != large->family || small->prefix < large->prefix)
		return false;
	to_sockaddr(small, &ss);
	return network_has(large, (struct sockaddr *)&ss);
}

static bool
same(const struct network *a, const struct network *b)
{
	return a->prefix == b->prefix && within(a, b);
}

static void
drop_old(int64_t now_ms)
{
	size_t	 i;

	for (i = 0; i < nlist; )
		if (list[i].until <= now_ms)
			list[i] = list[--nlist];
		else
			i++;
}

static unsigned int
seconds_left(int64_t until, int64_t now_ms)
{
	return until == INT64_MAX ? 0 :
	    (unsigned int)((until - now_ms + 999) / 1000);
}

bool
guard_ban_holds(const struct network *address, int64_t now_ms,
    unsigned int *seconds)
{
	size_t	 i;

	for (i = 0; i < nlist; i++) {
		if (list[i].until <= now_ms ||
		    !within(address, &list[i].network))
			continue;
		*seconds = seconds_left(list[i].until, now_ms);
		return true;
	}
	return false;
}

/*
 * A client is known by its /32 or /64: a narrower ban of IPv6 is one of the
 * /64 that it is in.
 */
static struct network
widen(const struct network *n)
{
	struct sockaddr_storage	 ss;
	struct network		 wide = *n;

	if (n->family == AF_INET6 && n->prefix > 64) {
		to_sockaddr(n, &ss);
		(void)network_of((struct sockaddr *)&ss, 32, 64, &wide);
	}
	return wide;
}

int
guard_ban(const struct network *network, unsigned int seconds,
    int64_t now_ms)
{
	struct network	 n = widen(network);
	char		 buf[NETWORK_TEXT_MAX];
	size_t		 i;

	drop_old(now_ms);
	for (i = 0; i < nlist && !same(&list[i].network, &n); i++)
		continue;
	if (i == MANUAL_MAX)
		return -1;
	list[i].network = n;
	list[i].until = seconds == 0 ? INT64_MAX :
	    now_ms + (int64_t)seconds * 1000;
	if (i == nlist)
		nlist++;
	log_notice("event=ban network=%s seconds=%u by=msactl",
	    network_print(&n, buf, sizeof(buf)), seconds);
	guard_count(now_ms);
	return 0;
}

unsigned int
guard_unban(const struct network *network, int64_t now_ms)
{
	struct network		 n = widen(network);
	struct guard_net	*net;
	char			 buf[NETWORK_TEXT_MAX];
	size_t			 cursor = 0, i;
	unsigned int		 found = 0;

	drop_old(now_ms);
	for (i = 0; i < nlist; ) {
		if (within(&list[i].network, &n)) {
			list[i] = list[--nlist];
			found++;
		} else
			i++;
	}
	while ((net = guard_table_next(&guard.nets, &cursor)) != NULL) {
		/* the ban of a network around it holds for it, too */
		if (!within(&net->network, &n) && (net->until <= now_ms ||
		    !within(&n, &net->network)))
			continue;
		if (net->until > now_ms)
			found++;
		net->until = 0;
		net->bans = 0;
		net->mark.level = 0;
	}
	log_notice("event=unban network=%s bans=%u",
	    network_print(&n, buf, sizeof(buf)), found);
	guard_count(now_ms);
	return found;
}

bool
guard_next_ban(size_t *cursor, int64_t now_ms, struct guard_ban *ban)
{
	const struct guard_net	*net;
	size_t			 at;

	memset(ban, 0, sizeof(*ban));
	while (*cursor < MANUAL_MAX) {
		at = (*cursor)++;
		if (at >= nlist || list[at].until <= now_ms)
			continue;
		ban->network = list[at].network;
		ban->seconds = seconds_left(list[at].until, now_ms);
		ban->manual = true;
		return true;
	}
	at = *cursor - MANUAL_MAX;
	while ((net = guard_table_next(&guard.nets, &at)) != NULL) {
		if (net->until <= now_ms)
			continue;
		*cursor = at + MANUAL_MAX;
		ban->network = net->network;
		ban->seconds = seconds_left(net->until, now_ms);
		ban->failures = (net->mark.level + 999) / 1000;
		return true;
	}
	*cursor = at + MANUAL_MAX;
	return false;
}

/* Put a user where he belongs among the n with the most failures. */
static size_t
insert(struct guard_user *out, size_t have, size_t n,
    const struct guard_name *name, unsigned int failures, bool locked)
{
	size_t	 i = have < n ? have : n - 1;

	if (have == n && out[i].failures >= failures)
		return have;
	for (; i > 0 && out[i - 1].failures < failures; i--)
		out[i] = out[i - 1];
	memset(&out[i], 0, sizeof(out[i]));
	memcpy(out[i].block, name->block, sizeof(out[i].block));
	memcpy(out[i].user, name->user, sizeof(out[i].user));
	out[i].failures = failures;
	out[i].refused = name->refused;
	out[i].locked = locked;
	return have < n ? have + 1 : n;
}

size_t
guard_top_users(struct guard_user *out, size_t n, int64_t now_ms)
{
	const uint64_t		 limit = guard.login.user;
	struct guard_name	*name;
	uint32_t		 level;
	size_t			 cursor = 0, have = 0;

	while (n > 0 &&
	    (name = guard_table_next(&guard.names, &cursor)) != NULL) {
		level = guard_mark_settle(&name->mark, limit,
		    guard.login.period, now_ms);
		if (level > 0)
			have = insert(out, have, n, name, (level + 999) / 1000,
			    limit > 0 && level + 1000 > limit * 1000);
	}
	return have;
}
