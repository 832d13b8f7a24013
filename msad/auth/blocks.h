#ifndef AUTH_BLOCKS_H
#define AUTH_BLOCKS_H

#include "common/conf.h"
#include "common/slice.h"

/* A certificate's subject or e-mail address, and whose it is. */
struct cert_user {
	char		*key;
	char		*user;
};

/*
 * An auth block as sessions keep it: a reload does not change what a session
 * began with. Counted references.
 */
struct auth_block {
	unsigned int	 refs;
	char		*name;
	char		*service;	/* PAM's; "": not asked */
	char		*realm;
	char		*tenant;	/* "": none */
	unsigned int	 mechs;		/* CONF_MECH_* */
	unsigned int	 cache;		/* seconds; 0: off */
	struct passfile	*passfile;	/* verifiers; see blocks_passfile() */
	bool		 grants;	/* an address may stand for a login */
	bool		 expired_hide;	/* an expired password is wrong */
	struct conf_oauth oauth;	/* whose tokens, see blocks_keys() */
	struct conf_clients clients;	/* whose certificates */
	struct cert_user *cert_users;	/* of its table; ends with NULLs */
	char		*host;		/* our name */
	uint16_t	 port;		/* of the listener */
};

/* Take the blocks of conf for sessions that open from now on. 0 or -1. */
int	 blocks_load(const struct conf *);
/* The block of a listener with a reference for the caller; NULL: none. */
struct auth_block *blocks_of_listener(unsigned int index);
/*
 * The block of that name, or that asks PAM by that service name, or of "" the
 * only one that listeners have; with a reference. grants: of listeners alone
 * that let an address stand for a login. NULL with *reason (static).
 */
struct auth_block *blocks_of_name(struct slice, bool grants,
	    const char **reason);
struct auth_block *blocks_ref(struct auth_block *);
void	 blocks_release(struct auth_block *);
/* Is it one that sessions get that open now? */
bool	 blocks_current(const struct auth_block *);
/*
 * The verifiers of a block as they are now: a session that began before a
 * reload must not log in by what is no longer there. NULL: it has none.
 */
struct passfile *blocks_passfile(const struct auth_block *);

/* Likewise, the keys of tokens and the authority of certificates. */
struct jwks *blocks_keys(const struct auth_block *);
struct authority *blocks_authority(const struct auth_block *);

#endif
