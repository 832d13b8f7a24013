/*
 * Strings that many messages share, and for each the messages it stands for.
 * See index_keys.c. Private to the index.
 */
#ifndef QUEUE_INDEX_KEYS_H
#define QUEUE_INDEX_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#include "index.h"

struct postings_chunk;

/* Messages in ascending id. All zero: none. */
struct postings {
	struct postings_entry {
		uint64_t		 first;	/* id of its first */
		struct postings_chunk	*chunk;
	}		*chunks;
	uint32_t	 nchunks, alloc;
	uint64_t	 n;
	uint64_t	 last;		/* no id in it is greater */
};

/* Put m in, if it is not there. -1: no memory. */
int	 postings_add(struct postings *, struct message *);
/* Take it out, if it is there. */
void	 postings_remove(struct postings *, const struct message *);
/* The first message with that id or a greater one. */
struct message *postings_from(const struct postings *, uint64_t id);

/* Kinds of strings beyond those that select messages. */
#define KEY_STRING	INDEX_KINDS
#define KEY_ORIGIN	(INDEX_KINDS + 1)

/* The string's handle, held once more; 0: no memory. */
uint32_t keys_hold(unsigned int kind, struct slice);
void	 keys_release(uint32_t);
const char *keys_name(uint32_t);
/* Its handle, 0: there is none. */
uint32_t keys_find(unsigned int kind, struct slice);
struct postings *keys_postings(uint32_t);
/* The next handle of that kind behind h, 0: no more. */
uint32_t keys_next(unsigned int kind, uint32_t h);

#endif
