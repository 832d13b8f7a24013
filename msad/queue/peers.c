/*
 * The channels of msad-queue. Called by queue.c when msad hands a channel
 * over or one ends, and by all who have something to say to another process.
 * A peer that died is gone from here at once: what is answered to it later is
 * dropped by whoever asks for it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#include "peers.h"

#define PENDING_MAX	(16 * 1024 * 1024)	/* owed by a front-end */

static struct peer_list	peers = TAILQ_HEAD_INITIALIZER(peers);

struct peer *
peers_add(enum ipc_role role, uint32_t index, uint64_t epoch,
    struct slice name, int fd, const struct ipc_handler *handlers,
    void (*closed)(struct ipc *, enum ipc_end, void *))
{
	struct peer	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->name = strndup(name.p, name.len)) == NULL ||
	    (p->ch = ipc_new(fd, ROLE_QUEUE, role, handlers, closed, p)) ==
	    NULL) {
		if (p != NULL)
			free(p->name);
		free(p);
		close(fd);
		return NULL;
	}
	p->role = role;
	p->index = index;
	p->epoch = epoch;
	ipc_set_peer(p->ch, index, epoch);
	if (role == ROLE_FRONTEND)
		ipc_set_pending_max(p->ch, PENDING_MAX);
	TAILQ_INSERT_TAIL(&peers, p, entry);
	return p;
}

void
peers_remove(struct peer *p)
{
	TAILQ_REMOVE(&peers, p, entry);
	ipc_free(p->ch);
	free(p->name);
	free(p->at);
	free(p);
}

struct peer *
peers_find(enum ipc_role role, uint64_t epoch)
{
	struct peer	*p;

	TAILQ_FOREACH(p, &peers, entry)
		if (p->role == role && p->epoch == epoch)
			return p;
	return NULL;
}

static uint32_t
jobs_at(const struct peer *p, uint32_t dest)
{
	return dest < p->nat ? p->at[dest] : 0;
}

static bool
is_better(const struct peer *a, const struct peer *b, uint32_t dest)
{
	uint32_t	x = jobs_at(a, dest), y = jobs_at(b, dest);

	return x != y ? x < y : a->njobs < b->njobs;
}

struct peer *
peers_relay(const char *maildir, uint32_t dest, unsigned int max)
{
	struct peer	*p, *best = NULL;

	TAILQ_FOREACH(p, &peers, entry) {
		if (p->role != ROLE_RELAY || p->njobs >= max ||
		    strcmp(p->name, maildir != NULL ? maildir : "") != 0)
			continue;
		if (best == NULL || is_better(p, best, dest))
			best = p;
	}
	return best;
}

unsigned int
peers_relays(void)
{
	const struct peer	*p;
	unsigned int		 n = 0;

	TAILQ_FOREACH(p, &peers, entry)
		n += p->role == ROLE_RELAY && p->name[0] == '\0';
	return n;
}

void
peers_job(struct peer *p, uint32_t dest, int n)
{
	uint32_t	*at;

	p->njobs += (unsigned int)n;
	if (dest >= p->nat) {
		if ((at = recallocarray(p->at, p->nat, dest + 1,
		    sizeof(*at))) == NULL)
			fatal("event=peers error=\"out of memory\"");
		p->at = at;
		p->nat = dest + 1;
	}
	p->at[dest] += (uint32_t)n;
}
