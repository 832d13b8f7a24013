#ifndef QUEUE_SCOPE_H
#define QUEUE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/slice.h"

#include "form.h"

/*
 * What a credential is restricted to, on top of what its user may (issue C: a
 * printer's password that is worth little when stolen). An empty list
 * restricts nothing.
 */
struct scope {
	uint8_t		 flags;		/* GRANT_* */
	char		*label;		/* "" none */
	char		**senders;	/* addresses and @domains */
	size_t		 nsenders;
	char		**domains;	/* of recipients */
	size_t		 ndomains;
	uint32_t	 rate;		/* messages an hour; 0: no limit */
	uint64_t	 not_before;	/* seconds; 0: relay at once */
};

/* The same as it stands in a GRANT. */
struct scope_claim {
	uint8_t		 flags;
	struct slice	 label;
	struct slice	 senders[GRANT_LIST_MAX];
	size_t		 nsenders;
	struct slice	 domains[GRANT_LIST_MAX];
	size_t		 ndomains;
	uint32_t	 rate;
	uint64_t	 not_before;
};

/*
 * Read the end of a GRANT, from its flags on. 0, or -1: flags or counts that
 * the table of messages does not allow. Slices point into the message.
 */
int	 scope_read(struct ipc_reader *, struct scope_claim *);
/*
 * Keep it. -1 when memory is out or an entry is neither address nor domain:
 * no restriction may get lost, so the grant must not be taken then. c NULL:
 * no restrictions.
 */
int	 scope_set(struct scope *, const struct scope_claim *c);
void	 scope_clear(struct scope *);
/*
 * May the credential be used in the name of this address? plain: may it count
 * as the one without its sub-address? A NULL scope restricts nothing.
 */
bool	 scope_sender(const struct scope *, const struct form_rules *,
    const struct forms *, bool plain);
/* May it be used for this recipient (a mailbox)? */
bool	 scope_rcpt(const struct scope *, struct slice path);

#endif
