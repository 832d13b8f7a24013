#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>

#include "envelope.h"

struct dest;
struct failures;

/* A recipient in memory: 16 octets and its address in the message's text. */
struct rcpt {
	uint32_t	 next;		/* seconds: next attempt */
	uint32_t	 addr;		/* offset of the address in the text */
	uint16_t	 tries;
	uint8_t		 status;	/* enum rcpt_status */
	uint8_t		 lost;		/* attempts ended by a death */
	uint8_t		 notify;	/* NOTIFY_* of RCPT, 0: absent */
	uint8_t		 flags;		/* RCPT_WARNED */
};

#define MESSAGE_REMOVED		0x01	/* by the operator */
#define MESSAGE_ENDING		0x02	/* its removal waits for the disk */
#define MESSAGE_GONE		0x04	/* removed on disk; has jobs */
#define MESSAGE_REPORTING	0x08	/* a DSN is on its way to the disk */
#define MESSAGE_TRIED		0x10	/* all of it, since the last start */
#define MESSAGE_PUT_OFF		0x20	/* its DSN could not be written */
#define MESSAGE_WARN		0x40	/* tell the sender that it waits */
#define MESSAGE_HELD		0x80	/* its report is tried again later */
#define HEAP_NONE		UINT32_MAX

/*
 * A message in memory: one block of memory with its recipients and its text.
 * Made from the envelope, at acceptance and at recovery alike.
 */
struct message {
	RB_ENTRY(message)	 by_id;
	TAILQ_ENTRY(message)	 by_dest;	/* in order of arrival */
	struct dest		*dest;
	struct failures		*failures;	/* to be reported, or NULL */
	uint64_t		 id;
	uint64_t		 size;		/* octets, with our header */
	uint64_t		 arrival;	/* seconds */
	uint64_t		 since;		/* the same by today's clock */
	uint64_t		 not_before;	/* seconds; 0: at once */
	uint32_t		 heap;		/* place in dest's heap */
	uint32_t		 next;		/* earliest of its rcpts */
	uint32_t		 header_len;
	uint32_t		 nrcpts;
	uint32_t		 nleft;		/* neither done nor failed */
	uint32_t		 nbusy;		/* of nleft: not waiting */
	uint32_t		 njobs;
	uint16_t		 tenant, auth, mech, relay, sender, msgid;
	uint8_t			 env_flags;	/* ENVELOPE_* */
	uint8_t			 flags;		/* MESSAGE_* */
	bool			 later;		/* waits for not_before */
	struct rcpt		 rcpts[];	/* then the text; user at 0 */
};

/* Make a message (not yet in the index). NULL when memory is out. */
struct message *message_new(uint64_t id, uint64_t size,
    const struct envelope *);
void	 message_free(struct message *);
const char *message_user(const struct message *);
const char *message_tenant(const struct message *);
const char *message_auth(const struct message *);
const char *message_mech(const struct message *);
const char *message_relay(const struct message *);
const char *message_sender(const struct message *);
const char *message_msgid(const struct message *);
const char *message_rcpt(const struct message *, uint32_t);
/* Change a recipient's status and the counts that follow from it. */
void	 message_set_status(struct message *, uint32_t, enum rcpt_status);

void	 index_insert(struct message *);
void	 index_remove(struct message *);
struct message *index_find(uint64_t id);
/* The first message whose id is greater, NULL at the end. */
struct message *index_after(uint64_t id);
uint64_t index_messages(void);

#endif
