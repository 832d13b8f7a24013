#ifndef RELAY_DOT_H
#define RELAY_DOT_H

#include <sys/types.h>

#include <stddef.h>

/*
 * Message octets on their way out. Both writers take CRLF lines in pieces of
 * any size and refuse a CR or LF that is not part of CRLF (R5321-2.3.8-a).
 */
struct dot {
	int	 mid_line;	/* the last octet was not the end of a line */
	int	 cr;		/* the last octet was CR; not yet written */
};

/* Room that len octets of input need at most. */
#define DOT_ROOM(len)	(2 * (len) + 8)

void	 dot_init(struct dot *);
/*
 * Write in with a dot before each line that begins with one (R5321-4.5.2-a).
 * out has room for DOT_ROOM(len). Returns the octets written, or -1: a bare
 * CR or LF.
 */
ssize_t	 dot_stuff(struct dot *, const char *in, size_t len, char *out);
/*
 * The end: CRLF where the last line had none, and the lone dot. out has room
 * for DOT_ROOM(0). Octets written, or -1: the last octet was CR.
 */
ssize_t	 dot_end(struct dot *, char *out);
/*
 * The same lines with LF ends, as a Maildir has them; the end of the message
 * is dot_lf_end(). out has room for DOT_ROOM(len).
 */
ssize_t	 dot_lf(struct dot *, const char *in, size_t len, char *out);
ssize_t	 dot_lf_end(struct dot *, char *out);

#endif
