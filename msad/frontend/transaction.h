#ifndef FRONTEND_TRANSACTION_H
#define FRONTEND_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/mime.h"
#include "msad/frontend/data.h"
#include "msad/frontend/reply.h"

/* What SMTP_DATA tells of the session. */
struct tx_origin {
	const char	*helo;
	uint8_t		 flags;		/* 1 ESMTP, 2 TLS */
	const char	*version;
	const char	*cipher;
};

/* A message under way: from MAIL to the verdict on its last octet. */
struct transaction {
	struct ipc	*queue;
	uint64_t	 sid;
	const char	*host;		/* ours; not owned */
	uint64_t	 size_max;
	unsigned int	 tried;		/* recipients */
	unsigned int	 accepted;

	struct data	 data;
	bool		 chunked;	/* by BDAT */
	enum reply	 bad;		/* what is wrong, so far */
	const char	*detail;	/* static, or text */
	char		 text[192];	/* on the header */
	bool		 header_done;
	uint8_t		 added;
	char		*buf;		/* the header as it comes */
	size_t		 len;
	size_t		 cap;
	char		*fields;	/* the header as corrected */
	size_t		 fields_len;
	struct slice	 header;	/* of fields, what is still to go */
	bool		 header_sent;	/* or on its way: nothing changes */
	bool		 ended;
	struct tx_origin origin;	/* from the end of the header on */
	enum mime_convert convert;
	bool		 utf8;		/* MAIL had SMTPUTF8 */
	struct mime	*mime;		/* from the end of the header on */
	uint64_t	 sent;		/* octets, header and body */
	size_t		 outstanding;	/* of these not taken yet */
};

struct transaction *transaction_new(struct ipc *queue, uint64_t sid,
    const char *host, uint64_t size_max);
void	 transaction_free(struct transaction *);
/*
 * Octets of input that may be decoded now: 0 while the queue has to take
 * what it was sent.
 */
size_t	 transaction_room(const struct transaction *);
/*
 * Has the channel so much of all messages to carry that no more of this one
 * should be read for now?
 */
bool	 transaction_must_wait(const struct transaction *);
/* Take decoded octets, whose input was within transaction_room(). */
void	 transaction_take(struct transaction *, const struct data_run *,
    const struct tx_origin *);
/*
 * The data are at their end. 1: all of it is sent (SMTP_END too), 0: the queue
 * has to give credit first (call again), -1: refused, *r and tx->detail say
 * why, and the queue was told to forget it.
 */
int	 transaction_finish(struct transaction *, const struct tx_origin *,
    enum reply *r);
/* The queue took n octets; sends what waits for it. */
void	 transaction_credit(struct transaction *, size_t n);

#endif
