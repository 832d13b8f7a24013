/*
 * Workers of PAM, which msad starts because they run as root. auth says how
 * many it wants and which one hangs; msad bounds the number by the
 * configuration, so that auth taken over can make no more processes. The index
 * that auth knows a worker by is never used again.
 */

#include "common/conf.h"
#include "common/log.h"
#include "msad/parent/files.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

/* What a conversation under way may take before a worker must end. */
#define LAST_CONVERSATION	60

static struct proc	*places[PAM_WORKERS_MAX];

static void
want_one(unsigned int slot)
{
	struct proc	*p = places[slot];
	int64_t		 now;

	if (p == NULL)
		p = places[slot] = proc_new(ROLE_PAM, slot, NULL, "/");
	if (p == NULL)
		return;
	if (p->wanted && (PROC_ALIVE(p) || event_pending(&p->timer,
	    EV_TIMEOUT, NULL)))
		return;
	p->wanted = true;
	now = parent_now();
	if (!PROC_ALIVE(p))
		proc_timer(p, p->rest > now ? p->rest - now : 0);
}

void
pool_want(unsigned int n)
{
	unsigned int	 i, max = parent_generation()->conf->pool.max;
	struct proc	*p;

	if (n > max) {
		log_debug("event=pam-workers wanted=%u max=%u", n, max);
		n = max;
	}
	if (supervise_stopping())
		return;
	for (i = 0; i < n; i++)
		want_one(i);
	for (; i < PAM_WORKERS_MAX; i++) {
		if ((p = places[i]) == NULL || !p->wanted)
			continue;
		p->wanted = false;
		if (PROC_ALIVE(p))
			proc_stop(p, LAST_CONVERSATION);
	}
}

void
pool_kill(uint32_t index)
{
	struct proc	*p;
	unsigned int	 i;

	for (i = 0; i < PAM_WORKERS_MAX; i++) {
		p = places[i];
		if (p == NULL || !PROC_ALIVE(p) || p->index != index ||
		    p->condemned)
			continue;
		log_notice("event=pam-killed name=%s pid=%d", p->name,
		    (int)p->pid);
		p->excused = true;
		proc_kill(p);
		return;
	}
	/* it died meanwhile: nothing is left to do */
}

void
pool_reset(void)
{
	unsigned int	 i;

	for (i = 0; i < PAM_WORKERS_MAX; i++) {
		if (places[i] == NULL)
			continue;
		places[i]->wanted = false;
		if (!PROC_ALIVE(places[i]))
			continue;
		places[i]->state = PROC_STOPPING;	/* not its fault */
		proc_kill(places[i]);
	}
}
