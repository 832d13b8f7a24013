#ifndef RELAY_REPLY_PARSER_H
#define RELAY_REPLY_PARSER_H

#include <stddef.h>

/*
 * Replies of a next hop (RFC 5321 section 4.2), fed in pieces of any size.
 * Nothing that a peer sends makes it keep more than REPLY_MAX octets.
 */
#define REPLY_LINE_MAX	4096	/* octets of one line with its end */
#define REPLY_MAX	65536	/* octets of all lines of one reply */

enum reply_status {
	REPLY_MORE,		/* all was taken, the reply goes on */
	REPLY_DONE,		/* one whole reply; *used octets were its */
	REPLY_BROKEN		/* not a reply; reply->reason says why */
};

struct reply {
	unsigned int	 code;		/* 200 to 599 when done */
	unsigned int	 nlines;
	char		*text;		/* lines after the code, each with \n */
	size_t		 len;		/* of text */
	const char	*reason;	/* of REPLY_BROKEN: a constant */

	/* private */
	size_t		 size;
	size_t		 total;		/* octets of the reply so far */
	size_t		 column;	/* octets of the line so far */
	unsigned int	 line_code;
	int		 last;		/* this line is the last one */
	int		 cr;		/* the octet before was CR */
	int		 bad;
};

void	 reply_init(struct reply *);
/* Forget the reply and be ready for the next; keeps a small buffer. */
void	 reply_reset(struct reply *);
void	 reply_free(struct reply *);
enum reply_status reply_feed(struct reply *, const char *p, size_t len,
	    size_t *used);
/*
 * The enhanced status code (RFC 3463) of a reply that is done: the one it
 * carries, when its class is the reply's, else x.0.0. Empty for 3xx.
 */
void	 reply_enhanced(const struct reply *, char *buf, size_t size);
/* The text as one line of at most size - 1 octets, cut with "...". */
void	 reply_text(const struct reply *, char *buf, size_t size);
/* Line n (from 0) without its end; 0, or -1 when there is none. */
int	 reply_line(const struct reply *, unsigned int n, const char **p,
	    size_t *len);

#endif
