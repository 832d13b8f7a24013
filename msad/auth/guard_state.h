#ifndef AUTH_GUARD_STATE_H
#define AUTH_GUARD_STATE_H

#include "common/conf_login.h"
#include "msad/auth/guard.h"
#include "msad/auth/guard_table.h"

/* What guard.c keeps; guard_ban.c shows and changes bans. */

#define GUARD_SEEN	8	/* wrong passwords remembered of a client */

/* An address (/32, /64) or a network (/24, /48). */
struct guard_net {
	struct guard_mark	 mark;
	struct network		 network;
	int64_t			 until;		/* ms: banned; 0: not */
	int64_t			 good;		/* ms: last login; 0: none */
	unsigned int		 bans;		/* of late */
};

struct guard_name {
	struct guard_mark	 mark;
	uint32_t		 refused;
	uint16_t		 pending;	/* verifications under way */
	char			 block[64];
	char			 user[128];
};

/* A user at an address or in a network. */
struct guard_pair {
	struct guard_mark	 mark;
	int64_t			 good;		/* ms: last login; 0: none */
	uint16_t		 pending;
	uint16_t		 nseen;
	uint32_t		 seen[GUARD_SEEN];
};

struct guard_state {
	struct conf_login	 login;
	struct network		*trusted;
	size_t			 ntrusted;
	struct guard_table	 nets, names, pairs;
};

extern struct guard_state	 guard;

/* The networks of an address, as text, that failures are counted by. */
struct guard_place {
	struct network	 address;
	struct network	 network;
	bool		 trusted;
};
void	 guard_place(struct slice client, struct guard_place *);
struct guard_net *guard_net_find(const struct network *);
/* Is there a ban by msactl? *seconds: how long it holds, 0 no end. */
bool	 guard_ban_holds(const struct network *address, int64_t now_ms,
	    unsigned int *seconds);
void	 guard_count(int64_t now_ms);

#endif
