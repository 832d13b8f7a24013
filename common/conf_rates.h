#ifndef COMMON_CONF_RATES_H
#define COMMON_CONF_RATES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* So many in so many seconds; period 0: no limit. */
struct conf_rate {
	uint64_t	 n;
	uint32_t	 period;	/* seconds: a minute, an hour, a day */
};

enum conf_rate_kind {
	CONF_RATE_MESSAGES,
	CONF_RATE_RECIPIENTS,
	CONF_RATE_BYTES,
	CONF_RATE_MAX
};

/* What becomes of what is over a rate. */
enum conf_over { CONF_OVER_REJECT, CONF_OVER_HOLD };

/* "limit user { ... }" or "limit default { ... }"; set: which words stand. */
struct conf_rates {
	struct conf_rate	 rate[CONF_RATE_MAX];
	uint64_t		 size;		/* octets; 0: no limit */
	enum conf_over		 over;
	unsigned int		 set;		/* CONF_RATES_* */
	bool			 done;		/* the statement stands */
};

/* Bits of set: one of each rate by its kind, then these. */
#define CONF_RATES_SIZE		(1U << CONF_RATE_MAX)
#define CONF_RATES_OVER		(1U << (CONF_RATE_MAX + 1))

/* More octets in a period than this cannot be counted. */
#define CONF_RATE_BYTES_MAX	(UINT64_C(64) << 30)

struct conf;
struct conf_build;

/* "messages", "recipients", "bytes". */
const char *conf_rate_word(enum conf_rate_kind);
/* What holds for a user: the words of "limit user", else of "default". */
void	 conf_rates_user(const struct conf *, struct conf_rates *);

/* "limit user" or "limit default" begins; each may stand once. */
void	 conf_build_rates(struct conf_build *, const char *name);
/* "WORD VALUE" of the block; says what is wrong with it. */
void	 conf_build_rate_word(struct conf_build *, const char *word,
	    const char *value);
/* Both statements as canonical text, as far as they stand. */
void	 conf_rates_print(FILE *, const struct conf *);

#endif
