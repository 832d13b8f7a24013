#ifndef FRONTEND_CONNECTION_H
#define FRONTEND_CONNECTION_H

#include <event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define CONN_IN_SIZE	16384	/* longest SASL line, one TLS record */
#define CONN_OUT_MAX	32768	/* replies a client may leave unread */

struct tls;

/*
 * A client's socket with what was read and not used and what is to be written.
 * Both buffers exist only while they hold something.
 */
struct conn {
	int		 fd;
	struct tls	*tls;		/* NULL: cleartext */
	void		*ssl;
	struct event	 rd;
	struct event	 wr;
	char		*in;
	uint32_t	 in_off;
	uint32_t	 in_len;
	char		*out;
	uint32_t	 out_off;
	uint32_t	 out_len;
	uint32_t	 out_cap;
	bool		 reading;
	bool		 writing;
	int		 lowat;		/* SO_RCVLOWAT of the socket */
	bool		 more;		/* input that no event will tell of */
	bool		 within;	/* TLS holds part of a record, or may */
	bool		 eof;		/* no more input, or broken */
};

/* fn is called with arg when the socket can be read or written. */
void	 conn_init(struct conn *, int fd, struct event_base *,
    void (*fn)(int, short, void *), void *arg);
/* Close, wipe and free all but the struct itself. */
void	 conn_close(struct conn *);
/* Unused input. */
struct slice conn_input(const struct conn *);
/* Input that is used; secret: wipe it as well. */
void	 conn_use(struct conn *, size_t n, bool secret);
void	 conn_drop_input(struct conn *);
size_t	 conn_room(const struct conn *);
/* Read once into the free room; sets more (TLS) and eof. */
void	 conn_fill(struct conn *);
/*
 * The same with at most max octets; under TLS only when a whole record is
 * there, so that what is not stays in the socket.
 */
void	 conn_fill_some(struct conn *, size_t max);
/*
 * Add what waits in the socket to the input and leave it there; sets eof.
 * conn_peeked() then takes it out of the socket up to octet n of the input, of
 * which had were there before, and cuts the input there.
 */
void	 conn_peek(struct conn *);
void	 conn_peeked(struct conn *, size_t had, size_t n);
/* Read from the socket below TLS and forget it; sets eof. */
void	 conn_drain(struct conn *);
/* Say that no more will be written (close_notify, FIN). */
void	 conn_shut(struct conn *);
/* Queue octets for writing. 0, or -1 when memory is out. */
int	 conn_put(struct conn *, const void *, size_t);
size_t	 conn_owed(const struct conn *);
/* Write what is queued: 0 all done, 1 the socket is full, -1 broken. */
int	 conn_flush(struct conn *);
/* Wait for input and room from now on, or not. */
void	 conn_watch(struct conn *, bool rd, bool wr);
/* Free buffers that hold nothing. */
void	 conn_trim(struct conn *);

#endif
