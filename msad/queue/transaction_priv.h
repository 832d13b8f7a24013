#ifndef QUEUE_TRANSACTION_PRIV_H
#define QUEUE_TRANSACTION_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/verdict.h"

#include "author.h"
#include "check.h"
#include "limits.h"
#include "terms.h"

struct lookups;
struct spool_message;

/* A message on its way in; for transaction.c and accept.c alone. */

/* In the order in which they come. */
enum tx_state { TX_ASKING, TX_ENVELOPE, TX_DATA, TX_HEADER, TX_BODY };

struct tx_rcpt {
	char		*path;
	char		*params;	/* canonical, NULL: none */
	uint32_t	 hash;
};

struct transaction {
	enum tx_state		 state;
	struct lookups		*lookups;	/* what databases said */
	uint64_t		 size;		/* as MAIL said */
	struct limits_taken	 taken;
	char			*sender;
	char			*relay;		/* from TX_ENVELOPE on */
	char			*params;	/* canonical */
	struct terms		 terms;
	bool			 large;		/* by the size at MAIL */
	bool			 utf8;		/* SMTPUTF8 was asked */
	bool			 utf8header;	/* and a header needs it */
	size_t			 env_size;	/* of the recipients so far */
	struct tx_rcpt		*rcpts;
	uint32_t		 nrcpts;
	uint32_t		 cap;
	bool			 esmtp;
	bool			 tls;
	char			 cipher[65];
	char			*helo;		/* as Received shows it */
	struct check		 check;
	size_t			 header_len;
	struct spool_message	*content;
	enum verdict		 verdict;	/* of the spool; else check's */
	uint32_t		 rule;		/* that holds it, 0: none */
	char			 text[AUTHOR_TEXT_MAX];	/* From, rule */
};

#endif
