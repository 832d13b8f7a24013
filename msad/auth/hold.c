/*
 * Passwords that wait (hold.h). Runs in msad-auth, called by attempt.c: a
 * client that is not known yet has one verification of a user at a time, so
 * that many at once neither get past the guard nor cost a backend more than
 * one call when they all bring the same password.
 *
 * Nobody waits for long: what is waited for ends in the time that a backend
 * has, and the front-end gives up on a login that takes too long.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "msad/auth/hold.h"

#define HOLDS_MAX	4096

struct hold {
	TAILQ_ENTRY(hold)	 entry;
	uint64_t		 pair;
	char			*password;
	size_t			 npassword;
	bool			 due;
	void			(*go)(void *, struct slice);
	void			*arg;
};

static TAILQ_HEAD(hold_list, hold) holds = TAILQ_HEAD_INITIALIZER(holds);
static unsigned int		 nholds;

struct hold *
hold_new(uint64_t pair, struct slice password,
    void (*go)(void *, struct slice), void *arg)
{
	struct hold	*h;

	if (nholds >= HOLDS_MAX || (h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	if ((h->password = malloc(password.len + 1)) == NULL) {
		free(h);
		return NULL;
	}
	memcpy(h->password, password.p, password.len);
	h->npassword = password.len;
	h->pair = pair;
	h->go = go;
	h->arg = arg;
	TAILQ_INSERT_TAIL(&holds, h, entry);
	nholds++;
	return h;
}

static void
unlink_hold(struct hold *h)
{
	TAILQ_REMOVE(&holds, h, entry);
	nholds--;
}

static void
wipe(struct hold *h)
{
	freezero(h->password, h->npassword);
	free(h);
}

void
hold_free(struct hold *h)
{
	unlink_hold(h);
	wipe(h);
}

static struct hold *
first_due(void)
{
	struct hold	*h;

	TAILQ_FOREACH(h, &holds, entry)
		if (h->due)
			return h;
	return NULL;
}

/*
 * What goes on may end at once, and release others before it returns: these
 * only become due then, or thousands of them would call each other. Who has to
 * wait on has a new place behind all others, and is not due.
 */
void
hold_release(uint64_t pair)
{
	static bool	 releasing;
	struct hold	*h;

	if (pair == 0)
		return;
	TAILQ_FOREACH(h, &holds, entry)
		h->due = h->due || h->pair == pair;
	if (releasing)
		return;
	releasing = true;
	while ((h = first_due()) != NULL) {
		unlink_hold(h);
		h->go(h->arg, SLICE(h->password, h->npassword));
		wipe(h);
	}
	releasing = false;
}
