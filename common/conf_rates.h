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

/* "limit user", "default" or "tenant { ... }"; set: which words stand. */
struct conf_rates {
	struct conf_rate	 rate[CONF_RATE_MAX];
	uint64_t		 size;		/* octets; 0: no limit */
	/* of a tenant: messages and octets in the queue; 0: no limit */
	uint64_t		 queue, octets;
	enum conf_over		 over;
	unsigned int		 set;		/* CONF_RATES_* */
	bool			 done;		/* the statement stands */
};

/* Bits of set: one of each rate by its kind, then these. */
#define CONF_RATES_SIZE		(1U << CONF_RATE_MAX)
#define CONF_RATES_OVER		(1U << (CONF_RATE_MAX + 1))
#define CONF_RATES_QUEUE	(1U << (CONF_RATE_MAX + 2))
#define CONF_RATES_OCTETS	(1U << (CONF_RATE_MAX + 3))

/* More octets in a period than this cannot be counted. */
#define CONF_RATE_BYTES_MAX	(UINT64_C(64) << 30)

struct conf;
struct conf_build;
struct conf_tenant;

/* NUMBER/PERIOD; false: it is none. And the same as text. */
bool	 conf_rate_read(enum conf_rate_kind, const char *text,
	    struct conf_rate *);
void	 conf_rate_print(FILE *, const struct conf_rate *);
/* "messages", "recipients", "bytes". */
const char *conf_rate_word(enum conf_rate_kind);
/*
 * What holds for a user: the words of "limit user" within its tenant ("":
 * none), else of "limit user", else of "default".
 */
void	 conf_rates_user(const struct conf *, const char *tenant,
	    struct conf_rates *);
/* What holds for all of a tenant's; NULL: nothing. */
const struct conf_rates *conf_rates_tenant(const struct conf *,
	    const char *tenant);

/* "limit user", "default" or "tenant" begins; each may stand once. */
void	 conf_build_rates(struct conf_build *, const char *name);
/* "WORD VALUE" of the block; says what is wrong with it. */
void	 conf_build_rate_word(struct conf_build *, const char *word,
	    const char *value);
/* Both statements as canonical text, as far as they stand. */
void	 conf_rates_print(FILE *, const struct conf *);
/* Those of a tenant, each line after a tab. */
void	 conf_rates_print_tenant(FILE *, const struct conf_tenant *);

#endif
