#ifndef AUTH_HASHER_H
#define AUTH_HASHER_H

#include <sys/types.h>

#include <stdint.h>

#include "common/passwd_line.h"
#include "common/scram_keys.h"
#include "msad/auth/sasl_text.h"

/*
 * A hasher: a process of msad-auth's own that finds out which of some
 * verifiers a password fits, since that takes long.
 */
#define HASHER_ENTRIES_MAX	64
#define HASHER_NONE		(-1)	/* no verifier fits */

enum hash_kind { HASH_CRYPT = 1, HASH_SCRAM_SHA256, HASH_SCRAM_SHA1 };

struct hash_entry {
	uint32_t	 kind;
	union {
		char			 crypt[PASSWD_CRYPT_MAX + 1];
		struct scram_verifier	 scram;
	} u;
};

/* Sent without the entries that are not used. */
struct hash_request {
	uint64_t	 id;
	uint32_t	 npassword;
	uint32_t	 nentries;
	char		 password[SASL_PASSWORD_MAX + 1];
	struct hash_entry entries[HASHER_ENTRIES_MAX];
};

struct hash_answer {
	uint64_t	 id;
	int32_t		 match;		/* index of the entry, or none */
};

/* The index of the first entry that the password fits, or HASHER_NONE. */
int	 hasher_match(const struct hash_request *);
/*
 * Start one; before the sandbox of msad-auth. Returns a non-blocking
 * SOCK_SEQPACKET descriptor, or -1.
 */
int	 hasher_start(void);

#endif
