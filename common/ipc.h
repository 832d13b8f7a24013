#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_types.h"
#include "common/slice.h"

/*
 * Channels between the processes: SOCK_STREAM socketpairs, a fixed header and
 * a payload of at most IPC_PAYLOAD_MAX octets, one descriptor at most a
 * message. Driven by libevent; always read; writes are gathered and go out
 * when the loop comes round, many messages a system call.
 *
 * Every message is checked against ipc_types.h: type allowed from this peer to
 * us, size, descriptor. A handler reads the payload by the getters and returns
 * 0, or -1 when the payload is not what the table says. Both cases end the
 * channel: closed() is called with IPC_VIOLATION, and the peer is to be
 * treated as compromised.
 */

struct ipc;

enum ipc_end {
	IPC_EOF,		/* the peer is gone */
	IPC_ERROR,		/* read or write failed */
	IPC_VIOLATION		/* the peer broke the rules */
};

struct ipc_msg {
	unsigned int	 type;		/* enum ipc_type */
	uint64_t	 sid;
	const uint8_t	*data;
	size_t		 len;
	int		 fd;		/* or -1; for ipc_take_fd() */
};

/* One entry a message that this process takes on this channel. */
struct ipc_handler {
	unsigned int	 type;
	int		(*fn)(struct ipc *, struct ipc_msg *, void *arg);
};

struct event_base;
/* The loop that drives all channels of this process; before ipc_new(). */
void	 ipc_init(struct event_base *);

/*
 * Begin to talk on fd (made non-blocking, owned by the channel). handlers ends
 * with type 0. closed() is called once, from the loop, when the channel ends
 * by the peer; it must call ipc_free() sooner or later. NULL only when memory
 * is out.
 */
struct ipc *ipc_new(int fd, enum ipc_role self, enum ipc_role peer,
    const struct ipc_handler *handlers,
    void (*closed)(struct ipc *, enum ipc_end, void *), void *arg);
/* Safe inside a handler of this channel. Unclaimed descriptors are closed. */
void	 ipc_free(struct ipc *);
enum ipc_role ipc_peer(const struct ipc *);
int	 ipc_fd(const struct ipc *);
/* Octets waiting to be written: for bounds on what we owe a slow peer. */
size_t	 ipc_pending(const struct ipc *);
/*
 * A peer that owes more than n octets of reading and still asks breaks the
 * rules; 0, as at first: no bound. For peers that are not trusted.
 */
void	 ipc_set_pending_max(struct ipc *, size_t n);

/* The index and epoch of the peer; for the users of PROC_CHANNEL. */
void	 ipc_set_peer(struct ipc *, uint32_t index, uint64_t epoch);
uint32_t ipc_peer_index(const struct ipc *);
uint64_t ipc_peer_epoch(const struct ipc *);

/*
 * Write what waits, and handle messages until one of the given type was
 * handled or ms milliseconds are over. For start-up and for the wait for a TLS
 * signature. Returns 1: handled, 0: time is up, -1: the channel ended.
 */
int	 ipc_wait(struct ipc *, unsigned int type, int ms);
/* Write what waits now, blocking at most ms. 0 or -1. */
int	 ipc_flush(struct ipc *, int ms);

/*
 * Build and send a message:
 *	ipc_start(ch, IPC_SMTP_RCPT, sid);
 *	ipc_put_str(ch, path);
 *	ipc_send(ch);
 * One message at a time a channel. The message is in the channel's own buffer
 * from the start: no copy is made. A payload over the table's bounds is our
 * own broken invariant (fatal). ipc_send_fd() owns fd from then on.
 */
void	 ipc_start(struct ipc *, unsigned int type, uint64_t sid);
void	 ipc_put_u8(struct ipc *, uint8_t);
void	 ipc_put_u16(struct ipc *, uint16_t);
void	 ipc_put_u32(struct ipc *, uint32_t);
void	 ipc_put_u64(struct ipc *, uint64_t);
void	 ipc_put_str(struct ipc *, const char *);	/* NULL counts as "" */
void	 ipc_put_slice(struct ipc *, struct slice);	/* as str */
void	 ipc_put_bytes(struct ipc *, const void *, size_t);
void	 ipc_put_raw(struct ipc *, const void *, size_t);	/* no length */
/* Octets that can still be put into the message under way. */
size_t	 ipc_room(const struct ipc *);
void	 ipc_send(struct ipc *);
void	 ipc_send_fd(struct ipc *, int fd);
/* A message without payload. */
void	 ipc_send_empty(struct ipc *, unsigned int type, uint64_t sid);

/*
 * Read a payload. The getters never read past the end; once one failed the
 * rest fail too, so that one look at ipc_done() tells: it is true when all
 * were there and nothing is left over. Strings have no NUL inside; slices
 * point into the message. ipc_copy_str() copies into buf with a NUL and fails
 * when it does not fit.
 */
struct ipc_reader {
	const uint8_t	*p;
	size_t		 left;
	int		 bad;
};

void	 ipc_reader(struct ipc_reader *, const struct ipc_msg *);
uint8_t	 ipc_get_u8(struct ipc_reader *);
uint16_t ipc_get_u16(struct ipc_reader *);
uint32_t ipc_get_u32(struct ipc_reader *);
uint64_t ipc_get_u64(struct ipc_reader *);
struct slice ipc_get_str(struct ipc_reader *);
struct slice ipc_get_bytes(struct ipc_reader *);
const uint8_t *ipc_get_raw(struct ipc_reader *, size_t);
int	 ipc_copy_str(struct ipc_reader *, char *buf, size_t size);
int	 ipc_done(const struct ipc_reader *);

/* The descriptor of a message; the caller owns it then. */
int	 ipc_take_fd(struct ipc_msg *);

/*
 * Check a message against the table without a channel: 0, or -1 with *reason.
 * What ipc.c does for each; here for tests and fuzzing.
 */
int	 ipc_check(unsigned int type, enum ipc_role from, enum ipc_role to,
	    size_t len, int has_fd, const char **reason);

#endif
