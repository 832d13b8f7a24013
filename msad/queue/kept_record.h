#ifndef QUEUE_KEPT_RECORD_H
#define QUEUE_KEPT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc_types.h"
#include "common/selection.h"
#include "common/slice.h"

/*
 * Pauses and rules as they stand in the spool: records of REGISTER_PAUSES and
 * REGISTER_RULES, version octet first. Pure: msactl reads them too.
 */
#define PAUSE_NAME_MAX	255	/* octets of a name */
#define PAUSE_RECORD_VERSION	1
#define PAUSE_RECORD_MAX	(1 + 1 + 4 + 8 + 8 + 2 + PAUSE_NAME_MAX)

struct pause_record {
	enum pause_kind	 kind;
	uint32_t	 uid;		/* who paused it */
	uint64_t	 since;		/* seconds since 1970 */
	uint64_t	 until;		/* likewise; 0: until resumed */
	struct slice	 name;		/* "": accept, or every relay */
};

/* Into buf of PAUSE_RECORD_MAX; returns the length. */
size_t	 pause_record_encode(const struct pause_record *, uint8_t *buf);
/* 0, or -1: not a record of ours. The name points into it. */
int	 pause_record_decode(const void *, size_t, struct pause_record *);
/* May it be the name of what is paused? */
bool	 pause_name_ok(enum pause_kind, struct slice name);
/* "accept", "relay" and so on. */
const char *pause_kind_name(enum pause_kind);

#define RULE_REASON_MAX		200	/* octets: it stands in a reply */
#define RULE_RECORD_VERSION	1
#define RULE_RECORD_MAX		(1 + 1 + 4 + 4 + 8 + 8 + 2 + RULE_REASON_MAX + \
    2 + SELECTION_TEXT_MAX)

struct rule_record {
	enum rule_action action;
	uint32_t	 number;	/* as it is called; not 0 */
	uint32_t	 uid;		/* who made it */
	uint64_t	 since;		/* seconds since 1970 */
	uint64_t	 until;		/* likewise; 0: until removed */
	struct slice	 reason;	/* or "" */
	struct slice	 selection;	/* the text (selection.h) */
};

/* Into buf of RULE_RECORD_MAX; returns the length. */
size_t	 rule_record_encode(const struct rule_record *, uint8_t *buf);
/* 0, or -1: not a record of ours. Strings point into it. */
int	 rule_record_decode(const void *, size_t, struct rule_record *);
/* It goes into a reply: ASCII that can be seen, and blanks. */
bool	 rule_reason_ok(struct slice);
/* "hold", "reject" */
const char *rule_action_name(enum rule_action);

#endif
