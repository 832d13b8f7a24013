/*
 * By when a message has to be delivered (RFC 2852), towards the next hop, in
 * msad-relay. Called by client.c for each transaction, and by maildir.c.
 *
 * A message of mode R goes only to a next hop that takes the promise on: one
 * that lists DELIVERBY and whose minimum is not above the time that is left
 * (R2852-4.1.4.1-a). One of mode N goes to any; the queue tells its sender
 * where nobody watches the time any more. What is said is the number of
 * seconds that are left when it is said, by the clock of this host.
 */

#include <sys/types.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "msad/relay/client.h"
#include "msad/relay/deliverby.h"

#define BY_MAX	999999999	/* RFC 2852 section 4: nine digits */

static int
is_asked(const struct job *job)
{
	return job->params.has_by && job->deliver_by != 0;
}

/* Seconds that are left; less than 0: it is late by so many. */
static long long
seconds_left(const struct job *job)
{
	long long	 left = (long long)job->deliver_by -
			    (long long)time(NULL);

	return left > BY_MAX ? BY_MAX : left < -BY_MAX ? -BY_MAX : left;
}

int
deliverby_lapsed(const struct job *job)
{
	return is_asked(job) && job->params.by_return &&
	    seconds_left(job) <= 0;
}

int
deliverby_suits(const struct client *c, const struct job *job,
    struct result *res)
{
	if (!is_asked(job) || !job->params.by_return)
		return 0;
	if (seconds_left(job) <= 0)
		result_set(res, OUTCOME_PERMANENT, "5.4.7", "the time by "
		    "which it was to be delivered has passed");
	else if ((c->caps & CAP_DELIVERBY) == 0)
		result_set(res, OUTCOME_PERMANENT, "5.3.3", "it was to be "
		    "delivered in time or returned, and the next hop does not "
		    "promise that (DELIVERBY)");
	else if ((long long)c->by_min > seconds_left(job))
		result_set(res, OUTCOME_PERMANENT, "5.4.7", "it was to be "
		    "delivered within %lld more seconds, and the next hop "
		    "wants %u at least", seconds_left(job), c->by_min);
	else
		return 0;
	res->flags = client_flags(c);
	return -1;
}

int
deliverby_is_told(const struct client *c, const struct job *job)
{
	return is_asked(job) && (c->caps & CAP_DELIVERBY) != 0;
}

void
deliverby_param(const struct client *c, const struct job *job,
    char buf[DELIVERBY_PARAM_MAX])
{
	long long	 left;

	buf[0] = '\0';
	if (!deliverby_is_told(c, job))
		return;
	left = seconds_left(job);
	if (job->params.by_return && left < 1)
		left = 1;	/* it passed just now: 0 would be no syntax */
	snprintf(buf, DELIVERBY_PARAM_MAX, " BY=%lld;%s%s", left,
	    job->params.by_return ? "R" : "N", job->params.by_trace ? "T" : "");
}
