#ifndef QUEUE_HISTORY_RECORD_H
#define QUEUE_HISTORY_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#include "history.h"

/*
 * What happened to a message, as the spool has it (KEY_HISTORY): the newest
 * events, oldest first.
 */
#define HISTORY_RECORD_VERSION	1
#define HISTORY_RECORD_MAX	6144	/* octets */
#define HISTORY_WORD_MAX	24	/* of the event's word */
#define HISTORY_RCPT_MAX	100	/* of the address shown */

struct history_event {
	uint64_t	 time;		/* seconds since 1970 */
	uint16_t	 more;		/* other recipients, likewise */
	struct slice	 event;
	struct slice	 rcpt;		/* the first of them, or "" */
	struct slice	 text;
};

struct history_record {
	uint32_t		 dropped;	/* older ones, not kept */
	unsigned int		 n;
	struct history_event	 events[HISTORY_EVENTS_MAX];
};

/*
 * Add an event; the oldest makes room where there is none. Slices stay the
 * caller's; those over their bound are cut.
 */
void	 history_record_add(struct history_record *,
	    const struct history_event *);
/*
 * Into buf of HISTORY_RECORD_MAX, without the oldest that do not fit. Returns
 * the length.
 */
size_t	 history_record_encode(struct history_record *, uint8_t *buf);
/* 0, or -1: not a record of ours. Slices point into it. */
int	 history_record_decode(const void *, size_t, struct history_record *);

#endif
