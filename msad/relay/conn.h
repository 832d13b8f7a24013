#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include <sys/types.h>

#include <stddef.h>

/*
 * A connection to a next hop: non-blocking TCP, TLS on top when asked, input
 * and output buffers, one deadline. Events come from the loop, never from
 * inside a call; in each of them conn_free() is allowed.
 */
struct conn;
struct trust;

enum conn_event {
	CONN_UP,		/* connected; or TLS is established */
	CONN_INPUT,		/* octets in conn_input() */
	CONN_DRAINED,		/* all output is with the kernel */
	CONN_LOST,		/* over: conn_reason() */
	CONN_TIMEOUT		/* the deadline passed */
};

#define CONN_INPUT_MAX	16384

/*
 * Begin to connect to a numeric address. With tls the handshake follows at
 * once, name is what the certificate is checked for and SNI says. NULL: the
 * reason is in *reason.
 */
struct conn *conn_open(const char *address, unsigned int port,
	    const struct trust *tls, const char *name,
	    void (*event)(enum conn_event, void *), void *arg,
	    const char **reason);
/*
 * Begin the handshake on a connection that is up (STARTTLS). 0, or -1 with
 * conn_reason(). Output is to be drained and input empty.
 */
int	 conn_starttls(struct conn *, const struct trust *, const char *name);
/* Closes; says close_notify when TLS is up and the socket takes it. */
void	 conn_free(struct conn *);

const char *conn_reason(const struct conn *);
int	 conn_has_tls(const struct conn *);
/* "TLSv1.3 CIPHER", or "" without TLS. */
const char *conn_tls(const struct conn *);
/* The peer is on this host: what is sent crosses no network. */
int	 conn_is_loopback(const struct conn *);

/* What came in and is not yet consumed. */
const char *conn_input(const struct conn *, size_t *len);
void	 conn_consume(struct conn *, size_t len);

/*
 * Output: reserve room, write there, commit, flush. NULL only when memory is
 * out. conn_put() does the first three.
 */
char	*conn_reserve(struct conn *, size_t len);
void	 conn_commit(struct conn *, size_t len);
int	 conn_put(struct conn *, const void *, size_t len);
void	 conn_flush(struct conn *);
/* CONN_DRAINED in the next round of the loop, so that others have theirs. */
void	 conn_defer(struct conn *);
/* What the socket did not take yet; when that is so, CONN_DRAINED follows. */
size_t	 conn_pending(const struct conn *);
/* Wipe output as soon as it is written (it holds a password); once. */
void	 conn_wipe_output(struct conn *);
/* Give back the output buffer of an idle connection when it is large. */
void	 conn_shrink(struct conn *);

/* CONN_TIMEOUT in so many seconds from now; 0: never. */
void	 conn_timeout(struct conn *, unsigned int seconds);

#endif
