#ifndef FRONTEND_SMTP_H
#define FRONTEND_SMTP_H

#include "common/slice.h"
#include "msad/frontend/session.h"

/* The greeting of a session that is ready for commands. */
void	 smtp_greeting(struct session *);
/* A command line without CRLF. */
void	 smtp_line(struct session *, struct slice line);
/* Decode input of DATA; true when some was used. */
bool	 smtp_data(struct session *);
/* Octets of a chunk, within transaction_room(). */
void	 smtp_chunk(struct session *, struct slice);
/* The last chunk is read. */
void	 smtp_chunks_end(struct session *);
/* The queue answered MAIL or RCPT; took octets; decided on the message. */
void	 smtp_verdict(struct session *, unsigned int verdict,
    const char *detail);
void	 smtp_credit(struct session *, size_t n);
void	 smtp_queued(struct session *, unsigned int verdict,
    const char *detail, const char *qid);
/* Drop the transaction, here and in the queue. */
void	 smtp_reset(struct session *);

#endif
