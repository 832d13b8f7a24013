/*
 * The spool's side of outcome.c for its tests: what is written is kept, and is
 * on the disk when the test says so.
 */
#ifndef UNIT_OUTCOME_SIDE_H
#define UNIT_OUTCOME_SIDE_H

#include "common/conf.h"
#include "msad/queue/outcome.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"

#define NOW		1000000
#define REPORT_ID	77		/* of each report */

extern struct conf	 conf;
extern char		*report;	/* what was written */
extern bool		 full;		/* no room for one */
extern bool		 removes;	/* it removes its message */
extern unsigned int	 nbegun, nupdates;	/* transactions, states */
extern struct rcpt_record last_update;	/* of one recipient's state */
extern spool_done	 txn_done;
extern void		*txn_arg;
extern unsigned int	 nunder_way;	/* updates outside of those */
extern const char	*notify;	/* parameters of both recipients */

int	 send_stub(struct dest *, struct message *, time_t, bool);
struct message *message(uint64_t id);
void	 updates_end(enum spool_result);
/* The report is gone, so that there may be another one. */
void	 drop_report(void);
int	 setup(void **);
int	 teardown(void **);

#endif
