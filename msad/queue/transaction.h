#ifndef QUEUE_TRANSACTION_H
#define QUEUE_TRANSACTION_H

#include "common/ipc.h"

#include "tables.h"

struct spool;
struct grant;

/* accepted is called when a message is durable and in the schedule. */
void	 transaction_init(struct spool *, void (*accepted)(void));
void	 transaction_set_tables(const struct tables *);
/* Take no new messages (shutdown). */
void	 transaction_stop(void);
/* Drop what is open for a grant that ends (grant_init). */
void	 transaction_drop(struct grant *);
/* Messages given to the spool whose answer is not there yet. */
unsigned int transaction_pending(void);

/* What a front-end may say; arg is its struct peer. */
extern const struct ipc_handler transaction_handlers[];

#endif
