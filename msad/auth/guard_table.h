#ifndef AUTH_GUARD_TABLE_H
#define AUTH_GUARD_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Counts of failures in fixed memory. A table has sets of a few places; a key
 * hashes, by a secret key, to one set. Where a set is full, the entry that is
 * worth least gives way, so that nobody can fill the table to make it forget
 * what is worth more than what he brings.
 */
#define GUARD_WAYS	8	/* places of a set */

/* What each entry begins with. A level is in thousandths of a failure. */
struct guard_mark {
	uint64_t	 tag;		/* hash of the key; 0: free */
	int64_t		 at;		/* ms: when level was true */
	uint32_t	 level;
};

struct guard_table {
	uint8_t		*places;
	size_t		 size;		/* octets of an entry */
	uint32_t	 sets;
	uint32_t	 used;		/* entries there are */
	/* How much is lost with that entry; the least gives way. */
	uint64_t	(*worth)(const void *, int64_t now_ms);
};

/* 0, or -1 without memory. */
int	 guard_table_init(struct guard_table *, size_t size, uint32_t sets,
	    uint64_t (*worth)(const void *, int64_t));
/* NULL: there is none. tag is not 0. */
void	*guard_table_find(const struct guard_table *, uint64_t tag);
/* The same, made where there is none: zero but for the tag and at. */
void	*guard_table_take(struct guard_table *, uint64_t tag, int64_t now_ms);
/* All entries one after the other, from *cursor 0 on; NULL: no more. */
void	*guard_table_next(const struct guard_table *, size_t *cursor);
size_t	 guard_table_memory(const struct guard_table *);

/* Let the level sink by limit failures a period since it was looked at. */
uint32_t guard_mark_settle(struct guard_mark *, uint64_t limit,
	    uint64_t period_s, int64_t now_ms);
void	 guard_mark_add(struct guard_mark *, uint32_t level);
void	 guard_mark_take(struct guard_mark *, uint32_t level);

#endif
