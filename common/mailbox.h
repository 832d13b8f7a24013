#ifndef COMMON_MAILBOX_H
#define COMMON_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * The addresses of a header field: the address-list of RFC 5322 section 3.4
 * with the obsolete forms of 4.4 and the groups of RFC 6854. One reader for
 * the front-end, which rewrites, and the queue, which compares: both see the
 * same addresses in the same octets.
 */
#define MAILBOX_LOCAL_MAX	64	/* octets of a local part's meaning */
#define MAILBOX_DOMAIN_MAX	255
#define MAILBOX_ADDR_MAX	(2 * MAILBOX_LOCAL_MAX + 2 + 1 + \
    MAILBOX_DOMAIN_MAX)
#define MAILBOX_COMMENT_DEPTH	32

enum mailbox_kind {
	MAILBOX_ADDR = 0,	/* an address */
	MAILBOX_GROUP,		/* a group begins; addresses follow */
	MAILBOX_GROUP_END
};

struct mailbox {
	enum mailbox_kind kind;
	struct slice	 phrase;	/* the name, as written; may be "" */
	struct slice	 comment;	/* the last one, with its brackets */
	bool		 eightbit;	/* the name holds UTF-8 */
	bool		 obsolete;	/* not in the form of section 3.4 */
	bool		 angle;		/* written in angle brackets */
	/*
	 * The address in its least-quoted form, NUL-terminated; at is the
	 * length of its local part, and len itself when no domain is there.
	 */
	char		 addr[MAILBOX_ADDR_MAX + 1];
	size_t		 at;
	size_t		 len;
};

struct mailbox_list {
	struct slice	 body;
	size_t		 i;		/* what of body is read */
	struct slice	 comment;
	const char	*reason;	/* static: what is wrong */
	bool		 utf8;
	bool		 group;		/* within one */
	bool		 comma;		/* a comma was the last of it */
	bool		 item;		/* an item was the last of it */
	bool		 obsolete;	/* an empty member was seen */
};

/*
 * Begin to read a field body, with or without its final CRLF. utf8: addresses
 * may hold UTF-8 (RFC 6532); names may always.
 */
void	 mailbox_begin(struct mailbox_list *, struct slice body, bool utf8);
/*
 * The next address or mark of a group. 1: there is one, 0: the list is at its
 * end, -1: it cannot be parsed, and reason says why in words for the reply.
 * Slices point into body.
 */
int	 mailbox_next(struct mailbox_list *, struct mailbox *);
/* Is all of it UTF-8 (RFC 3629), without C1 control characters? */
bool	 mailbox_utf8_ok(struct slice);
/*
 * Write the meaning of a name or other phrase: quoting, comments and folds
 * away, one blank between words. out has room for phrase.len octets. Returns
 * how many were written.
 */
size_t	 mailbox_phrase(struct slice phrase, char *out);

#endif
