#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct message;
struct spool;

/*
 * What happened to a message, for "msactl queue log": the newest events of each
 * message that is in the queue, kept in the spool with it (KEY_HISTORY), and
 * those of the messages that left it last, in memory. Of one that is in the
 * queue nothing stays in memory, but while it is written.
 *
 * Nothing waits for a history and nothing fails with it: what the disk does not
 * take (it is full, or fails) is not remembered.
 */
#define HISTORY_EVENTS_MAX	24	/* kept of a message: the newest */
#define HISTORY_TEXT_MAX	200	/* octets of an event's text */
#define HISTORY_ENDED_MAX	10000	/* messages that left, remembered */
/* octets these may take */
#define HISTORY_ENDED_OCTETS	(8U * 1024 * 1024)

void	 history_init(struct spool *);
/*
 * It was accepted, by that session of a client at that address ("": local). No
 * event: what "accepted" says is read from the envelope. This is remembered of
 * the newest, for those that leave soon.
 */
void	 history_accepted(const struct message *, uint64_t epoch, uint64_t sid,
	    const char *client);
/*
 * Something happened: event is one of the words of msad-log(5) ("deferred",
 * "bounced", "held", "rerouted" ...), text what an operator wants to know of
 * it. On its way to the disk at once.
 */
void	 history_add(struct message *, time_t, const char *event,
	    const char *fmt, ...)
	    __attribute__((__format__(printf, 4, 5)));
/*
 * An attempt for a recipient ended: code (0: none) and reply are what the host
 * remote ("": none) said, or why it could not be asked; dsn is the report's id
 * or NULL. Those of one moment that say the same are one event. Goes to the
 * disk with history_settle(), so that a delivery at the first attempt costs
 * none.
 */
struct history_attempt {
	const char	*event, *rcpt, *remote, *reply, *dsn;
	uint16_t	 code;
};
void	 history_attempt(const struct message *, time_t,
	    const struct history_attempt *);
/* A round of attempts is over, and it stays in the queue. */
void	 history_settle(uint64_t id);
/* It is about to leave the disk: bring into memory what is there of it. */
void	 history_keep(uint64_t id);
/*
 * It leaves the queue: remember it among those that left. event is a last word
 * on that, or NULL. Before it leaves the disk, or after history_keep().
 */
void	 history_end(struct message *, time_t, const char *event);
/* It is no more: nothing of it is to be written. */
void	 history_forget(uint64_t id);
/* Once a second: write what nobody settled. */
void	 history_tick(void);
/*
 * Call fn for each event of that message, oldest first, beginning with its
 * acceptance. Returns how many; 0: no such message is known.
 */
unsigned int history_each(uint64_t id, void (*fn)(void *, time_t,
	    const char *event, const char *text), void *);

#endif
