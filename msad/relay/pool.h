#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf.h"
#include "msad/relay/job.h"

struct client;
struct trust;

/* What a pool takes over from its relay block; its own copies. */
struct pool_conf {
	char			*name;
	char			*host;
	unsigned int		 port;
	enum conf_tls		 tls;
	bool			 verify;
	char			*helo;
	char			*hostname;	/* ours: to see a loop */
	struct trust		*trust;		/* NULL without TLS */
	unsigned int		 connections;	/* at most, in this worker */
};

struct pool;

/*
 * The pool of a relay block, not yet used. ca is the PEM bundle (NULL: none).
 * NULL with the reason.
 */
struct pool *pool_new(const struct conf *, const struct conf_relay *,
	    const void *ca, size_t calen, unsigned int connections,
	    char *reason, size_t size);
/*
 * Drop the pool: idle connections end now, others after their message; jobs
 * that wait go on in heir, or (NULL) still here.
 */
void	 pool_retire(struct pool *, struct pool *heir);
const struct pool_conf *pool_conf(const struct pool *);

void	 pool_submit(struct pool *, struct job *);
/* Take a job that still waits out of its pool; 0, or -1: it has begun. */
int	 pool_withdraw(struct job *);
/*
 * For all pools, retired ones as well: begin no more jobs. done() is called
 * each time a message under way or a connection has ended.
 */
void	 pools_stop(void (*done)(void));
/* No message is under way. */
int	 pools_are_quiet(void);

/* From the clients. */
/* Takes mail now: after the setup and after each message. */
void	 pool_ready(struct pool *, struct client *);
/* Could not be set up; the client ends. */
void	 pool_setup_failed(struct pool *, struct client *,
	    const struct result *);
/* The connection was of no use for this job though nothing is wrong with it. */
void	 pool_requeue(struct pool *, struct job *);
/* It says QUIT and takes no more jobs. */
void	 pool_leaves(struct pool *, struct client *);
/* It ended; its connection is closed here, the client freed a little later. */
void	 pool_gone(struct pool *, struct client *);

#endif
