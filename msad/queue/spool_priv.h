/*
 * The inside of the log engine, shared by its files and by nobody else:
 *
 *	spool_log.c	the interface of spool.h: open, close, accepting, tick
 *	spool_message.c	messages arriving, transactions
 *	spool_gather.c	their octets meanwhile
 *	spool_batch.c	batches: gather, write, flush, answer
 *	spool_space.c	segments: allocate, recycle, reclaim
 *	spool_recover.c	what open finds
 *	spool_tell.c	... and tells
 *	spool_digest.c	what open reads instead of full segments
 *	spool_read.c	reading back
 *	spool_places.c	where everything is
 *	segment.c record.c	the octets
 */
#ifndef SPOOL_PRIV_H
#define SPOOL_PRIV_H

#include <sys/queue.h>

#include "msad/queue/record.h"
#include "msad/queue/segment.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_digest.h"
#include "msad/queue/spool_places.h"
#include "msad/queue/spool_io.h"

#define BATCH_MAX	(1024U * 1024)	/* octets; a bigger transaction alone */
#define COPY_MAX	(256U * 1024)	/* octets copied forward in a batch */
#define RESERVE		2U		/* empty segments messages must leave */
#define NAME_LEN	32
#define FDS_MAX		64U		/* open segments besides the head */

#define NAME_LOG	"log"
#define NAME_BODIES	"bodies"
#define NAME_LOCK	"lock"
#define NAME_SCRATCH	"scratch"

/* An allocated file without records. */
struct freefile {
	TAILQ_ENTRY(freefile)	entry;
	uint64_t		number;		/* "free-%016x" */
};
TAILQ_HEAD(freefiles, freefile);

/* A record within a transaction or batch: where, and what it will mean. */
struct op {
	uint64_t	id;
	/* in the transaction, then in the segment */
	uint32_t	off;
	uint32_t	size;		/* with header and padding */
	uint32_t	key;
	uint8_t		type;
	uint8_t		bodyfile;
	/* copied by reclaim from here, or NULL */
	struct segment	*from;
	struct spool_txn *txn;
};

struct spool_txn {
	TAILQ_ENTRY(spool_txn)	 entry;
	struct spool		*sp;
	uint8_t			*buf;		/* records, not sealed */
	size_t			 len, alloc;
	struct op		*ops;
	uint32_t		 nops, aops;
	spool_done		 done;
	void			*arg;
	enum spool_result	 result;
	unsigned int		 flushes;	/* of bodies, under way */
	uint8_t			 messages;	/* holds one: may be refused */
	uint8_t			 reserve;
	TAILQ_HEAD(, spool_message) bodies;	/* with files */
};
TAILQ_HEAD(txns, spool_txn);

struct spool_message {
	TAILQ_ENTRY(spool_message) entry;
	struct spool		*sp;
	uint64_t		 id;
	uint64_t		 size;		/* appended */
	uint8_t			*buf;
	/* gathered, not in a file yet */
	size_t			 len, alloc;
	uint64_t		 stored;	/* octets in a file */
	uint32_t		 place;		/* in the scratch file; 0 */
	int			 fd;		/* of the body file, or -1 */
	uint32_t		 crc;		/* of what is in the file */
	int			 flags;
	int			 failed;
};

enum prep {
	PREP_NONE,
	PREP_ALLOCATE,		/* filling a new file */
	PREP_FILLED,		/* its flush is under way */
	PREP_HEADER,		/* the flush of a header is under way */
	PREP_NAME		/* and that of its name */
};

struct spool {
	struct spool_io		*io;
	struct spool_events	 ev;
	struct spool_config	 cfg;
	int			 dir, log, bodies, lock;
	uint64_t		 key;		/* seeds every record's CRC */
	struct places		 ix;

	/* segments */
	struct segments		 segs;
	struct segments		 opened;
	unsigned int		 nsegs, nopened;
	struct segment		*head;		/* NULL: none at the moment */
	struct segment		*next;		/* prepared, not in segs */
	/* has the newest table: stays */
	struct segment		*table;
	struct freefiles	 free;
	unsigned int		 nfree;
	uint64_t		 last_epoch;
	uint64_t		 id_epoch;
	uint32_t		 id_count;
	int			 releasing;	/* directory flush under way */

	/* the machine that prepares segments */
	enum prep		 prep;
	struct segment		*prep_seg;
	uint32_t		 prep_filled;
	int			 alloc_wait;	/* the same for new files */
	int			 nospace;	/* it met a full disk */
	/* it failed: not before the next tick */
	int			 prep_wait;

	/* reclaim */
	struct segment		*victim;
	uint32_t		 victim_off;
	/* copy although nothing waits */
	int			 tick_copy;
	/* none to be had till the next tick */
	int			 no_victim;
	/* write an empty batch: does it work? */
	int			 probe;

	/* changes */
	struct txns		 pending;
	struct txns		 inflight;
	struct txns		 waiting;	/* for flushes of bodies */
	int			 flying;
	int			 kicked;
	uint8_t			*batch;
	size_t			 batch_len, batch_alloc;
	uint32_t		 batch_off;
	struct op		*ops;
	size_t			 nops, aops;
	unsigned int		 failures;	/* in a row */
	/* messages get this; SPOOL_OK: they are taken */
	enum spool_result	 stopped;
	int			 was_accepting;
	char			 reason[160];
	uint64_t		 gathered;	/* octets, of all arriving */
	int			 scratch;	/* see spool_gather.c */
	uint32_t		*idle;		/* places in it */
	uint32_t		 nidle, nplaces;
	uint64_t		*voided;	/* bodies of failed batches */
	size_t			 nvoided;
	struct spool_stats	 stats;
	unsigned int		 opening;
	int			 size_free;	/* ours to choose */
};

#define ROUND8(n)	(((n) + 7) & ~(size_t)7)

static inline uint64_t
spool_seed(const struct spool *sp, const struct segment *seg)
{
	return seg->epoch ^ sp->key;
}

static inline unsigned int
spool_spare(const struct spool *sp)
{
	return sp->nfree + (sp->next != NULL);
}

enum spool_result spool_from_errno(int);
void	spool_no_memory(void) __attribute__((__noreturn__));
void	spool_trouble(struct spool *, const char *dir, const char *name,
	    uint64_t off, const char *text);
void	spool_trouble_segment(struct spool *, const struct segment *,
	    uint64_t off, const char *text);
void	spool_check_accepting(struct spool *);

/* spool_batch.c */
void	spool_kick(struct spool *);
void	spool_submit(struct spool_txn *);
void	spool_fail_pending(struct spool *, enum spool_result,
	    int messages_only);
void	spool_failed(struct spool *, const char *what, int error);
int	spool_batch_begin(struct spool *, struct segment *);
int	spool_batch_add(struct spool *, const struct op *, const uint8_t *);
void	spool_batch_seal(struct spool *);
int	spool_batch_apply(struct spool *);

/* spool_message.c */
void	spool_message_free(struct spool_message *);
void	spool_txn_unlink(struct spool_txn *);
void	spool_txn_free(struct spool_txn *);
void	spool_body_name(char *, size_t, uint64_t id);

/* spool_gather.c */
/* Take more octets. 0, or -1 and errno: the message is of no use then. */
int	spool_gather_add(struct spool_message *, const uint8_t *, size_t);
/*
 * All octets are there: afterwards those of a message with a body file are in
 * it and those of any other in buf. 0, or -1 and errno.
 */
int	spool_gather_end(struct spool_message *);
/* Memory and place of the message go; a body file stays. */
void	spool_gather_drop(struct spool_message *);

/* spool_space.c */
void	segment_name(char *, size_t, uint64_t epoch);
void	freefile_name(char *, size_t, uint64_t number);
struct segment *segment_new(uint64_t epoch, uint32_t size);
void	segment_free(struct spool *, struct segment *);
void	segment_insert(struct spool *, struct segment *);
int	segment_fd(struct spool *, struct segment *);
void	spool_prepare(struct spool *);
int	spool_prepare_now(struct spool *);
int	spool_rotate(struct spool *);
void	spool_release_dead(struct spool *);
int	spool_release_now(struct spool *);
void	spool_freefile_add(struct spool *, uint64_t number);
int	spool_wants_copy(const struct spool *);
int	spool_copy_forward(struct spool *, size_t room);

/* spool_read.c */
enum spool_result spool_read_record(struct spool *, struct segment *,
	    uint32_t off, uint32_t size, uint8_t type, uint64_t id,
	    uint8_t **mem, struct record *);

/* spool_recover.c */
int	spool_recover(struct spool *, struct spool_report *, char *, size_t);

/* spool_tell.c */
/* 0, or -1 and errno. */
int	spool_tell(struct spool *, struct spool_report *);

#endif
