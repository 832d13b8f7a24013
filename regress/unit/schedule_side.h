/*
 * The relays' side of the schedule for its tests: jobs are taken, and end when
 * the test says so.
 */
#ifndef UNIT_SCHEDULE_SIDE_H
#define UNIT_SCHEDULE_SIDE_H

#include "msad/queue/schedule.h"

#define NOW	1000000
#define SENT_MAX	4096

extern const char	*tenant;	/* of messages made from now on */
extern uint64_t		 sent[SENT_MAX];	/* ids, in order */
extern unsigned int	 nsent, nexpired, probes, refuse;

int	 send_stub(struct dest *, struct message *, time_t, bool);
void	 expire_stub(struct message *, time_t);
/* The first job of that destination ends. */
time_t	 done(struct dest *, bool connected, time_t now);
struct message *message_by(const char *user, uint64_t id, const char *relay,
	    uint64_t arrival, uint64_t not_before, uint8_t flags);
struct message *message_for(uint64_t id, const char *relay,
	    uint64_t arrival, uint64_t not_before);
struct message *message(uint64_t id, const char *relay, uint64_t arrival);
void	 drop(struct message *);
/* Jobs are lost, messages gone. */
void	 drop_all(void);
/* The relay block as the configuration would have it, for one user alone. */
struct dest *dest(const char *name, unsigned int concurrency);
/* The process was stopped until this time. */
void	 began_at(time_t when);
void	 began_long_ago(void);

#endif
