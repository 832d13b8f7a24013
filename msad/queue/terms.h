#ifndef QUEUE_TERMS_H
#define QUEUE_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/params.h"
#include "common/verdict.h"

/*
 * The terms on which a message is handed over: when it is to go out (RFC 4865),
 * until when it is to be delivered (RFC 2852), how urgent it is (RFC 6710).
 */
struct terms {
	uint32_t holdfor;	/* seconds; 0: not given */
	int64_t	 holduntil;	/* seconds since 1970; 0: not given */
	bool	 lowered;	/* its priority is not the one asked for */
	bool	 has_priority;
	int	 priority;
};

struct conf;
struct grant;

/*
 * The configuration is about to change to this one (NULL: not any more), and
 * changes: what stood until now is remembered.
 */
void	 terms_prepare(const struct conf *);
void	 terms_conf(const struct conf *);
/*
 * Can an honest front-end have let the parameters through? It may go by the
 * configuration before this one, or by the next before we do.
 */
bool	 terms_possible(const struct mail_params *);
/*
 * MAIL with these parameters, canonical, malloc'd; size is what it said. The
 * user may ask for a priority of highest at most: a higher one is lowered, the
 * text written anew. VERDICT_OK, or why not with detail (of LIMITS_TEXT_MAX).
 */
enum verdict terms_mail(struct terms *, char **params, const struct grant *,
    uint64_t size, int highest, char *detail);
/* The same when the message is there, of that size. */
enum verdict terms_end(const struct terms *, const struct grant *,
    uint64_t size, char *detail, size_t detail_size);
/* When a message of that arrival is to go out; 0: at once. */
int64_t	 terms_release(const struct terms *, int64_t arrival);
/* The reply to a MAIL whose priority was lowered: "2". */
void	 terms_detail(const struct terms *, char *detail);

#endif
