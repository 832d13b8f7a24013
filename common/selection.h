#ifndef COMMON_SELECTION_H
#define COMMON_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/*
 * Which messages of the queue are meant, as an operator writes it: terms of a
 * key and a value. Terms of different keys must all hold; of several with the
 * same key one must (of age and size all: they are bounds).
 *
 * The text is a term a line, LF between them, "KEY VALUE" with one blank; "all"
 * alone means every message. One parser reads it, in msactl for the sake of
 * errors and in the queue, which believes nobody.
 *
 *	all
 *	id 1a2b000003		hexadecimal
 *	user|tenant|from|to|relay TEXT	with * for any octets
 *	domain TEXT		of a recipient, with *; case does not count
 *	state waiting|deferred|inflight|held|future|failed
 *	age [<]TIME		at least that old, with < younger
 *	size [<]SIZE		at least so many octets, with < smaller
 *	error TEXT		part of the last reply; case does not count
 *
 * TIME is a number and s, m, h, d or w; SIZE a number and k, K, M, G or none.
 * "from <>" is the null sender. In addresses (from, to) case does not count
 * either. Terms of recipients (to, domain, state, error) must be true of one
 * and the same recipient.
 */
#define SELECTION_TEXT_MAX	8000	/* octets of the text */
#define SELECTION_TERMS_MAX	256
#define SELECTION_VALUE_MAX	1024	/* octets of a value */

enum selection_key {
	SELECTION_ID,
	SELECTION_USER,
	SELECTION_TENANT,
	SELECTION_FROM,
	SELECTION_TO,
	SELECTION_DOMAIN,
	SELECTION_RELAY,
	SELECTION_STATE,
	SELECTION_AGE,
	SELECTION_SIZE,
	SELECTION_ERROR,
	SELECTION_KEYS
};

enum selection_state {
	SELECTION_WAITING,	/* due, or not yet tried, or between tries */
	SELECTION_DEFERRED,	/* waiting, and was tried */
	SELECTION_INFLIGHT,
	SELECTION_HELD,		/* by an operator, a rule or a limit */
	SELECTION_FUTURE,	/* FUTURERELEASE, or its credential's date */
	SELECTION_FAILED,	/* its report is being written */
	SELECTION_STATES
};

struct selection_term {
	enum selection_key	 key;
	bool			 below;		/* age, size: "<" */
	bool			 glob;		/* text has a * */
	enum selection_state	 state;
	uint64_t		 number;	/* id, seconds, octets */
	char			*text;		/* NUL-terminated; or NULL */
};

struct selection {
	bool			 all;
	struct selection_term	*terms;
	size_t			 nterms;
	unsigned int		 keys;		/* 1 << enum selection_key */
};

/*
 * Parse; 0, or -1 with a sentence in err that names the term. Nothing at all is
 * an error: "all" must be said. To be freed after 0.
 */
int	 selection_parse(struct selection *, struct slice text, char *err,
	    size_t size);
void	 selection_free(struct selection *);
/* "user" and so on. */
const char *selection_key_name(enum selection_key);
/* The key of that name; -1: none. */
int	 selection_key_find(const char *);
/* Does text match the pattern, where * stands for any octets? */
bool	 selection_glob(const char *pattern, const char *text, bool fold);

/*
 * What a message or a recipient is, held against the terms of one key: true
 * when they allow it or there are none. All of these true: it is selected.
 *
 * Of user, tenant, from (the reverse-path, "": null), relay and error.
 */
bool	 selection_text(const struct selection *, enum selection_key,
	    const char *);
/* Of to and domain: a recipient's address. */
bool	 selection_rcpt(const struct selection *, const char *addr);
/* Of age (seconds), size (octets) and id. */
bool	 selection_number(const struct selection *, enum selection_key,
	    uint64_t);
/* Of state: those that it is in, 1 << enum selection_state. */
bool	 selection_states(const struct selection *, unsigned int states);

#endif
