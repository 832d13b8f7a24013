/*
 * The spool: what the queue process keeps on stable storage.
 *
 * This is the engine's whole interface; the log engine (spool_log.c) is one
 * implementation. It runs in msad-queue, on its event loop, and has one caller:
 * the queue.
 *
 * What is stored: messages (an opaque envelope the queue encodes, and the
 * octets to be sent), and for each message any number of small opaque states,
 * one for each key (a recipient's number, or whatever the queue likes).  The
 * newest state of a key holds.  Nothing of header, body, envelope or state is
 * kept in memory: only where it is, about 100 bytes a message and 24 a state.
 *
 * Everything that changes the spool is asynchronous: the change is gathered,
 * written with all others that are ready, flushed beside the loop, and only
 * then its callback is called.  The callback is called exactly once, never from
 * inside the call that takes it (always from the loop), in the order of
 * submission for changes without a big body.  It may call any function here
 * except spool_close().
 *
 * Changes grouped in one transaction are on disk all or none, whatever happens.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

struct spool;
struct spool_io;		/* spool_io.h */
struct spool_message;
struct spool_txn;

/*
 * Results.  The replies are the queue's to choose; these are what they would
 * be.
 */
enum spool_result {
	SPOOL_OK,		/* durable */
	/* 452 4.3.1: no room now; comes back by itself */
	SPOOL_NOSPACE,
	SPOOL_IO,		/* 451 4.3.0: this change is not on disk */
	/* 451 4.3.0: acceptance is stopped, see spool_accepting() */
	SPOOL_STOPPED,
	SPOOL_TOOBIG,		/* 552 5.3.4: beyond a bound stated below */
	SPOOL_NOENT,		/* no such message (any more) */
	SPOOL_CORRUPT		/* what was read is not what was written */
};

/* One English phrase for a result, for the log. */
const char	*spool_result_name(enum spool_result);

/* Bounds. */
#define SPOOL_ENVELOPE_MAX	(512U * 1024)	/* octets of one envelope */
/* octets of the prefix, see below */
#define SPOOL_PREFIX_MAX	(256U * 1024)
#define SPOOL_STATE_MAX		(16U * 1024)	/* octets of one state */
/* octets appended before a body file is used */
#define SPOOL_INLINE_MAX	(128U * 1024)
#define SPOOL_SEGMENT_SIZE	(16U * 1024 * 1024)
/* octets of one transaction without body files; at most half a segment */
#define SPOOL_TXN_MAX		(4U * 1024 * 1024)

/*
 * Ids below this are registers: they are no messages, always exist, have no
 * content and hold states by key like a message does.  For what must outlive a
 * restart (limits, bans, policies). A state of length 0 in a register means:
 * forget this key.
 */
#define SPOOL_REGISTERS		(UINT64_C(1) << 24)

struct spool_config {
	/* octets, multiple of 4096; 0: SPOOL_SEGMENT_SIZE */
	uint32_t	segment_size;
	uint32_t	inline_max;	/* octets; 0: SPOOL_INLINE_MAX */
	/*
	 * memory for all messages arriving; beyond it they go to a file and
	 * keep less than 4 KiB each; 0: 1 MiB
	 */
	uint64_t	gather_max;
	/* octets the segments may use; 0: no bound but the disk */
	uint64_t	log_max;
};

/*
 * A message found by recovery.  The pointers are valid during the callback
 * only.
 */
struct spool_recovered {
	uint64_t	 id;
	/* octets of the content (prefix + appended) */
	uint64_t	 size;
	const void	*env;
	size_t		 envlen;
};

/*
 * Callbacks out of the spool.
 *
 * message, state: only during spool_open(), once for each live message in
 * ascending id (that is: in order of arrival), followed by its states in
 * ascending key.  Registers come as state() calls without message(), before all
 * messages.
 *
 * trouble: something was found bad.  place is the file's name, offset where in
 * it.  During and after spool_open().  text is one line without newline.
 *
 * accepting: acceptance stopped (ok 0, reason says why) or came back (ok 1).
 * After spool_open() only.  Any may be NULL.
 */
struct spool_events {
	void	(*message)(void *, const struct spool_recovered *);
	void	(*state)(void *, uint64_t id, uint32_t key, const void *,
	    size_t);
	void	(*trouble)(void *, const char *place, uint64_t offset,
	    const char *text);
	void	(*accepting)(void *, int ok, const char *reason);
	void	*arg;
};

/* What recovery did; also see trouble(). */
struct spool_report {
	unsigned int	segments;	/* segments found */
	unsigned int	digests;	/* of these, read by their digest */
	uint64_t	records;	/* good records */
	uint64_t	messages;	/* live messages */
	/* records or batches proven durable, yet damaged: skipped */
	unsigned int	bad;
	/* torn tails cleared (normal after a crash) */
	unsigned int	torn;
	/* messages whose body file is missing or short */
	unsigned int	lost_bodies;
	/* body files of messages never committed, removed */
	unsigned int	orphans;
};

struct spool_stats {		/* gauges and counters since open */
	uint64_t	messages;	/* live */
	uint64_t	states;
	uint64_t	segments;	/* files holding records */
	uint64_t	segments_free;	/* allocated, empty */
	uint64_t	log_bytes;	/* octets of all segment files */
	uint64_t	live_bytes;	/* octets of records that still count */
	uint64_t	batches;	/* = flushes of the log */
	uint64_t	batch_records;
	uint64_t	batch_bytes;
	uint64_t	copied_bytes;	/* by reclaim */
	uint64_t	recycled;	/* segments reused */
	uint64_t	failures;	/* failed writes and flushes */
};

/*
 * Open the spool in directory dirfd (kept by the caller; "/" of the chroot),
 * create it when it is empty, lock it, recover it.  Blocks: recovery reads the
 * log and flushes by itself.
 *
 * With segment_size 0 a new spool gets segments of 1 to 16 MiB, by the space
 * there is, and an old one keeps what it has.
 *
 * io must outlive the spool.  cfg may be NULL.  Returns NULL when the spool
 * must not be used: locked by another instance, other format version,
 * unreadable; err then holds one line that says so.  Damage inside is not a
 * reason: it is reported by trouble() and the rest is used. A full disk is not
 * one either: the spool opens and does not accept.
 */
struct spool	*spool_open(int dirfd, struct spool_io *io,
	    const struct spool_config *cfg,
		    const struct spool_events *, struct spool_report *,
		    char *err, size_t errlen);

/*
 * Close. What is not durable yet is dropped, its callbacks are NOT called: wait
 * for them first (spool_idle()). Calls that the io still owes the spool must
 * not come any more: free the io before the loop runs again.
 */
void		 spool_close(struct spool *);

/* 1 when nothing is under way: no open change waits for its callback. */
int		 spool_idle(const struct spool *);

/*
 * To be called about once a second from a timer of the queue: allocates ahead,
 * reclaims at a bounded rate, tries again after a full disk or failed flush.
 */
void		 spool_tick(struct spool *);

/*
 * SPOOL_OK when new messages are taken, else SPOOL_NOSPACE or SPOOL_STOPPED,
 * with the reason in *reason (static or owned by the spool) unless reason is
 * NULL.  Ask at MAIL.  State changes, removals and transactions with
 * SPOOL_TXN_RESERVE still go through when messages do not.
 */
enum spool_result spool_accepting(const struct spool *, const char **reason);

/*
 * Octets a new message may have now: what the file system has left less the
 * reserve.  UINT64_MAX when it cannot be told.  For SIZE= at MAIL (RFC 1870).
 */
uint64_t	 spool_space(const struct spool *);

void		 spool_get_stats(const struct spool *, struct spool_stats *);

/*
 * Writing a message.
 *
 * spool_message_begin() gives a handle, or NULL with the reason in *result.
 * The id is there at once: unique in this spool for ever, ascending, never 0
 * and never below SPOOL_REGISTERS. Print it as "%" PRIx64 (8 to 16 hex digits).
 *
 * The content that will be read back is prefix + everything appended.  The
 * prefix (Received, DKIM-Signature, ...: what is known only when the rest has
 * passed) is given at commit and may be empty.  flags: SPOOL_MESSAGE_RESERVE
 * for messages of our own (DSNs), which may use the reserve of space;
 * SPOOL_MESSAGE_LARGE: more than SPOOL_INLINE_MAX octets are to be expected.
 *
 * spool_message_append() copies; on an error the message can only be aborted.
 *
 * spool_message_commit() takes the handle in every case (never touch it again).
 * env and prefix are copied.  The content may be read from the moment the
 * callback says SPOOL_OK.  To commit together with other changes use
 * spool_txn_message().
 */
#define SPOOL_MESSAGE_RESERVE	0x01
#define SPOOL_MESSAGE_LARGE	0x02

typedef void	 (*spool_done)(void *arg, enum spool_result);

struct spool_message *spool_message_begin(struct spool *, int flags,
	    enum spool_result *);
uint64_t	 spool_message_id(const struct spool_message *);
/* octets appended */
uint64_t	 spool_message_size(const struct spool_message *);
enum spool_result spool_message_append(struct spool_message *, const void *,
	    size_t);
void		 spool_message_abort(struct spool_message *);
void		 spool_message_commit(struct spool_message *, const void *env,
	    size_t envlen,
		    const void *prefix, size_t prefixlen, spool_done,
		    void *arg);

/*
 * Changing what is there.  done may be NULL.  An update of a message that is
 * removed (or in a transaction before it: is being removed) ends with
 * SPOOL_NOENT.
 *
 * spool_remove() ends a message: its states go with it, its space is given
 * back.
 */
void		 spool_update(struct spool *, uint64_t id, uint32_t key,
	    const void *, size_t,
		    spool_done, void *arg);
void		 spool_remove(struct spool *, uint64_t id, spool_done,
	    void *arg);

/*
 * Several changes as one: a DSN and the state of the recipients it reports, for
 * example.
 *
 * Build it, then commit; spool_txn_message() takes the message handle.  The
 * adding functions return SPOOL_OK or SPOOL_TOOBIG; after an error, abort.
 * SPOOL_TXN_RESERVE lets it use the reserve of space (implied when it holds no
 * message).  The result is SPOOL_OK when all is durable; SPOOL_NOENT when all
 * is durable and at least one update or removal had nothing to change; else
 * nothing of it is there, and it may be submitted again as new.  (If the
 * machine then goes down before another change is durable, a change answered
 * SPOOL_IO may be found again whole: all of it or none.)
 *
 * A message handed to a transaction that is aborted is aborted too.
 */
#define SPOOL_TXN_RESERVE	0x01

struct spool_txn *spool_txn_begin(struct spool *, int flags);
enum spool_result spool_txn_message(struct spool_txn *, struct spool_message *,
	    const void *env,
		    size_t envlen, const void *prefix, size_t prefixlen);
enum spool_result spool_txn_update(struct spool_txn *, uint64_t id,
	    uint32_t key, const void *,
		    size_t);
enum spool_result spool_txn_remove(struct spool_txn *, uint64_t id);
void		 spool_txn_abort(struct spool_txn *);
void		 spool_txn_commit(struct spool_txn *, spool_done, void *arg);

/*
 * Reading a message back.  Reads from disk (page cache) and verifies the
 * checksum.
 *
 * After spool_content_open() said SPOOL_OK:
 *   prefix, prefixlen    what was given at commit, in memory
 *   body, bodylen, fd    what was appended: in memory at body when fd is -1,
 *                        else body is NULL and it is the whole of file fd
 *                        (read-only, opened for this; may go to a relay)
 *   env, envlen          the envelope
 * Memory and fd belong to the content until spool_content_close(), which may be
 * called at any time; the message may be removed meanwhile.
 *
 * spool_content_read() copies octets at an offset of prefix + body; returns
 * their number, 0 at the end, -1 on error.  spool_content_verify() reads a body
 * file whole and checks its checksum (the rest has been verified by open).
 */
struct spool_content {
	const uint8_t	*env, *prefix, *body;
	size_t		 envlen, prefixlen;
	uint64_t	 bodylen;
	int		 fd;
	/* private */
	void		*mem;
	struct spool_io	*io;
	uint32_t	 crc;
};

enum spool_result spool_content_open(struct spool *, uint64_t id,
	    struct spool_content *);
ssize_t		 spool_content_read(const struct spool_content *, uint64_t off,
	    void *, size_t);
enum spool_result spool_content_verify(const struct spool_content *);
void		 spool_content_close(struct spool_content *);

/*
 * Read one state again.  *buf is malloc'd for the caller (free(3)), NULL when
 * len is 0. SPOOL_NOENT when there is none.
 */
enum spool_result spool_state_read(struct spool *, uint64_t id, uint32_t key,
	    void **buf,
		    size_t *len);

#endif
