#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "envelope.h"

struct dest;
struct failures;

/* A recipient in memory: 16 octets and the address. */
struct rcpt {
	uint32_t	 next;		/* seconds: next attempt */
	uint32_t	 addr;		/* offset of the address */
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
#define MESSAGE_WAITS_REPORT	0x80	/* its report is tried again later */
#define MESSAGE_STOPPED		0x100	/* held by an operator or a rule */
#define MESSAGE_LATE		0x200	/* its BY has passed, and was told */
#define MESSAGE_REPORT_PAID	0x400	/* its report has its place: no wait */
#define MESSAGE_GIVEN_UP	0x800	/* by an operator: no other try */
#define MESSAGE_REROUTED	0x4000	/* by an operator, to another relay */
#define HEAP_NONE		UINT32_MAX

/*
 * A message in memory: one block of memory with its recipients and their
 * addresses. Made from the envelope, at acceptance and at recovery alike. There
 * may be millions: what messages share is kept once (handles of index_keys.h),
 * what is seldom asked for is read from the spool.
 */
struct message {
	TAILQ_ENTRY(message)	 by_dest;	/* in order of arrival */
	struct dest		*dest;
	struct failures		*failures;	/* to be reported, or NULL */
	uint64_t		 id;
	uint64_t		 size;		/* octets, with our header */
	uint32_t		 arrival;	/* seconds */
	uint32_t		 since;		/* the same by today's clock */
	uint32_t		 not_before;	/* seconds; 0: at once */
	uint32_t		 heap;		/* place in dest's heap */
	uint32_t		 next;		/* earliest of its rcpts */
	uint32_t		 header_len;
	uint32_t		 deliver_by;	/* seconds; 0: none */
	uint32_t		 origin;	/* user, tenant, auth, mech */
	uint32_t		 relay, sender;
	uint32_t		 self;		/* handle of its memory */
	uint16_t		 nrcpts;
	uint16_t		 nleft;		/* neither done nor failed */
	uint16_t		 nbusy;		/* of nleft: not waiting */
	uint16_t		 njobs;
	uint16_t		 flags;		/* MESSAGE_* */
	uint8_t			 env_flags;	/* ENVELOPE_* */
	int8_t			 priority;	/* MT-PRIORITY, -9 to 9 */
	bool			 by_return;	/* its BY is of mode R */
	bool			 by_trace;	/* and has T */
	bool			 later;		/* waits for not_before */
	bool			 ready;		/* due: in its lane */
	struct rcpt		 rcpts[];	/* then their addresses */
};

/*
 * How to read a Message-ID again that is not in memory: copy it to buf; "" when
 * it is not to be had.
 */
typedef void	(*index_read_msgid)(uint64_t id, char *buf, size_t size);
void	 index_init(index_read_msgid);

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
/*
 * It goes by another relay from now on; selections know it at once. The
 * schedule is not told. -1: no memory, and nothing is changed.
 */
int	 message_set_relay(struct message *, struct slice relay);
/* Change a recipient's status and the counts that follow from it. */
void	 message_set_status(struct message *, uint32_t, enum rcpt_status);

void	 index_insert(struct message *);
void	 index_remove(struct message *);
struct message *index_find(uint64_t id);
/* The first message whose id is greater, NULL at the end. */
struct message *index_after(uint64_t id);
/* At most n of those whose id is greater, into buf; returns how many. */
unsigned int index_batch(uint64_t id, struct message **buf, unsigned int n);
uint64_t index_messages(void);
/* Their recipients, whatever became of these, and their octets. */
uint64_t index_recipients(void);
uint64_t index_octets(void);
/* Keep this Message-ID at hand for a while. */
void	 index_keep_msgid(uint64_t id, struct slice);

/*
 * Selecting: what a key has in common, in ascending id, which is the order of
 * arrival. Each step costs the same however long the queue is; nothing is held
 * between steps, so messages may come and go.
 *
 * Users, tenants and relays are compared octet for octet, envelope senders (""
 * is that of a report) and domains without regard to case. A domain is that of
 * a recipient; a message is selected by it even when that recipient is done.
 */
enum index_key {
	INDEX_USER,
	INDEX_TENANT,
	INDEX_RELAY,
	INDEX_DOMAIN,
	INDEX_SENDER
};
#define INDEX_KINDS	5

/* How many messages there are. */
uint64_t index_select_count(enum index_key, struct slice);
/* Octets of all messages of a tenant. */
uint64_t index_tenant_octets(struct slice tenant);
/* The first of them whose id is greater; NULL at the end. */
struct message *index_select_after(enum index_key, struct slice, uint64_t id);
/*
 * Has the user as many messages as that, or more, which wait for a time that
 * was asked for (ENVELOPE_FUTURE) and is not over? Cheap where it has fewer.
 */
bool	 index_future_full(struct slice tenant, struct slice user,
	    uint64_t most, uint64_t now);
/* At most n of them whose id is greater, into buf; returns how many. */
unsigned int index_select_batch(enum index_key, struct slice, uint64_t id,
	    struct message **buf, unsigned int n);
/* Call fn for each value there is, with the number of its messages. */
typedef void	(*index_value)(void *, const char *name, uint64_t n);
void	 index_select_keys(enum index_key, index_value fn, void *);
/*
 * The same in steps of at most so many: from is 0 at first, then what the step
 * before returned; 0: there are no more. What comes between steps may be
 * missed.
 */
uint32_t index_select_some(enum index_key, uint32_t from, unsigned int most,
	    index_value fn, void *);

#endif
