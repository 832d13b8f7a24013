#ifndef COMMON_CONF_BOUNCE_H
#define COMMON_CONF_BOUNCE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/conf_rates.h"

/* "bounce { ... }": what becomes of reports (RFC 3464). */
struct conf_bounce {
	char			*postmaster;	/* of double bounces; NULL */
	char			*relay;		/* these go by; with it */
	struct conf_rate	 reports;	/* to one address; 0: any */
	bool			 done;		/* the statement stands */
};

struct conf_build;

void	 conf_bounce_default(struct conf_bounce *);
/* The statement begins; it may stand once. */
void	 conf_build_bounce(struct conf_build *);
/* "WORD VALUE" of its block; says what is wrong with it. */
void	 conf_build_bounce_word(struct conf_build *, const char *word,
	    const char *value);
/* After the last statement: is the relay there? */
void	 conf_bounce_finish(struct conf_build *);
/* What differs from the defaults, as canonical text. */
void	 conf_bounce_print(FILE *, const struct conf_bounce *);
void	 conf_bounce_free(struct conf_bounce *);

#endif
