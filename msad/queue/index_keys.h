/*
 * Strings that many messages share, and for each the messages it stands for.
 * See index_keys.c and index_postings.c. Private to the index.
 */
#ifndef QUEUE_INDEX_KEYS_H
#define QUEUE_INDEX_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#include "index.h"

struct postings_chunk;

/* The message with that handle. */
struct message *message_at(uint32_t handle);

/* Messages in ascending id. All zero: none. */
struct postings {
	struct postings_entry {
		uint64_t		 first;	/* id of its first */
		struct postings_chunk	*chunk;
	}		*chunks;
	uint32_t	 nchunks, alloc;
	uint32_t	 n;
	uint32_t	 only;		/* the one message; then no chunks */
	uint64_t	 last;		/* no id in it is greater */
};

/* Put m in, if it is not there. -1: no memory. */
int	 postings_add(struct postings *, const struct message *);
/* Take it out, if it is there. */
void	 postings_remove(struct postings *, const struct message *);
/* The first message with that id or a greater one. */
struct message *postings_from(const struct postings *, uint64_t id);
/* At most n from there on, into buf; returns how many. */
unsigned int postings_batch(const struct postings *, uint64_t id,
    struct message **buf, unsigned int n);
void	 postings_clear(struct postings *);

/* Kinds of strings beyond those that select messages. */
#define KEY_ORIGIN	INDEX_KINDS
#define KEY_CAPITALS	(INDEX_KINDS + 1)	/* senders with some */
#define KEY_FUTURE	(INDEX_KINDS + 2)	/* users: ENVELOPE_FUTURE */
#define KEY_KINDS	(INDEX_KINDS + 3)

/* The string's handle, held once more; 0: no memory. */
uint32_t keys_hold(unsigned int kind, struct slice);
void	 keys_release(uint32_t);
const char *keys_name(uint32_t);
unsigned int keys_kind(uint32_t);
/* Its number among those of its kind, which are as small as can be. */
uint32_t keys_number(uint32_t);
/* Its handle, 0: there is none. */
uint32_t keys_find(unsigned int kind, struct slice);
struct postings *keys_postings(uint32_t);
/* The next handle of that kind behind h, at first 0; 0: no more. */
uint32_t keys_next(unsigned int kind, uint32_t h);

/* index_tenants.c: a message is in the list of its tenant. -1: no memory. */
int	 tenants_add(const struct message *);
/* It is about to leave it. */
void	 tenants_remove(const struct message *);

#endif
