#ifndef UNIT_STEER_HOUSE_H
#define UNIT_STEER_HOUSE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/ipc.h"
#include "msad/queue/control.h"
#include "msad/queue/envelope.h"
#include "msad/queue/index.h"
#include "msad/queue/peers.h"
#include "msad/queue/spool.h"

#define N		12
#define FIRST_ID	0x1000000

/* Control, as the queue has it. */
extern struct peer	*peer;
/*
 * Message i: id FIRST_ID + i, to a domain by i % 3, of a user by i % 4, by
 * relay "out", next tried in 1000 + i seconds. 10 is held by a limit, 11 a
 * future one.
 */
extern struct message	*queue[N];
extern time_t		 now;

/* What control was told since it asked. */
struct got {
	unsigned int	 messages, rcpts, ends, totals, groups, ages;
	uint64_t	 ids[64];
	uint8_t		 state;		/* of the last recipient */
	uint64_t	 next_try;
	char		 relay[64], reply[300];
	uint8_t		 status;
	uint32_t	 matched;
	uint64_t	 next;
	char		 reason[300];
	uint64_t	 total[7];
	uint8_t		 paused;
	char		 group[8][64];
	uint64_t	 count[8];
	uint8_t		 flags[8];
	uint32_t	 age[AGE_BUCKETS];
};
extern struct got	 got;

/* What the rest of the queue was told. */
struct did {
	unsigned int	 expired, failed, gone, settled;
	char		 reason[100];
	char		 events[32][20];
	unsigned int	 nevents;
};
extern struct did	 did;

/* What the disk was asked and has not answered. */
struct asked {
	uint64_t	 id;
	uint32_t	 key;
	size_t		 len;		/* 0: a removal */
	uint8_t		 buf[MARK_RECORD_MAX];
	spool_done	 done;
	void		*arg;
};
extern struct asked	 disk[64];
extern unsigned int	 ndisk;

extern uint8_t		 question[12000];
extern size_t		 question_len;

/* Write a question, beginning with the caller; ask it. */
void	 put_caller(uint32_t uid);
void	 put(uint64_t n, size_t octets);
void	 put_text(const char *);
int	 ask_raw(int (*handler)(struct ipc *, struct ipc_msg *, void *));
/* CTL_QUEUE_SELECT by root. */
void	 ask_from(enum steer_verb, uint64_t after, uint16_t max,
	    const char *argument, const char *selection);
/* The same, and let the disk do its part; there is one answer then. */
void	 ask(enum steer_verb, const char *argument, const char *selection);
void	 expect(enum ctl_status, uint32_t matched, const char *reason);
/* All that was asked of the disk is done. */
void	 flush_disk(void);
/* Run the loop. */
void	 spin(void);
/* Message i's envelope; malloc'd, decoded into e. */
uint8_t	*queued_envelope(unsigned int i, struct envelope *e);

int	 open_house(void **);
int	 close_house(void **);
int	 setup(void **);
int	 teardown(void **);

#endif
