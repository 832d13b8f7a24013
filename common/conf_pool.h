#ifndef COMMON_CONF_POOL_H
#define COMMON_CONF_POOL_H

#include <stdio.h>

/*
 * P(word, member, unit, default, min, max): what "auth workers" may say.
 * A login waits for a worker and then for PAM: both together stay below the
 * minute that the front-end gives it.
 */
#define CONF_POOL_TABLE(P) \
	P("min", min, "", 2, 1, 256) \
	P("max", max, "", 32, 1, 256) \
	/* conversations of one worker, before it gives way to a fresh one */ \
	P("recycle", recycle, "", 1000, 1, 60000) \
	/* logins that wait for a worker, and how long they may, seconds */ \
	P("queue", queue, "", 1000, 1, 100000) \
	P("wait", wait, "s", 20, 1, 25) \
	/* one conversation, seconds */ \
	P("time", time, "s", 30, 1, 30)

struct conf_pool {
#define P(word, member, unit, value, min, max)	unsigned int member;
	CONF_POOL_TABLE(P)
#undef P
};

struct conf_build;

void	 conf_pool_default(struct conf_pool *);
/* "auth workers" begins; it may stand once. */
void	 conf_build_pool(struct conf_build *);
/* "WORD VALUE" of the block; says what is wrong with it. */
void	 conf_build_pool_word(struct conf_build *, const char *word,
	    const char *value);
/* "limit NUMBER" behind a PAM service. */
void	 conf_build_pam_limit(struct conf_build *, const char *value);
/* After the last statement: what does not fit together. */
void	 conf_pool_finish(struct conf_build *);
/* The block as canonical text, if anything differs from the defaults. */
void	 conf_pool_print(FILE *, const struct conf_pool *);

#endif
