/*
 * What the files of the schedule share. Private to them.
 */
#ifndef QUEUE_SCHEDULE_PRIV_H
#define QUEUE_SCHEDULE_PRIV_H

#include "schedule.h"

/* --- schedule.c --- */

/* All destinations, in the order in which they were made. */
extern struct dest_list	schedule_dests;
/* Something changed that may let something go there. */
void	 dest_touch(struct dest *);
/* May something go there now? */
bool	 dest_is_open(const struct dest *);
/* How many places there are free; UINT32_MAX: enough for anyone. */
uint32_t dest_room(const struct dest *);

/* --- schedule_lane.c: what is due, by whom it is from --- */

void	 lane_init(void);
/* Has the configuration tenants? If that is new, all goes out of the lanes. */
void	 lane_set_tenants(bool);
/* All to those that are not due yet; dest_touch() brings it back. */
void	 lane_empty_all(struct dest *);
/* A message that is due, into its lane. -1: memory is out, it is not. */
int	 lane_put(struct message *);
/* Out of it again. */
void	 lane_take(struct message *);
/* Call fn for those in a lane that were due then; it must not change lanes. */
void	 lane_each(struct dest *, time_t when,
	    void (*fn)(void *, struct message *), void *);
/* Their times were moved. */
void	 lane_order(struct dest *);
/* The destination's caps, or what is paused, has changed. */
void	 lane_refresh_all(struct dest *);
void	 lane_pause_tenant(const char *name);
/*
 * Whose turn it is at that destination gets a place there, while there are any;
 * from then on he waits for one at a relay process. False: nobody wants one.
 */
bool	 lane_grant(struct dest *);
/*
 * Whose turn it is of those who have a place at their destination; NULL: nobody
 * or no place at a relay process. He has a job in flight by it.
 */
struct lane *lane_next(void);
/* The same for a destination with a relay process of its own. */
struct lane *lane_next_of(struct dest *);
struct dest *lane_dest(const struct lane *);
struct message *lane_head(const struct lane *);
/* His job went out. */
void	 lane_charge(struct lane *, uint64_t cost);
/* His job is over, or never went out. The lane may be gone after that. */
void	 lane_end(struct lane *);

/* --- schedule_time.c --- */

void	 time_init(schedule_expire);
/* The time when it was last asked for. */
time_t	 time_last(void);
/* The longest of its intervals, in seconds. */
unsigned int retry_longest(const struct dest *);
/* All its recipients that wait are due. */
void	 try_at_once(struct message *, time_t now);

/* --- schedule_pause.c --- */

bool	 pause_has_tenant(const char *name);
/* Go on with what domains that are no longer paused have: a step of it. */
void	 pause_resume(time_t now);

#endif
