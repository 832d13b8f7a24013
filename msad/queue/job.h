#ifndef QUEUE_JOB_H
#define QUEUE_JOB_H

#include <stdbool.h>
#include <time.h>

#include "common/ipc.h"

#include "index.h"
#include "peers.h"
#include "tables.h"

#define JOBS_PER_RELAY	256	/* jobs in flight at one relay process */
#define JOB_RCPTS_MAX	100	/* recipients of one job */
/*
 * A relay that is silent about a job for as long as this is taken to hang: more
 * than the sum of what RFC 5321 section 4.5.3.2 lets it wait for its peer.
 */
#define JOB_SILENCE_MAX	(2 * 60 * 60)	/* seconds, and for */
#define JOB_SILENCE_RCPT	300	/* each recipient, and for */
#define JOB_SILENCE_RATE	1024	/* each so many octets one second */

struct dest;
struct spool;

void	 job_init(struct spool *);
/* The tables that smart hosts' passwords come from; kept, not copied. */
void	 job_set_tables(const struct tables *);
/* See schedule_send in schedule.h. */
int	 job_send(struct dest *, struct message *, time_t now, bool probe);
/* The relay process is gone: its jobs are to be tried again at once. */
void	 job_drop_peer(struct peer *, time_t now);
/*
 * Once a second. Returns a relay process that hangs: its channel is to be
 * closed, as if it had died. Else NULL.
 */
struct peer *job_tick(void);
unsigned int job_count(void);

/* What a relay may say; arg is its struct peer. */
extern const struct ipc_handler job_handlers[];

#endif
