#ifndef COMMON_PASSWD_LINE_H
#define COMMON_PASSWD_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/network.h"
#include "common/scram_keys.h"
#include "common/slice.h"

/*
 * A line of a passwd file (msad-passwd(5)):
 *
 *	user:verifier [verifier ...][:[word=value ...]]
 *
 * msad-auth reads it, msactl writes it.
 */
#define PASSWD_LINE_MAX		16384	/* octets of a line */
#define PASSWD_LIST_MAX		64	/* entries of a list */
#define PASSWD_LABEL_MAX	64
/* Octets of from= and to= with 2 for each entry: a GRANT holds them all. */
#define PASSWD_SCOPE_MAX	12288
#define PASSWD_CRYPT_MAX	255

/* Slices point into the line. */
struct passwd_line {
	struct slice		 user;
	struct slice		 label;		/* empty: none */
	struct slice		 crypt;		/* crypt(3); empty: none */
	bool			 has_sha256, has_sha1;
	struct scram_verifier	 sha256, sha1;
	uint64_t		 expires;	/* seconds since 1970; 0 */
	uint64_t		 relay_after;	/* likewise */
	uint32_t		 rate;		/* messages an hour; 0 */
	unsigned int		 mechs;		/* CONF_MECH_*; 0: all */
	struct network		 networks[PASSWD_LIST_MAX];
	size_t			 nnetworks;
	struct slice		 senders[PASSWD_LIST_MAX];
	size_t			 nsenders;
	struct slice		 domains[PASSWD_LIST_MAX];
	size_t			 ndomains;
	size_t			 scope;		/* octets of both */
};

/* An empty line or a comment? */
bool	 passwd_line_blank(struct slice);
/* 0, or -1 with *reason (static). */
int	 passwd_line_parse(struct slice, struct passwd_line *,
	    const char **reason);
/*
 * One restriction, "word=value", as it stands in the third field. 0 or -1; for
 * msactl, which checks what it is about to write.
 */
int	 passwd_word_parse(struct slice, struct passwd_line *,
	    const char **reason);
/* YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ in UTC; 0: it is none. */
uint64_t passwd_date(struct slice);

#endif
