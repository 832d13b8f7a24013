#ifndef COMMON_CONF_EXT_H
#define COMMON_CONF_EXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/params.h"

/*
 * What is offered of the extensions by which a client says when its message is
 * to be sent and how urgent it is: "future-release" (RFC 4865), "deliver-by"
 * (RFC 2852) and "mt-priority" (RFC 6710). Times are seconds, sizes octets.
 */

#define CONF_PROFILE_MAX	20	/* octets of a policy's name */
#define CONF_PRIORITY_MIN	(-9)
#define CONF_PRIORITY_MAX	9

struct conf_ext {
	bool		 future_off;
	bool		 future_all;	/* on listeners of any port */
	uint64_t	 future_max;	/* furthest ahead */
	uint64_t	 future_held;	/* messages of one user that wait */
	bool		 by_off;
	uint64_t	 by_min;	/* least with mode R; 0: any */
	bool		 priority_off;
	char		 profile[CONF_PROFILE_MAX + 1];	/* "": none */
	int		 floor;		/* lower ones are refused */
	bool		 floor_defer;	/* for now, else for good */
	uint64_t	 urgent_size;	/* of those above that; 0: as others */
	int		 urgent_above;
};

/* Statements of the grammar. */
enum conf_ext_kind { CONF_EXT_FUTURE, CONF_EXT_BY, CONF_EXT_PRIORITY };

struct conf_build;
struct conf_match;

void	 conf_ext_default(struct conf_ext *);
/* A statement begins; each may stand once. */
void	 conf_build_ext(struct conf_build *, enum conf_ext_kind);
/* It is "off". */
void	 conf_build_ext_off(struct conf_build *, const char *word);
/* "WORD VALUE" of its block; says what is wrong with it. */
void	 conf_build_ext_word(struct conf_build *, const char *word,
	    const char *value);
/* Its block ends: what stands there must belong together. */
void	 conf_build_ext_end(struct conf_build *);
/* "priority N" of a rule. */
void	 conf_build_match_priority(struct conf_build *, struct conf_match *);
/* What differs from the defaults, as canonical text. */
void	 conf_ext_print(FILE *, const struct conf_ext *);

/* --- what it means --- */

/*
 * The extensions of these three (EXT_*) that a listener of this port offers;
 * port 0 is the local socket.
 */
unsigned int conf_ext_offered(const struct conf_ext *, unsigned int port);

enum ext_verdict {
	EXT_OK = 0,
	EXT_HOLD_PAST,		/* its time is not to come */
	EXT_HOLD_FAR,		/* further ahead than offered */
	EXT_HOLD_BY,		/* later than the time to deliver by */
	EXT_BY_SHORT		/* mode R, sooner than offered */
};

/* Are the parameters of MAIL within what is offered now (seconds)? */
enum ext_verdict conf_ext_check(const struct conf_ext *,
    const struct mail_params *, int64_t now);
/*
 * The same without what depends on a clock: can somebody who went by this
 * configuration have let them through?
 */
bool	 conf_ext_possible(const struct conf_ext *,
    const struct mail_params *);
/* When the message is to be sent, arrived at that time; 0: at once. */
int64_t	 conf_ext_release(const struct mail_params *, int64_t arrival);

#endif
