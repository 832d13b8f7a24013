#ifndef AUTH_BLOCKS_H
#define AUTH_BLOCKS_H

#include "common/conf.h"

/*
 * An auth block as sessions keep it: a reload does not change what a session
 * began with. Counted references.
 */
struct auth_block {
	unsigned int	 refs;
	char		*name;
	char		*service;	/* PAM's */
	char		*realm;
	unsigned int	 mechs;		/* CONF_MECH_* */
};

/* Take the blocks of conf for sessions that open from now on. 0 or -1. */
int	 blocks_load(const struct conf *);
/* The block of a listener with a reference for the caller; NULL: none. */
struct auth_block *blocks_of_listener(unsigned int index);
void	 blocks_release(struct auth_block *);

#endif
