#ifndef QUEUE_RULES_H
#define QUEUE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc_types.h"
#include "common/selection.h"
#include "common/slice.h"
#include "common/verdict.h"

#include "kept.h"
#include "kept_record.h"

struct spool;

/*
 * An operator's rules for mail still to come: "hold" or "reject" what a
 * selection matches, for a time. Kept in the spool (REGISTER_RULES); how often
 * one met is kept in memory alone.
 */
#define RULE_TEXT_MAX		(RULE_REASON_MAX + 1)

/* A state that recovery found; false: not of our register. */
bool	 rules_recover(uint64_t id, uint32_t key, const void *, size_t);
void	 rules_init(struct spool *);
/* Once a second: end those whose time is over. */
void	 rules_tick(uint64_t now);

/* --- mail that comes in --- */

struct rules_mail {
	uint64_t	 epoch, sid;	/* of the session, for the log */
	const char	*user, *tenant, *sender, *relay;
	uint64_t	 size;		/* octets; 0: not known yet */
	bool		 whole;		/* that is its size indeed */
};

/*
 * May it come in, by what MAIL says; may this recipient be added; may it stay,
 * now that all is there? VERDICT_OK or VERDICT_RULE, with the reason in text
 * (of RULE_TEXT_MAX). rcpt gives the n recipients' addresses. *held is the
 * number of the rule that holds what is accepted, 0: none does; text is its
 * reason then.
 */
enum verdict rules_at_mail(const struct rules_mail *, char *text);
enum verdict rules_at_rcpt(const struct rules_mail *, const char *addr,
	    char *text);
enum verdict rules_at_end(const struct rules_mail *,
	    const char *(*rcpt)(const void *, uint32_t), const void *arg,
	    uint32_t n, uint32_t *held, char *text);

/*
 * The number of the rule that rejects a message to this recipient, else of the
 * one that holds it, 0: none. Nothing is counted. One that asks for a size
 * which is not known does not match.
 */
uint32_t rules_meeting(const struct rules_mail *, const char *addr,
	    enum rule_action *);

/* --- msactl --- */

/*
 * Add a rule; its number is given to it, and put into *number. done is called
 * when it is durable and in force. NULL, or why it cannot be (static, until the
 * next call); done is not called then.
 */
const char *rules_add(const struct rule_record *, kept_done, void *arg,
	    uint32_t *number);
/* Remove one, or with 0 all; *n is how many: with none done is not called. */
const char *rules_remove(uint32_t number, uint32_t uid, kept_done, void *arg,
	    uint32_t *n);
/* Call fn for each that holds, by number; hits: messages it met so far. */
uint32_t rules_each(void (*fn)(void *, const struct rule_record *,
	    uint64_t hits), void *arg);

#endif
