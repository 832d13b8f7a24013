#ifndef AUTH_MECH_H
#define AUTH_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/slice.h"
#include "msad/auth/blocks.h"
#include "msad/auth/credential.h"

/*
 * A SASL mechanism (RFC 4422): what it does with a client's responses. It is
 * pure: no channel, no timer. attempt.c drives it, sends its challenges, has
 * passwords verified, and asks the queue for the grant.
 */

#define MECH_OUT_MAX	(8192 - 4)	/* octets of a challenge */

enum mech_step {
	MECH_CHALLENGE,		/* send out, wait for the response */
	MECH_FAILED,		/* 535; reason for the log */
	MECH_LAST,		/* 535, and the connection ends (R9266-4.1-a) */
	MECH_EXPIRED,		/* 535; said clearly where the block allows */
	MECH_WEAK,		/* 534: user's policy wants a better one */
	MECH_BUSY,		/* 454: not the client's doing */
	MECH_PASSWORD,		/* user and password are to be verified */
	MECH_DONE		/* user is proven; credential may be set */
};

/* What the handshake of the session was (SESSION_TLS); owned by the session. */
struct tls_facts {
	bool		 tls13;
	uint8_t		 exporter[32], unique[64], endpoint[64];
	size_t		 nexporter, nunique, nendpoint;	/* 0: cannot be had */
	uint8_t		*cert;			/* client's, DER; or NULL */
	size_t		 ncert;
	bool		 exporter_used;		/* in a run that failed */
};

struct mech;

/* One run of a mechanism. */
struct exchange {
	const struct mech	*mech;
	const struct auth_block	*block;
	struct tls_facts	*tls;		/* NULL: not under TLS */
	struct slice		 client;	/* numeric address */
	struct slice		 local;		/* where it came to; likewise */
	uint16_t		 local_port;
	void			*state;		/* the mechanism's own */
	/* What comes out. */
	char			 user[IPC_USER_MAX + 1]; /* "" until known */
	struct slice		 password;	/* in the response; PASSWORD */
	struct credential	*credential;	/* referenced, or NULL; DONE */
	uint8_t			 out[MECH_OUT_MAX];
	size_t			 nout;
	const char		*reason;	/* static, for the log */
	char			 text[128];	/* reason may be here */
	bool			 refused;	/* what is sent says so */
};

struct mech {
	const char	*name;		/* "SCRAM-SHA-256-PLUS" */
	unsigned int	 flag;		/* CONF_MECH_* */
	bool		 clear;		/* shows the password: TLS alone */
	bool		 bound;		/* -PLUS: needs a channel binding */
	bool		 foreign;	/* others vouch: PAM has a say */
	enum mech_step	(*start)(struct exchange *, bool has_initial,
			    struct slice initial);
	enum mech_step	(*response)(struct exchange *, struct slice);
	void		(*end)(struct exchange *);	/* wipe; or NULL */
};

/* By name, in any letter case; NULL: unknown. */
const struct mech *mech_find(struct slice name);

/* For mechanisms (exchange.c): each returns the step for its caller. */
enum mech_step exchange_ask(struct exchange *, const void *out, size_t n);
enum mech_step exchange_fail(struct exchange *, const char *reason);
/* Name the user; false: the name is not fit (sasl_text.h). */
bool	 exchange_user(struct exchange *, struct slice);
/*
 * A new run; the caller sets what goes in. exchange_free() ends the mechanism,
 * wipes all and lets go of the credential. NULL: out of memory.
 */
struct exchange *exchange_new(const struct mech *);
void	 exchange_free(struct exchange *);

extern const struct mech mech_plain, mech_login, mech_scram_sha1,
    mech_scram_sha1_plus, mech_scram_sha256, mech_scram_sha256_plus,
    mech_oauthbearer, mech_xoauth2, mech_external;

#endif
